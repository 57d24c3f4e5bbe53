"""usage: make_screenshot.py PNG: the page of a job of two nodes with 8 ranks each, as docs/watching.md shows it.

MDL_BIN_DIR is the folder of mdl-launch (default: build/release/bin). The workers are plain Python; one is slow, one evaluates.
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from browser import Browser
from launching import environment, free_port, running, wait_until

WORKER = """
import json, math, os, socket, time
to_launcher = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
rank, slow, total = int(os.environ["RANK"]), 11, 1600
def tell(**fields):
    to_launcher.sendto(json.dumps(fields).encode(), os.environ["MDL_PROGRESS"])
own = waiting = 0
for step in range(20, 841, 20):
    spread = 0.02 * math.sin(7 * rank + step)
    own += 20 * (0.46 if rank == slow else 0.3 + spread)
    waiting += 20 * (0.02 if rank == slow else 0.18 - spread)
    values = {}
    if rank == 0:
        noise = 0.06 * math.sin(step) * math.sin(step / 7)
        values = {"loss": 0.9 + 1.6 * math.exp(-step / 250) + noise, "learning_rate": 1e-4 * min(step / 100, 1 - (step - 100) / 1500),
                  "grad_norm": 0.6 + math.exp(-step / 200) + abs(noise)}
    tell(step=step, total=total, samples=8 * step, own=own, waiting=waiting, **values)
    if rank == 0 and step % 160 == 0:
        tell(eval_loss=1.0 + 1.5 * math.exp(-step / 250))
    time.sleep(0.6)
if rank == 6:
    tell(section="checkpoint")
while True:
    tell()
    time.sleep(1)
"""


def main(target):
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as agents:
        folder, endpoint = Path(name), f"localhost:{free_port()}"
        (folder / "worker.py").write_text(WORKER)
        words = [
            "--nnodes",
            "2",
            "--rdzv-backend",
            "c10d",
            "--rdzv-endpoint",
            endpoint,
            "--rdzv-id",
            "midashenglm-lora",
            "--nproc-per-node",
            "8",
        ]
        for node in range(2):
            log = agents.enter_context(open(folder / f"log{node}", "w"))
            more = ["--dashboard", "0"] if node == 0 else []
            local = ["--rdzv-conf", f"is_host={1 - node}", *more, folder / "worker.py"]
            agents.enter_context(running(*words, *local, env=environment(), stderr=log))
        url = wait_until(lambda: (folder / "log0").read_text().partition("dashboard: ")[2].partition("\n")[0])
        browser = agents.enter_context(Browser())
        browser.open(url)
        browser.wait_for("document.querySelector('#tiles b')?.textContent === '840' && document.querySelector('.section') !== null", 120)
        browser.screenshot(target, height=browser.value("Math.ceil(document.getElementById('events').getBoundingClientRect().bottom) + 10"))
    assert not browser.complaints, browser.complaints
    print(f"{target}: {os.path.getsize(target)} bytes")


if __name__ == "__main__":
    main(sys.argv[1])

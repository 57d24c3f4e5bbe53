#!/usr/bin/env python3
"""What it costs mdl-launch to hear how its workers get on: 8 workers that each report 100 steps a second, on one node.

Prints a JSON line a case: bench, case, ours, theirs, ratio, unit. torchrun hears nothing, so there is none of theirs.
  processor    time on a processor of the launcher's process (/proc/PID/schedstat) by wall time, in percent of one core, once
               all workers send; "silent" is the same with workers that send nothing.
  memory       the launcher's process: largest resident set (VmHWM), and what of it is its own (private pages of smaps_rollup).
  lost         datagrams of all that the kernel's queue had no room for: the workers do not wait.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Sends at even distances, without waiting, and writes down how many were sent and how many had no room.
WORKER = """
import json, os, socket, sys, time
rate, folder = float(sys.argv[1]), sys.argv[2]
to_launcher = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
to_launcher.setblocking(False)
to_launcher.connect(os.environ["MDL_PROGRESS"])
open(f"{folder}/ready{os.environ['RANK']}", "w").close()
step = lost = 0
begin = time.monotonic()
while not os.path.exists(f"{folder}/end"):
    if not rate:
        time.sleep(0.1)
        continue
    step += 1
    fields = dict(step=step, total=100000, loss=2.0 / step, samples=8 * step, own=0.0071 * step, waiting=0.0023 * step)
    try:
        to_launcher.send(json.dumps(fields).encode())
    except BlockingIOError:
        lost += 1
    time.sleep(max(0, begin + step / rate - time.monotonic()))
json.dump([step, lost], open(f"{folder}/count{os.environ['RANK']}", "w"))
"""


def processor_seconds(pid):
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def kib(pid, file, *fields):
    lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(fields))


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            sys.exit("the workers have not started")
        time.sleep(0.05)


def measure(launcher, workers, rate, seconds):
    """The launcher's share of a core in percent, VmHWM and private KiB, messages sent and lost."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "worker.py").write_text(WORKER)
        command = [
            launcher,
            "--standalone",
            "--nproc-per-node",
            workers,
            "--no-python",
            sys.executable,
            "-S",
            folder / "worker.py",
            rate,
            folder,
        ]
        process = subprocess.Popen([str(word) for word in command], stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: len(list(folder.glob("ready*"))) == workers)
            time.sleep(1)
            begin, used = time.monotonic(), processor_seconds(process.pid)
            time.sleep(seconds)
            share = 100 * (processor_seconds(process.pid) - used) / (time.monotonic() - begin)
            peak = kib(process.pid, "status", "VmHWM:")
            private = kib(process.pid, "smaps_rollup", "Private_Clean:", "Private_Dirty:")
            (folder / "end").touch()
            if process.wait() != 0:
                sys.exit(f"{launcher} exited with {process.returncode}")
        finally:
            process.kill()
        counts = [json.loads(path.read_text()) for path in folder.glob("count*")]
    return share, peak, private, sum(sent for sent, _ in counts), sum(lost for _, lost in counts)


def report(case, ours, unit):
    print(json.dumps({"bench": "progress", "case": case, "ours": ours, "theirs": None, "ratio": None, "unit": unit}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin-dir", type=Path, default=Path("build/release/bin"))
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--rate", type=float, default=100, help="steps a second of each worker")
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    launcher = options.bin_dir / "mdl-launch"
    quiet, *_ = measure(launcher, options.workers, 0, min(options.seconds, 10))
    share, peak, private, sent, lost = measure(launcher, options.workers, options.rate, options.seconds)
    queue = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text())
    case = f"{options.workers} workers, {options.rate:g} steps a second each"
    report(f"processor, {case}", round(share, 2), "percent of a core")
    report(f"processor, {options.workers} silent workers", round(quiet, 2), "percent of a core")
    report(f"memory, {case}", round(peak / 1024, 2), "MiB")
    report(f"private memory, {case}", round(private / 1024, 2), "MiB")
    report(f"lost of {sent}, in queues of {queue}", lost, "messages")


if __name__ == "__main__":
    os.environ.pop("PYTHONPATH", None)
    main()

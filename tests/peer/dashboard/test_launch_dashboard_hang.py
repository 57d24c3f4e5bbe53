"""--dashboard of a job that hangs: whom the verdict names, until when, and that nobody is accused where nothing tells ranks apart."""

import contextlib
import json
import os
import re
import signal

import pytest

from browser import CHROMIUM, Browser
from launching import environment, free_port, launch, running, wait_until

# Each rank makes thirty steps; then rank STOPPED is stopped, and the others wait for it.
WORKER = """
import json, os, pathlib, signal, socket, time
to_launcher = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
stage, rank = pathlib.Path(os.environ["STAGE"]), int(os.environ["RANK"])
def steps(first, last):
    for step in range(first, last + 1):
        to_launcher.sendto(json.dumps({"step": step, "total": 100}).encode(), os.environ["MDL_PROGRESS"])
        time.sleep(0.02)
steps(1, 30)
if os.environ["STOPPED"] == str(rank):
    os.kill(os.getpid(), signal.SIGSTOP)
    (stage / "goes_on").touch()
while not (stage / "goes_on").exists():
    time.sleep(0.01)
steps(31, 60)
while not (stage / "end").exists():
    time.sleep(0.01)
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium; scripts/setup.sh --packages has it installed")
PILL = "document.getElementById('how')?.textContent"


@contextlib.contextmanager
def job_with_page(folder, stopped, *options):
    """The launcher of a job of two ranks, its page's address, and the port of its store."""
    (folder / "worker.py").write_text(WORKER)
    port, log = free_port(), folder / "log"
    meeting = ["--nnodes", "1:2", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{port}", "--rdzv-id", "j"]
    meeting += ["--rdzv-conf", "last_call_timeout=1", "--nproc-per-node", "2", "--dashboard", "0"]
    env = environment(STAGE=folder, STOPPED=stopped, MDL_HANG_FLOOR=2)
    with open(log, "w") as errors, running(*meeting, *options, folder / "worker.py", env=env, stderr=errors) as job:
        yield job, wait_until(lambda: re.search(r"dashboard: (http://\S+)\n", log.read_text()))[1], port


def test_a_job_that_hangs_is_shown_with_the_verdict_and_who_is_suspect_until_it_goes_on(tmp_path):
    with job_with_page(tmp_path, 1) as (job, url, port), Browser() as browser:
        browser.open(url)
        browser.wait_for(f"{PILL} === 'hangs'")
        assert browser.value("document.getElementById('hang-verdict').textContent").startswith("rank 1 is stopped (state T)")
        assert browser.value("document.getElementById('hang-since').textContent").startswith("No step since ")
        marks = (
            "[...document.querySelectorAll('.cell')].map((cell) => [...cell.querySelectorAll('.mark')].map((it) => it.textContent).join())"
        )
        assert browser.value(marks) == ["", "suspect"]
        assert "Time left" not in browser.value("document.getElementById('tiles').textContent")
        told = json.loads(launch("status", "--rdzv-endpoint", f"localhost:{port}", "--json").stdout)
        assert (told["state"], told["hang"]["ranks"], told["ranks"][1]["suspect"]) == ("hangs", [1], True)
        os.kill(told["ranks"][1]["pid"], signal.SIGCONT)
        browser.wait_for(f"{PILL} === 'running' && document.getElementById('hang').hidden")
        assert browser.value(marks) == ["", ""]
        (tmp_path / "end").touch()
        assert job.wait(60) == 0 and browser.complaints == []


def test_a_job_that_is_ended_for_a_hang_of_nobody_accuses_no_rank(tmp_path):
    with job_with_page(tmp_path, "none", "--hang-timeout", 3) as (job, url, _), Browser() as browser:
        browser.open(url)
        browser.wait_for(f"{PILL} === 'failed'")
        cause = browser.value("document.getElementById('cause').textContent")
        assert cause.startswith("no rank is accused: hang: no step for ") and "nothing tells the ranks apart" in cause
        assert job.wait(60) == 1
    assert "Root cause: the job hung, and no rank is accused, hang: no step for " in (tmp_path / "log").read_text()

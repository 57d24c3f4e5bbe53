"""--dashboard when a signal ends its launcher: the page says so."""

import contextlib
import re
import signal

import pytest

from browser import CHROMIUM, Browser
from launching import environment, free_port, running, wait_until

WORKER = """
import json, os, socket, time
to_launcher = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for step in range(1, 100000):
    to_launcher.sendto(json.dumps({"step": step, "total": 100000}).encode(), os.environ["MDL_PROGRESS"])
    time.sleep(0.1)
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium; scripts/setup.sh --packages has it installed")
HOW = "document.getElementById('how')?.textContent"


@contextlib.contextmanager
def job_with_page(folder, *options):
    """The launcher, and the address of its page."""
    (folder / "worker.py").write_text(WORKER)
    log = folder / "log"
    with open(log, "w") as errors, running(*options, "--dashboard", "0", folder / "worker.py", env=environment(), stderr=errors) as job:
        yield job, wait_until(lambda: re.search(r"dashboard: (http://\S+)\n", log.read_text()))[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_ends_the_launcher_is_told_to_its_page(tmp_path, number):
    with job_with_page(tmp_path, "--standalone") as (job, url), Browser() as browser:
        browser.open(url)
        browser.wait_for("document.getElementById('tiles')?.textContent.includes('Time left')")
        job.send_signal(number)
        browser.wait_for(f"{HOW} === 'ended by {number.name}'")
        job.wait(60)
        browser.wait_for("!document.getElementById('notice').hidden")
        notice = browser.value("document.getElementById('notice').textContent.trim()")
        assert notice == f"The launcher that showed this was ended by {number.name}. What stands here was known last."
        assert browser.value("document.title").endswith(f" · ended by {number.name}")
        assert "Time left" not in browser.value("document.getElementById('tiles').textContent")


def test_a_signal_while_nodes_are_waited_for_is_told_to_the_page(tmp_path):
    options = ["--nnodes", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{free_port()}", "--rdzv-id", "j"]
    with job_with_page(tmp_path, *options) as (job, url), Browser(language="zh-CN") as browser:
        browser.open(url)
        browser.wait_for(f"{HOW} === '等待节点'")
        job.send_signal(signal.SIGINT)
        browser.wait_for(f"{HOW} === '被 SIGINT 结束'")

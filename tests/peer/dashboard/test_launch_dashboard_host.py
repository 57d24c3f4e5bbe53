"""--dashboard when the host of the job's store is replaced: its page, and the other nodes, say where the job goes on."""

import contextlib
import re
from urllib.parse import urlsplit

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


class Pair:
    """Two agents on this machine, of a job with a page that needs a token."""

    def __init__(self, folder):
        self.folder, self.store, self.page = folder, free_port(), free_port()
        (folder / "worker.py").write_text(WORKER)

    @contextlib.contextmanager
    def agent(self, name, is_host):
        meeting = ["--nnodes", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{self.store}", "--rdzv-id", "j"]
        options = ["--rdzv-conf", f"is_host={is_host}", "--dashboard", f"0.0.0.0:{self.page}", "--max-restarts", "3"]
        log = self.folder / name
        with open(log, "w") as errors, running(*meeting, *options, self.folder / "worker.py", env=environment(), stderr=errors) as agent:
            yield agent, log

    def url(self, log):
        """On this machine, with the token that the log tells."""
        found = wait_until(lambda: re.search(r"dashboard: (http://\S+)\n", log.read_text()))
        return urlsplit(found[1])._replace(netloc=f"127.0.0.1:{self.page}").geturl()


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium; scripts/setup.sh --packages has it installed")
def test_after_the_stores_host_was_replaced_the_old_page_and_the_others_say_where_it_goes_on(tmp_path):
    pair = Pair(tmp_path)
    steps = "[...document.querySelectorAll('.cell .step')].map((step) => Number(step.textContent))"
    notice = "document.getElementById('notice').textContent"
    elsewhere = f"the page of the job is at the agent that hosts its store (localhost:{pair.store})"
    with pair.agent("other", 0) as (_, other), Browser() as browser:
        with pair.agent("first", 1) as (host, log):
            browser.open(pair.url(log))
            browser.wait_for(f"{steps}.length === 2 && {steps}.every((step) => step > 0)")
            assert other.read_text().count(elsewhere) == 1
            host.kill()
            browser.wait_for(f"{notice}.includes('The page is where the store of the job is (localhost:{pair.store}).')")
        with pair.agent("second", 1) as (_, log):
            url = pair.url(log)
            browser.wait_for(f"{notice}.includes('look for \"dashboard:\" in the log at localhost:{pair.store}.')")
            wait_until(lambda: other.read_text().count(elsewhere) == 2)
            browser.open(url)
            browser.wait_for(f"{steps}.length === 2 && {steps}.every((step) => step > 0) && document.getElementById('notice').hidden")

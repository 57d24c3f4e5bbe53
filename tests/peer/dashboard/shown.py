"""A job with a page, for the tests that look at it."""

import contextlib
import http.client
import json
import re
import socket
from urllib.parse import urlsplit

import pytest

from browser import CHROMIUM
from launching import environment, free_port, launch, running, shell, wait_until
from simulated_job import put_job

WORKER = """
import json, os, socket, sys, time
to_launcher = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
rank = int(os.environ["RANK"])
def tell(**fields):
    to_launcher.sendto(json.dumps(fields).encode(), os.environ["MDL_PROGRESS"])
print(f"rank {rank} says <i>hello</i>", file=sys.stderr, flush=True)
for step in range(1, 13):
    values = {"loss": 2 / step, "learning_rate": 1e-4 * (1 - step / 24), "grad_norm": 0.5 + step / 10} if rank == 0 else {}
    tell(step=step, total=24, samples=8 * step, own=(0.25 + 0.25 * (rank == 3)) * step, waiting=0.125 * step, **values)
    if rank == 0 and step in (5, 10):
        tell(eval_loss=3 / step)
    time.sleep(float(os.environ["STEP"]))
if rank == 2:
    tell(section="evaluation <b>")
while not os.path.exists(os.environ["STAGE"] + "/end"):
    time.sleep(0.05)
    tell(samples=96)
sys.exit(int(open(os.environ["STAGE"] + "/end").read() or "0"))
"""

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium; scripts/setup.sh --packages has it installed")


class Shown:
    """A job of one node with a page."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        (folder / "worker.py").write_text(WORKER)

    @contextlib.contextmanager
    def job(self, *options, dashboard="0", step=0.3):
        elastic = ["--nnodes", "1:2", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{self.port}", "--rdzv-id", "j"]
        options = options or [*elastic, "--rdzv-conf", "last_call_timeout=1"]
        quick = ["--nproc-per-node", 4, "--dashboard", dashboard]
        env = environment(STAGE=self.folder, STEP=step)
        with open(self.folder / "log", "w") as log, running(*options, *quick, self.folder / "worker.py", env=env, stderr=log) as job:
            self.url = wait_until(self.told_url)
            yield job

    @contextlib.contextmanager
    def simulated(self, slow, per_node):
        """A job of 125 nodes that is only in a store; our agent waits for its next round, and has the page."""
        from torch.distributed import TCPStore

        store = TCPStore("localhost", self.port, is_master=True, wait_for_workers=False)
        put_job(store, per_node=per_node, ahead=3600, own=lambda rank: 1.5 if rank in slow else 0.5)
        options = ["--nnodes", "125:126", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{self.port}", "--rdzv-id", "j"]
        with (
            open(self.folder / "log", "w") as log,
            running(*options, "--rdzv-conf", "is_host=0", "--dashboard", "0", *shell("true"), stderr=log),
        ):
            self.url = wait_until(self.told_url)
            yield

    def told_url(self):
        found = re.search(r"dashboard: (http://\S+)\n", (self.folder / "log").read_text())
        return found and found[1]

    def end(self, code=0):
        (self.folder / "code").write_text(str(code))
        (self.folder / "code").rename(self.folder / "end")

    def status(self):
        done = launch("status", "--rdzv-endpoint", f"localhost:{self.port}", "--json")
        return json.loads(done.stdout)

    def ask(self, path, method="GET", host=None, **headers):
        """Status, headers and body."""
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=30)
        connection.request(method, path, headers={"Host": host or place.netloc, **headers})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), body.decode()

    def stream(self):
        """A connection over which events have begun to come."""
        place = urlsplit(self.url)
        stream = socket.create_connection(("127.0.0.1", place.port), 30)
        stream.sendall(f"GET /events?{place.query} HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
        return stream

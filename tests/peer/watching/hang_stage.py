"""Jobs that hang, for the tests of --hang-timeout and of what is told of a hang."""

import re
import sys

from launching import environment, wait_until

# Makes steps, and then what the test says. Without torch, so that it costs little.
WORKER = """
import json, os, pathlib, signal, socket, subprocess, sys, time

to_launcher = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

def tell(**fields):
    if "MDL_PROGRESS" in os.environ:
        to_launcher.sendto(json.dumps(fields).encode(), os.environ["MDL_PROGRESS"])

rank = int(os.environ["RANK"])
attempt = int(os.environ["TORCHELASTIC_RESTART_COUNT"])
stage = pathlib.Path(os.environ["STAGE"])

def steps(first, last):
    for step in range(first, last + 1):
        tell(step=step, total=100)
        time.sleep(0.02)

def stay(name):
    while not (stage / name).exists():
        time.sleep(0.01)
"""


class Stage:
    """Jobs whose workers are the script that each test gives."""

    def __init__(self, folder):
        self.folder = folder
        self.env = environment(STAGE=folder, MDL_HANG_FLOOR=2, OMP_NUM_THREADS=1)

    def script(self, text):
        path = self.folder / "worker.py"
        path.write_text(WORKER + text)
        return ["--log-dir", self.folder / "logs", "--no-python", sys.executable, "-S", path]

    def go(self, name="end"):
        (self.folder / name).touch()

    def reports(self):
        return [path.read_text() for path in sorted((self.folder / "logs").glob("*/hang_*.txt"))]

    def report(self, verdict):
        """The one that begins with that verdict, once it is there. (A machine that stands still for seconds may bring others.)"""
        return wait_until(lambda: next((text for text in self.reports() if re.match(f"the job hangs: {verdict}", text)), None), 30)


def c10d(port, nodes, is_host):
    conf = f"is_host={is_host},last_call_timeout=1"
    return ["--nnodes", nodes, "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{port}", "--rdzv-id", "j", "--rdzv-conf", conf]


def end(stage, *launchers):
    stage.go()
    outputs = [launcher.communicate(timeout=60)[1] for launcher in launchers]
    assert [launcher.returncode for launcher in launchers] == [0] * len(launchers), outputs
    return outputs

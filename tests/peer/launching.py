"""What the tests of mdl-launch share: running it and the real torchrun, and looking at processes."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

VENV_BIN = Path(sys.executable).parent
TORCHRUN = VENV_BIN / "torchrun"
MDL_LAUNCH = Path(os.environ.get("MDL_BIN_DIR", Path(__file__).resolve().parents[2] / "build" / "release" / "bin")) / "mdl-launch"


def environment(**extra):
    """This process's variables without those that a launcher sets, with the venv's python first in PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PET_", "TORCHELASTIC_"))}
    kept.pop("OMP_NUM_THREADS", None)
    return {**kept, "PATH": f"{VENV_BIN}:{os.environ['PATH']}", **{name: str(value) for name, value in extra.items()}}


def launch(*arguments, launcher=None, env=None, timeout=120, **options):
    """Runs a launcher to its end; stdout and stderr are separate texts."""
    return subprocess.run([str(launcher or MDL_LAUNCH), *map(str, arguments)], env=env or environment(), capture_output=True,
                          text=True, timeout=timeout, **options)


def wait_until(condition, limit=100):
    """Looks again and again, for things that nothing tells of. Returns the first true value."""
    deadline = time.monotonic() + limit
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.005)
    return value


def alive(pid):
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def pids_in(file, count):
    """The pids that a test's worker has written to a file, one a line, once there are that many."""

    def enough():
        lines = file.read_text().split("\n")[:-1] if file.exists() else []
        return len(lines) >= count and [int(line) for line in lines]

    return wait_until(enough)


@contextlib.contextmanager
def running(*arguments, launcher=None, **options):
    """A launcher that runs while the test does something to it; killed at the end if it is still there."""
    process = subprocess.Popen([str(launcher or MDL_LAUNCH), *map(str, arguments)], env=options.pop("env", None) or environment(),
                               stdout=options.pop("stdout", subprocess.PIPE), stderr=options.pop("stderr", subprocess.PIPE),
                               text=True, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()

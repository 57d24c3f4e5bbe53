"""What the tests of mdl-launch share: running it and the real torchrun, and looking at processes."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import textwrap
import time
import uuid
from pathlib import Path

import preloaded

VENV_BIN = Path(sys.executable).parent
TORCHRUN = VENV_BIN / "torchrun"
MDL_LAUNCH = Path(os.environ.get("MDL_BIN_DIR", Path(__file__).resolve().parents[2] / "build" / "release" / "bin")) / "mdl-launch"


def environment(**extra):
    """This process's variables without those that a launcher sets, with the venv's python first in PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PET_", "TORCHELASTIC_"))}
    kept.pop("OMP_NUM_THREADS", None)
    return {**kept, "PATH": f"{VENV_BIN}:{os.environ['PATH']}", **{name: str(value) for name, value in extra.items()}}


def read_by_imports(env):
    """The variables that modules of torch may read while they are imported."""
    return {name: value for name, value in env.items() if name.startswith(("CUDA_", "LD_", "LOGLEVEL", "PYTHON", "TORCH"))}


def launch(*arguments, launcher=None, env=None, timeout=120, **options):
    """Runs a launcher to its end; stdout and stderr are separate texts. torchrun has imported torch already, if it may."""
    env = env or environment()
    if launcher == TORCHRUN and not options and read_by_imports(env) == read_by_imports(environment()):
        return preloaded.run([launcher, *arguments], preloaded.TORCHRUN, env=env, timeout=timeout)
    return subprocess.run(
        [str(launcher or MDL_LAUNCH), *map(str, arguments)], env=env, capture_output=True, text=True, timeout=timeout, **options
    )


def shell(script, *arguments):
    """A worker that runs a shell script. '$' is doubled because launchers replace macros in arguments."""
    return ["--no-python", "/bin/sh", "-c", textwrap.dedent(script).replace("$", "$$"), "sh", *arguments]


def free_port():
    """A port of this machine at which nobody listens now, and which the kernel gives to nobody who asks it for any port."""
    first_of_the_kernels = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(first_of_the_kernels // 2, first_of_the_kernels)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def is_served(port):
    """Whether somebody listens at this port of this machine."""
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 10):
        return True
    return False


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


def ready_for_signals(launcher):
    """Waits until torchrun only watches its workers: a signal that comes while it starts them makes it forget them. Ours is always ready."""
    if Path(launcher.args[0]) != MDL_LAUNCH:
        nanosleep = "230 "  # x86-64; between two looks at its workers it sleeps, at no other time after it has started them
        wait_until(lambda: Path(f"/proc/{launcher.pid}/syscall").read_text().startswith(nanosleep))


def kill_marked(mark):
    """Kills every process that was started with this variable, whoever its parent is by now."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may end meanwhile, or be another user's
            if mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)


@contextlib.contextmanager
def running(*arguments, launcher=None, **options):
    """A launcher that runs while the test does something to it; it and all that it started are killed if they are still there."""
    mark = f"MDL_TEST_RUN={uuid.uuid4()}"
    env = {**(options.pop("env", None) or environment()), **dict([mark.split("=")])}
    process = subprocess.Popen(
        [str(launcher or MDL_LAUNCH), *map(str, arguments)],
        env=env,
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=options.pop("stderr", subprocess.PIPE),
        text=True,
        **options,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        kill_marked(mark)
        process.communicate()

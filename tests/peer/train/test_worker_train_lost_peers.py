"""A rank that hangs or is killed: the others end in seconds, say so, and keep the steps that were made."""

import contextlib
import ctypes
import os
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from launching import alive, environment, running, wait_until
from test_worker_train_stops import ENDLESS, kept_step
from training_runs import train_command


def process_of(rank, launcher):
    """The pid of a rank of mdl-launch's job."""
    environments = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may end meanwhile, or be another user's
            environments[int(entry.name)] = (entry / "environ").read_bytes().split(b"\0")
    (mark,) = [entry for entry in environments[launcher.pid] if entry.startswith(b"MDL_TEST_RUN=")]
    for pid, told in environments.items():
        if pid != launcher.pid and mark in told and f"RANK={rank}".encode() in told:
            return pid
    raise AssertionError(f"rank {rank} is not there")


PTRACE_SEIZE, PTRACE_INTERRUPT, WAIT_FOR_THREADS = 0x4206, 0x4207, 0x40000000


@contextlib.contextmanager
def held(pid):
    """Keeps a process from doing anything, as one that hangs does: no signal but SIGKILL reaches it, also not SIGCONT. It has to be killed."""
    trace = ctypes.CDLL(None, use_errno=True).ptrace
    trace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    threads = [int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir()]
    for thread in threads:
        for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
            assert trace(request, thread, None, None) == 0, os.strerror(ctypes.get_errno())
        os.waitpid(thread, WAIT_FOR_THREADS)
    yield
    for thread in sorted(threads, key=lambda thread: thread == pid):  # then its parent hears of its end
        with contextlib.suppress(ChildProcessError):
            os.waitpid(thread, WAIT_FOR_THREADS)


def text_until(process, pattern, seconds=120):
    """What the process has written up to something. Not through its buffer, so that the rest is still there."""
    text, deadline = "", time.monotonic() + seconds
    while not re.search(pattern, text):
        ready = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))[0]
        part = os.read(process.stdout.fileno(), 65536).decode() if ready else ""
        assert part, f"{pattern} did not come:\n{text[-3000:]}"
        text += part
    return text


@pytest.fixture
def job(toolkit, data, tmp_path):
    """Two ranks that have made some steps, and would go on for long."""
    command = ["--standalone", "--nproc-per-node", "2", "--no-python", *train_command(toolkit, data, tmp_path, *ENDLESS)]
    with running(*command, env=environment(OMP_NUM_THREADS=1), stderr=subprocess.STDOUT) as launcher:
        text_until(launcher, r"'epoch': '0\.1\d*'")
        yield launcher


def test_a_rank_that_hangs_does_not_keep_the_others_from_ending_with_a_checkpoint(job, tmp_path):
    first, second = process_of(0, job), process_of(1, job)
    with held(second):
        job.send_signal(signal.SIGTERM)
        told = text_until(job, r"stop signal")
        assert re.search(r"rank 0: step \d+ has not come to its end within 8 s of the stop signal", told)
        wait_until(lambda: not alive(first))
        assert alive(second) and job.poll() is None, "rank 0 ended of itself, before the launcher lost its patience"
        assert kept_step(tmp_path) >= 2
        os.kill(second, signal.SIGKILL)
    assert job.wait(timeout=20) != 0


def test_a_rank_that_is_killed_ends_the_others_with_a_checkpoint_and_an_error_that_says_so(job, tmp_path):
    os.kill(process_of(1, job), signal.SIGKILL)
    told = job.communicate(timeout=20)[0]
    assert job.returncode != 0
    assert re.search(r"rank 0: step \d+: another rank is gone or does not answer: .*Connection (closed|reset) by peer", told), told[-3000:]
    assert kept_step(tmp_path) >= 2

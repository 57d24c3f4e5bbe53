"""torchrun's watchdogs: timers that workers set themselves (torch.distributed.elastic.timer), and workers that hang in the kernel."""

import json
import os
import stat
import subprocess
import sys
import textwrap
import time

import pytest

from launching import MDL_LAUNCH, TORCHRUN, alive, environment, launch, pids_in, running, wait_until

# The first try of rank 0 takes longer than it says.
TIMERS = """
import os, stat, sys, time
from torch.distributed.elastic import timer

path = os.environ["TORCHELASTIC_TIMER_FILE"]
timer.configure(timer.FileTimerClient(path))
with timer.expires(after=1000):
    pass
with timer.expires(after=0.2, scope="released in time"):
    pass
time.sleep(0.3)
if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
    with timer.expires(after=0.2, scope="too long"):
        time.sleep(1000)
with timer.expires(after=float("inf")):
    print(path, oct(stat.S_IMODE(os.stat(path).st_mode)), os.path.dirname(os.environ["TORCHELASTIC_ERROR_FILE"]))
"""


@pytest.fixture
def timers(tmp_path):
    script = tmp_path / "timers.py"
    script.write_text(TIMERS)
    return script


def test_an_expired_timer_of_torchs_client_kills_the_worker_and_the_group_starts_again(tmp_path, timers):
    done = launch("--standalone", "--max-restarts", "1", timers, env=environment(TORCHELASTIC_ENABLE_FILE_TIMER=1, TMPDIR=tmp_path))
    assert done.returncode == 0, done.stderr
    path, mode, folder = done.stdout.split()
    assert mode == "0o600"
    assert folder.startswith(os.path.dirname(path) + "/attempt_1/")  # in the run's folder
    assert "has expired (too long): sending it SIGKILL" in done.stderr
    assert "failed with signal SIGKILL. Restarting all workers: restart 1 of 1" in done.stderr
    assert "released in time" not in done.stderr
    assert list(tmp_path.iterdir()) == [timers]


def test_torchruns_own_agent_dies_with_its_worker(tmp_path, timers):
    done = launch(
        "--standalone", "--max-restarts", "1", timers, launcher=TORCHRUN, env=environment(TORCHELASTIC_ENABLE_FILE_TIMER=1, TMPDIR=tmp_path)
    )
    assert (done.returncode, done.stdout) == (-9, "")


def request(pid, scope, expiration_time, signal):
    return json.dumps({"version": 1, "pid": pid, "scope_id": scope, "expiration_time": expiration_time, "signal": signal}) + "\n"


def test_only_processes_below_the_guardian_are_killed_and_what_is_no_timer_is_passed_over(tmp_path):
    fifo = tmp_path / "timers"
    fifo.touch()  # as mktemp does
    stranger = subprocess.Popen(["sleep", "1000"])
    script = 'sleep 1000 & echo $$! >> "$1"; setsid sleep 1000 >/dev/null 2>&1 & echo $$! >> "$1"; echo $$$$ >> "$1"; trap "echo got it; exit 0" USR1; while :; do sleep 0.02; done'
    env = environment(TORCHELASTIC_ENABLE_FILE_TIMER=1, TORCHELASTIC_TIMER_FILE=fifo)
    try:
        with running("--standalone", "--no-python", "/bin/sh", "-c", script, "sh", tmp_path / "pids", env=env) as launcher:
            child, daemon, worker = pids_in(tmp_path / "pids", 3)
            assert stat.S_ISFIFO(fifo.stat().st_mode) and stat.S_IMODE(fifo.stat().st_mode) == 0o600
            now = time.time()
            with open(fifo, "w") as writer:
                writer.write("x" * 5000 + "\n{}\n[1]\nnull\n\n\x00\n")
                for pid in (stranger.pid, os.getpid(), launcher.pid, 1, -1, 0, 2**40, worker + 0.5):
                    writer.write(request(pid, "s", now - 1, 9))
                writer.write(request(daemon, "no signal", now - 1, 0))
                writer.write(request(worker, "not yet", now + 1000, 9))
                writer.write(request(child, "s", now - 1, 15))
            wait_until(lambda: not alive(child))
            with open(fifo, "w") as writer:
                writer.write(request(worker, "s", now - 1, 10))
            output, errors = launcher.communicate(timeout=20)
            assert (launcher.returncode, output) == (0, "got it\n"), errors
            assert alive(stranger.pid) and alive(daemon)
            assert errors.count("ignoring, from ") == 2  # once for each kind
            assert f"a timer of process {stranger.pid}, which is none of this launcher's" in errors
            assert "it names no signal" in errors
            assert not fifo.exists()
    finally:
        stranger.kill()
        stranger.wait()


def test_the_report_says_that_a_timer_has_expired():
    line = request("$$$$", "step", 0, 9).strip().replace('"', r"\"").replace(r"\"$$$$\"", "$$$$")
    done = launch(
        "--standalone",
        "--no-python",
        "/bin/sh",
        "-c",
        f'echo "{line}" > "$$TORCHELASTIC_TIMER_FILE"; sleep 1000',
        env=environment(TORCHELASTIC_ENABLE_FILE_TIMER=1),
    )
    assert done.returncode == 1
    assert "signal SIGKILL" in done.stderr
    assert "\n  a timer of its own has expired: step\n" in done.stderr


def test_a_fifo_that_cannot_be_is_one_error(tmp_path):
    notes = tmp_path / "notes"
    notes.write_text("mine")
    for path, words in ((notes, "is there already"), (tmp_path / "no" / "folder", "No such file or directory")):
        done = launch(
            "--standalone", "--no-python", "/bin/true", env=environment(TORCHELASTIC_ENABLE_FILE_TIMER=1, TORCHELASTIC_TIMER_FILE=path)
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert words in done.stderr and str(path) in done.stderr
    assert notes.read_text() == "mine"


def test_two_launchers_do_not_share_a_fifo_and_what_a_killed_one_has_left_is_taken_over(tmp_path):
    fifo = tmp_path / "timers"
    env = environment(TORCHELASTIC_ENABLE_FILE_TIMER=1, TORCHELASTIC_TIMER_FILE=fifo)
    with running("--standalone", "--no-python", "/bin/sleep", "1000", env=env) as launcher:
        wait_until(fifo.exists)
        # A launcher that is a worker has the variable from the outer one: its own workers get another FIFO.
        second = launch(
            "--standalone",
            "--no-python",
            "/bin/sh",
            "-c",
            'test -p "$$TORCHELASTIC_TIMER_FILE" && echo "$$TORCHELASTIC_TIMER_FILE"',
            env=env,
        )
        assert second.returncode == 0, second.stderr
        assert f"another process serves the timers at TORCHELASTIC_TIMER_FILE={fifo}" in second.stderr
        assert second.stdout.strip() not in ("", str(fifo))
        launcher.kill()
        launcher.wait()
    assert fifo.exists()
    assert launch("--standalone", "--no-python", "/bin/true", env=env).returncode == 0


@pytest.mark.parametrize("places", [("",), ("no/such/folder", "")], ids=["first", "first that takes one"])
def test_without_a_folder_of_the_run_the_fifo_is_a_temporary_file(tmp_path, places):
    script = 'test -p "$TORCHELASTIC_TIMER_FILE" && dirname "$TORCHELASTIC_TIMER_FILE"'
    done = launch(
        "--standalone",
        "--log-dir",
        "/dev/null",
        "--no-python",
        "/bin/sh",
        "-c",
        script.replace("$", "$$"),
        env=environment(
            TORCHELASTIC_ENABLE_FILE_TIMER=1, **dict(zip(("TMPDIR", "TEMP"), (tmp_path / place for place in places), strict=False))
        ),
    )
    assert done.stdout == f"{tmp_path}\n", done.stderr
    assert list(tmp_path.iterdir()) == []


# A process whose child of a vfork() does not go on is in uninterruptible sleep (though SIGKILL, and what ends it, gets through).
STUCK = """
import ctypes, os, sys
open(sys.argv[1], "a").write(os.environ["TORCHELASTIC_RESTART_COUNT"] + "\\n")
libc = ctypes.CDLL(None)
libc.vfork() or libc.pause()
"""


@pytest.mark.parametrize("program, code", [(MDL_LAUNCH, 1), (TORCHRUN, 0)], ids=["mdl-launch", "torchrun"])
def test_a_worker_that_hangs_in_the_kernel_ends_the_job_without_a_restart(tmp_path, program, code):
    tries = tmp_path / "tries"
    done = launch(
        "--standalone",
        "--max-restarts",
        "3",
        "--no-python",
        sys.executable,
        "-c",
        textwrap.dedent(STUCK),
        tries,
        launcher=program,
        env=environment(TORCHELASTIC_UNINTERRUPTIBLE_STATE_TIMEOUT="0.3"),
    )
    assert tries.read_text() == "0\n"
    assert done.returncode == code, done.stderr
    assert "uninterruptible sleep" in done.stderr
    if program == MDL_LAUNCH:
        assert "Root cause: rank 0" in done.stderr and "hung in the kernel (uninterruptible sleep) for 0." in done.stderr

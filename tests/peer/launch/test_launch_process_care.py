"""Ends of all kinds: killed launchers, signals, failing workers, exit codes."""

import fcntl
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time

import pytest

from launching import MDL_LAUNCH, TORCHRUN, alive, environment, launch, pids_in, ready_for_signals, running, shell, wait_until

# A worker with a child, a daemon in a session of its own whose parent has gone, and a child that ignores signals.
FAMILY = """
sleep 1000 & echo $! >> "$1"
setsid sh -c 'sleep 1000 & echo $! >> "$1"' sh "$1"
sh -c 'trap "" TERM INT HUP QUIT; echo $$ >> "$1"; sleep 1000; sleep 1000' sh "$1" &
echo $$ >> "$1"
wait
"""


def test_kill_9_of_the_launcher_leaves_nothing_within_a_second(tmp_path):
    pids = tmp_path / "pids"
    with running("--standalone", "--nproc-per-node", "2", *shell(FAMILY, pids)) as launcher:
        family = pids_in(pids, 8)
        assert all(map(alive, family))
        launcher.kill()
        launcher.wait()
        killed_at = time.monotonic()
        wait_until(lambda: not any(map(alive, family)))
        assert time.monotonic() - killed_at < 1


def test_restarts_leave_no_ended_processes_behind():
    # The guardians of the attempts before may still be ending; then there is only the one of this attempt.
    children = "ps -o stat= --ppid $(ps -o ppid= -p $PPID)"
    done = launch(
        "--standalone",
        "--max-restarts",
        "20",
        *shell(f'[ "$TORCHELASTIC_RESTART_COUNT" -lt 20 ] && exit 1; until [ $({children} | wc -l) = 1 ]; do sleep 0.02; done; {children}'),
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"S\S*", done.stdout.strip()), done.stdout


def test_kill_9_of_the_launchers_process_group_leaves_nothing(tmp_path):
    pids = tmp_path / "pids"
    with running("--standalone", *shell(FAMILY, pids), start_new_session=True) as launcher:
        family = pids_in(pids, 4)
        os.killpg(launcher.pid, signal.SIGKILL)
        wait_until(lambda: not any(map(alive, family)))


def test_kill_9_of_the_guardian_ends_the_job_and_all_processes(tmp_path):
    pids = tmp_path / "pids"
    with running("--standalone", *shell(FAMILY, pids)) as launcher:
        family = pids_in(pids, 4)
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(launcher.pid)], capture_output=True, text=True).stdout.split()
        assert len(children) == 1
        os.kill(int(children[0]), signal.SIGKILL)
        _, errors = launcher.communicate(timeout=30)
        assert launcher.returncode == 1
        assert "guardian process of the workers has died" in errors
        assert not any(map(alive, family))


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"])
def test_a_signal_goes_to_the_workers_and_the_exit_code_is_torchruns(tmp_path, name):
    script = f"""
        trap 'echo got {name} by worker $RANK; exit 0' {name[3:]}
        echo $$ >> "$1"
        while :; do sleep 0.01; done
    """
    pids = tmp_path / "pids"
    codes = {}
    command = ["--standalone", "--nproc-per-node", "2", *shell(script, pids)]

    def not_ignored():  # as it is where the tests run under nohup
        signal.signal(getattr(signal, name), signal.SIG_DFL)

    for launcher_program in (MDL_LAUNCH, TORCHRUN):
        pids.unlink(missing_ok=True)
        with running(*command, launcher=launcher_program, preexec_fn=not_ignored) as launcher:
            workers = pids_in(pids, 2)
            ready_for_signals(launcher)
            launcher.send_signal(getattr(signal, name))
            output, _ = launcher.communicate(timeout=30)
            assert sorted(output.splitlines()) == [f"got {name} by worker {rank}" for rank in (0, 1)]
            codes[launcher_program] = launcher.returncode
            assert not any(map(alive, workers))
    assert codes[MDL_LAUNCH] == codes[TORCHRUN] == 1


def test_a_second_signal_kills_workers_that_ignore_the_first(tmp_path):
    pids = tmp_path / "pids"
    with running("--standalone", *shell(FAMILY, pids)) as launcher:
        family = pids_in(pids, 4)
        os.kill(family[-1], signal.SIGSTOP)  # a stopped worker cannot obey
        launcher.send_signal(signal.SIGTERM)
        assert "received SIGTERM" in launcher.stderr.readline()
        started = time.monotonic()
        launcher.send_signal(signal.SIGTERM)
        assert launcher.wait(timeout=20) == 1
        assert time.monotonic() - started < 15  # the grace would be 30
        assert not any(map(alive, family))


def test_a_signal_that_comes_while_the_launcher_ends_changes_nothing(tmp_path):
    """A terminal that closes sends SIGHUP twice, and so does `timeout -s HUP`. The second one comes at another moment each time."""

    def not_ignored():
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    (tmp_path / "runs").mkdir()
    env = environment(TMPDIR=tmp_path / "runs")
    codes = []
    for delay in range(12):
        pids = tmp_path / f"pids{delay}"
        with running("--standalone", *shell('echo $$ > "$1"; exec sleep 100', pids), env=env, preexec_fn=not_ignored) as launcher:
            pids_in(pids, 1)
            ready_for_signals(launcher)
            launcher.send_signal(signal.SIGHUP)
            end = time.perf_counter() + delay * 0.0008
            while time.perf_counter() < end:
                pass
            launcher.send_signal(signal.SIGHUP)
            codes.append(launcher.wait(timeout=20))
    assert codes == [1] * 12 and not list((tmp_path / "runs").iterdir())


def test_after_a_signal_a_reader_that_does_not_read_is_not_waited_for_for_long(tmp_path):
    with running("--standalone", *shell('echo $$ > "$1"; exec yes', tmp_path / "pid")) as launcher:
        (worker,) = pids_in(tmp_path / "pid", 1)
        full = fcntl.fcntl(launcher.stdout, fcntl.F_GETPIPE_SZ)
        waiting = bytearray(4)
        wait_until(lambda: fcntl.ioctl(launcher.stdout, termios.FIONREAD, waiting) == 0 and int.from_bytes(waiting, sys.byteorder) == full)
        launcher.send_signal(signal.SIGTERM)
        assert launcher.wait(timeout=60) == 1
        assert not alive(worker)
        assert re.fullmatch(r"\[mdl-launch\] I\d{4} \S+ ended by SIGTERM", launcher.stderr.read().splitlines()[-1])


def test_nohup_keeps_the_job_alive_when_the_terminal_goes(tmp_path):
    pids = tmp_path / "pids"
    command = ["--standalone", *shell('echo $$ > "$1"; read line; echo "read $line"', pids)]
    with running(*command, stdin=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as launcher:
        (worker,) = pids_in(pids, 1)
        launcher.send_signal(signal.SIGHUP)
        os.kill(worker, signal.SIGHUP)
        output, _ = launcher.communicate("a line\n", timeout=20)
        assert (launcher.returncode, output) == (0, "read a line\n")


def test_a_failing_worker_is_reported_with_its_last_words(tmp_path):
    done = launch(
        "--standalone",
        "--nproc-per-node",
        "3",
        *shell("""
        if [ $RANK = 1 ]; then echo first words >&2; echo 'CUDA error: device-side assert' >&2; exit 5; fi
        sleep 1000
    """),
    )
    assert done.returncode == 1
    report = done.stderr[done.stderr.index("=====") :]
    assert re.search(r"Root cause: rank 1 \(local rank 1, pid \d+\) on \S+, exit code 5", report)
    assert "| CUDA error: device-side assert" in report
    assert report.count("SIGTERM (stopped by the launcher)") == 2
    assert len(report.splitlines()) < 25


def test_a_crash_is_reported_by_the_signals_name():
    done = launch("--standalone", *shell("kill -SEGV $$"))
    assert done.returncode == 1
    assert "signal SIGSEGV" in done.stderr


def test_restarts_are_counted_and_used_up(tmp_path):
    tries = tmp_path / "tries"
    done = launch("--standalone", "--max-restarts", "2", *shell('echo $TORCHELASTIC_RESTART_COUNT >> "$1"; exit 3', tries))
    assert done.returncode == 1
    assert tries.read_text() == "0\n1\n2\n"
    assert "after 2 of 2 restarts" in done.stderr


def test_a_restart_leaves_nothing_of_the_first_attempt(tmp_path):
    pids = tmp_path / "pids"
    done = launch(
        "--standalone",
        "--max-restarts",
        "1",
        *shell(
            """
        [ $TORCHELASTIC_RESTART_COUNT = 1 ] && exit 0
        setsid sleep 1000 & echo $! > "$1"
        exit 1
    """,
            pids,
        ),
    )
    assert done.returncode == 0, done.stderr
    assert not alive(int(pids.read_text()))


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (["--no-python", "/no/such/program"], 127, "/no/such/program"),
        (["--no-python", "no-such-program"], 127, "no-such-program"),
        (["--no-python", "/etc/passwd"], 126, "/etc/passwd"),
        (["--no-python", "/"], 126, "/"),
        (["no_such_script.py"], 127, "no_such_script.py"),
        (["--standlone", "x"], 2, "--standalone?"),
        (["--nproc-per-node", "many", "x"], 127, "x"),
        (["--nproc-per-node", "many", "--no-python", "true"], 2, "many"),
        ([], 2, "no program"),
    ],
)
def test_what_cannot_run_is_one_clear_message(arguments, code, words):
    done = launch("--standalone", *arguments)
    assert done.returncode == code
    assert done.stderr.startswith("mdl-launch: error: ")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert done.stdout == ""


def test_a_script_whose_interpreter_is_missing_is_reported_as_such(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    done = launch("--standalone", "--nproc-per-node", "2", "--max-restarts", "3", "--no-python", program)
    assert done.returncode == 127
    assert "names the interpreter /no/such/interpreter, which is not there" in done.stderr
    assert "restart 1" not in done.stderr


def test_a_port_in_use_is_named(tmp_path):
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        done = launch("--master-port", port, "--no-python", "/bin/true")
    assert done.returncode == 1
    assert port in done.stderr
    assert len(done.stderr.splitlines()) <= 3


def test_the_launcher_takes_all_descriptors_it_may_have_and_its_workers_get_the_users_limit():
    # As a login shell has it.
    limited = ["sh", "-c", 'ulimit -Sn 1024; exec "$@"', "sh", MDL_LAUNCH, "--standalone"]
    done = subprocess.run([*limited, *shell("ulimit -Sn; grep files /proc/$PPID/limits")], capture_output=True, text=True, timeout=60)
    workers, limits = done.stdout.splitlines()
    _, _, _, soft, hard, _ = limits.split()
    assert (workers, soft) == ("1024", hard), done.stdout


def test_nothing_is_left_in_the_temporary_folder(tmp_path):
    assert launch("--standalone", "--no-python", "/bin/true", env=environment(TMPDIR=tmp_path)).returncode == 0
    assert launch("--standalone", "--no-python", "/bin/false", env=environment(TMPDIR=tmp_path)).returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_output_passes_through_untouched_and_lines_stay_whole():
    script = "import os, sys; sys.stdout.buffer.write(b'\\x00\\xff raw\\n'); print('error', file=sys.stderr)"
    done = subprocess.run([MDL_LAUNCH, "--standalone", "--no-python", sys.executable, "-c", script], env=environment(), capture_output=True)
    assert (done.stdout, done.stderr) == (b"\x00\xff raw\n", b"error\n")

    done = launch("--standalone", "--nproc-per-node", "8", *shell("for i in $(seq 200); do printf 'rank %s ' $RANK; echo line $i; done"))
    lines = done.stdout.splitlines()
    assert len(lines) == 1600
    for rank in range(8):
        assert [line for line in lines if line.startswith(f"rank {rank} ")] == [f"rank {rank} line {i}" for i in range(1, 201)]


def test_workers_see_a_terminal_where_the_launcher_has_one():
    primary, terminal = pty.openpty()
    script = "import os, sys; print(os.isatty(0), os.isatty(1), os.isatty(2), os.get_terminal_size().columns, flush=True)"
    with running(
        "--standalone",
        "--no-python",
        sys.executable,
        "-c",
        script,
        stdout=terminal,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=environment(),
    ) as launcher:
        launcher.wait(timeout=20)
    os.close(terminal)
    assert os.read(primary, 1000).decode().split() == ["False", "True", "False", "0"]
    os.close(primary)


def test_the_binary_needs_nothing_but_libc():
    if "libasan" in (needed := subprocess.run(["ldd", MDL_LAUNCH], capture_output=True, text=True).stdout) or "libtsan" in needed:
        pytest.skip("built with a sanitizer")
    libraries = {line.split()[0].rpartition("/")[2].split(".so")[0] for line in needed.splitlines()}
    assert libraries <= {"linux-vdso", "libc", "libm", "ld-linux-x86-64", "ld-linux-aarch64", "libdl", "libpthread", "librt"}

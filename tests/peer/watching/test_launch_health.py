"""--health-command: a check of the node before each join, with real agents."""

import contextlib
import signal
import time

import pytest

from launching import MDL_LAUNCH, TORCHRUN, alive, environment, free_port, launch, pids_in, running, shell, wait_until

TRUE = ["--no-python", "/bin/true"]


def script(folder, text):
    """An executable script in the folder, whose first argument is the folder."""
    file = folder / "check"
    file.write_text(f"#!/bin/sh\n{text}")
    file.chmod(0o755)
    return f"{file} {folder}"


def lines_of(file):
    return file.read_text().splitlines() if file.exists() else []


def test_a_node_that_is_well_joins_and_the_check_is_not_shown(tmp_path):
    check = script(tmp_path, 'echo "all well"; echo "warming up" >&2; echo "$MY_NODE" > "$1/seen"; read -r line; echo "$?" >> "$1/seen"')
    done = launch("--standalone", f"--health-command={check}", *shell('echo "worker"'), env=environment(MY_NODE="n7"), input="typed\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "worker\n"
    assert "all well" not in done.stderr and "warming up" not in done.stderr
    assert lines_of(tmp_path / "seen") == ["n7", "1"], "it has the launcher's variables, and reads nothing that was typed"


@pytest.mark.parametrize(
    "end, told",
    [
        ("echo 'checking 8 GPUs'; echo 'GPU 2: row remap pending' >&2; exit 3", "ended with exit code 3: GPU 2: row remap pending"),
        ("echo 'disk full'; exit 1", "ended with exit code 1: disk full"),
        ("kill -11 $$", "was ended by SIGSEGV, and said nothing"),
        ("printf '\\033[31mred\\r\\n' >&2; exit 2", "ended with exit code 2: red"),
    ],
)
def test_a_node_that_is_not_keeps_out_with_one_clear_error(tmp_path, end, told):
    check = script(tmp_path, end)
    done = launch("--standalone", "--rdzv-id", "j", "--health-command", check, *shell(f"echo ran > {tmp_path}/ran"))
    assert done.returncode == 1
    assert "mdl-launch: error: the health command on " in done.stderr and f", {check}, {told}" in done.stderr, done.stderr
    assert "stays out of the job" in done.stderr and "start mdl-launch on this node again" in done.stderr
    assert "\x1b" not in done.stderr and not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "command, code, told",
    [
        ("no-such-check", 127, "no-such-check: no such program in PATH"),
        ("check | grep x", 2, "sh -c 'COMMAND'"),
        ("/etc/passwd", 126, "/etc/passwd"),
    ],
)
def test_a_command_that_cannot_be_run_is_told_before_anything_is_started(command, code, told):
    done = launch("--standalone", "--health-command", command, *TRUE)
    assert done.returncode == code
    assert told in done.stderr and "health-command" in done.stderr


def test_it_runs_again_before_each_round_and_not_while_one_goes_on(tmp_path):
    check = script(tmp_path, 'echo "check" >> "$1/order"')
    worker = shell(f'echo "worker" >> {tmp_path}/order; [ "$TORCHELASTIC_RESTART_COUNT" = 2 ]')
    done = launch("--standalone", "--max-restarts", 2, "--health-command", check, *worker)
    assert done.returncode == 0, done.stderr
    assert lines_of(tmp_path / "order") == ["check", "worker"] * 3


def test_a_signal_ends_a_check_that_hangs_at_once_with_its_children(tmp_path):
    check = script(tmp_path, 'sh -c \'trap "" TERM INT; echo $$ >> "$0/pids"; sleep 1000; sleep 1000\' "$1" & echo $$ >> "$1/pids"; wait')
    with running("--standalone", "--health-command", check, *TRUE) as launcher:
        pids = pids_in(tmp_path / "pids", 2)
        launcher.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert launcher.wait(20) == 1
        assert time.monotonic() - began < 15, "it did not wait for the limit"
        wait_until(lambda: not any(map(alive, pids)))
        assert "received SIGINT while the health command ran" in launcher.stderr.read()


def test_a_killed_launcher_takes_its_check_along(tmp_path):
    check = script(tmp_path, 'echo $$ >> "$1/pids"; exec sleep 1000')
    with running("--standalone", "--health-command", check, *TRUE) as launcher:
        pids = pids_in(tmp_path / "pids", 1)
        launcher.kill()
        wait_until(lambda: not any(map(alive, pids)))


# A worker that says how many nodes there are, fails once if it is told to, and ends when it is told to.
WORKER = """
echo "$GROUP_WORLD_SIZE" >> "$1/$2.sizes"
until [ -e "$1/end" ]; do
  if [ -e "$1/$2.fails" ]; then rm "$1/$2.fails"; exit 9; fi
  sleep 0.02
done
"""


@pytest.mark.parametrize("other", [MDL_LAUNCH, TORCHRUN], ids=["ours", "torchrun"])
def test_a_node_that_falls_sick_is_held_out_of_the_next_round_and_the_other_goes_on(tmp_path, other):
    port = free_port()
    check = script(tmp_path, '[ -e "$1/sick" ] && { echo "GPU 1 has fallen off the bus" >&2; exit 5; }; exit 0')

    def agent(launcher, name, is_host, *options):
        conf = f"is_host={is_host},last_call_timeout=1,join_timeout=60"
        return running(
            *["--nnodes", "1:2", "--max-restarts", 3, "--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}", "--rdzv-id", "j"],
            *["--local-addr", "127.0.0.1", "--rdzv-conf", conf, *options, *shell(WORKER, tmp_path, name)],
            launcher=launcher,
        )

    with contextlib.ExitStack() as agents:
        well = agents.enter_context(agent(other, "well", 1))
        sick = agents.enter_context(agent(MDL_LAUNCH, "sick", 0, "--health-command", check))
        wait_until(lambda: lines_of(tmp_path / "sick.sizes")[-1:] == ["2"] and lines_of(tmp_path / "well.sizes")[-1:] == ["2"])
        (tmp_path / "sick").touch()
        (tmp_path / "sick.fails").touch()
        assert sick.wait(60) == 1
        told = sick.stderr.read()
        assert "ended with exit code 5: GPU 1 has fallen off the bus" in told, told
        if other == TORCHRUN:  # whose agents go on with what they have until a worker fails for want of its peers
            (tmp_path / "well.fails").touch()
        wait_until(lambda: lines_of(tmp_path / "well.sizes")[-1:] == ["1"])
        (tmp_path / "end").touch()
        assert well.wait(60) == 0

"""What ends a run of ours from outside, and what does not: a terminal that closes, a reader of the output that goes away."""

import fcntl
import json
import os
import re
import select
import signal
import subprocess
import termios
import time

import pytest

from training_runs import train_command

ENDLESS = ["--batch-size", "1", "--num-epochs", "1000", "--eval-steps", "100000", "--save-steps", "100000"]


def hangup(how):
    """For preexec_fn: as it is in a terminal (SIG_DFL), or under nohup (SIG_IGN)."""
    return lambda: signal.signal(signal.SIGHUP, how)


def kept_step(output):
    """The step of the one checkpoint there, which is whole."""
    (folder,) = output.glob("checkpoint-*")
    state = json.loads((folder / "trainer_state.json").read_text())
    assert folder.name == f"checkpoint-{state['global_step']}" and state["log_history"][-1]["step"] == state["global_step"]
    return state["global_step"]


def read_until(descriptor, pattern):
    text, deadline = "", time.monotonic() + 120
    while not re.search(pattern, text):
        ready = select.select([descriptor], [], [], deadline - time.monotonic())[0] if time.monotonic() < deadline else []
        assert ready, f"{pattern} did not come:\n{text[-2000:]}"
        text += os.read(descriptor, 65536).decode()
    return text


def gone():
    """The writing end of a pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.fixture
def endings():
    """Processes that a test which fails leaves behind."""
    processes = []
    yield processes
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_a_terminal_that_closes_ends_the_run_with_a_checkpoint_of_the_last_step(toolkit, data, tmp_path, endings):
    """The kernel and the shell send SIGHUP then, one behind the other. Before, bars show how far loading and training are."""
    ours, theirs = os.openpty()

    def in_the_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        hangup(signal.SIG_DFL)()

    process = subprocess.Popen(
        [str(part) for part in train_command(toolkit, data, tmp_path, *ENDLESS)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=in_the_terminal,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    os.close(theirs)
    endings.append(process)
    shown = read_until(ours, r"Training ([7-9]|\d\d+)/35000 steps")
    assert re.search(r"Loading (\d+\.\d)/\1 MB \[#{20}\]", shown)
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=60) == -signal.SIGHUP
    assert kept_step(tmp_path) >= 7


def test_ctrl_c_tells_how_to_go_on(toolkit, data, tmp_path, endings):
    command = [str(part) for part in train_command(toolkit, data, tmp_path, *ENDLESS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    endings.append(process)
    read_until(process.stdout.fileno(), "'loss'")
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[0].decode()
    assert process.returncode == -signal.SIGINT
    step = kept_step(tmp_path)
    assert f"stopped by SIGINT after step {step} of " in told
    assert f"checkpoint-{step} holds it: --resume-from-checkpoint true goes on from there" in told


def test_a_hangup_of_the_launcher_whose_reader_has_gone_leaves_a_checkpoint_of_the_last_step(toolkit, bin_dir, data, tmp_path, endings):
    command = [
        bin_dir / "mdl-launch",
        "--standalone",
        "--nproc-per-node",
        "2",
        "--no-python",
        *train_command(toolkit, data, tmp_path, *ENDLESS),
    ]
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=hangup(signal.SIG_DFL)
    )
    endings.append(process)
    read_until(process.stdout.fileno(), r"'epoch': '0\.1\d*'")
    process.stdout.close()
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=60) == 1
    assert kept_step(tmp_path) >= 2


def test_a_reader_that_goes_away_and_nohup_s_hangup_end_nothing(toolkit, data, tmp_path):
    process = subprocess.Popen(
        [str(part) for part in train_command(toolkit, data, tmp_path, "--batch-size", "2")],
        stdout=subprocess.PIPE,
        stderr=gone(),
        preexec_fn=hangup(signal.SIG_IGN),
    )
    read_until(process.stdout.fileno(), "'loss'")
    process.stdout.close()
    process.send_signal(signal.SIGPIPE)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=120) == 0
    assert kept_step(tmp_path) == 18 and (tmp_path / "final" / "adapter_model.safetensors").exists()


@pytest.mark.parametrize("command", ["convert-dataset", "inference"])
def test_the_other_commands_go_on_without_a_reader_too(toolkit, data, tmp_path, command):
    options = ["--max-new-tokens", "1"] if command == "inference" else []
    done = subprocess.run(
        [
            toolkit,
            command,
            data[1].parent / "test.csv",
            "--model-name",
            data[0],
            "--base-dir",
            data[1].parent,
            "--output",
            tmp_path / "out",
            *options,
        ],
        stdout=gone(),
        stderr=gone(),
        timeout=120,
    )
    assert done.returncode == 0
    assert (tmp_path / "out").is_dir() == (command == "convert-dataset")

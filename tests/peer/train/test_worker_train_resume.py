"""`mdl-toolkit train` goes on from checkpoints, its own and the Python tool's, and survives being killed."""

import json
import os
import re
import signal
import subprocess
import time

import pytest
import torch

from training_runs import assert_same, assert_same_adapter, history, reference, run, train_command, two, with_settings

RUN = ["--batch-size", "4", "--num-epochs", "2", "--lr", "1e-3", "--save-steps", "6"]
REFERENCE = ["--batch-size", 4, "--epochs", 2, "--lr", 1e-3, "--save-steps", 6]


@pytest.fixture(scope="module")
def ours(toolkit, data, adapter, tmp_path_factory):
    """A run of ours over 18 steps with checkpoints 6, 12 and 18."""
    output = tmp_path_factory.mktemp("ours")
    run(train_command(toolkit, data, output, "--initial-adapter", adapter, *RUN))
    return output


@pytest.fixture(scope="module")
def theirs(data, adapter, tmp_path_factory):
    """The same of Hugging Face's Trainer."""
    output = tmp_path_factory.mktemp("theirs")
    reference(data, adapter, output, *REFERENCE)
    return output


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(toolkit, data, ours, tmp_path):
    # Rank and alpha are those of the checkpoint.
    done = run(train_command(toolkit, data, tmp_path, *RUN, "--resume-from-checkpoint", ours / "checkpoint-6", common=()))
    assert "checkpoint-6" in done.stderr
    assert "rank 8, alpha 16" in done.stdout
    assert_same(history(tmp_path)[0], history(ours)[0], rtol=1e-6)  # the log of the first six steps is carried over
    assert_same(history(tmp_path)[1], history(ours)[1], keys=("eval_loss",), rtol=1e-6)
    assert_same_adapter(tmp_path / "checkpoint-18", ours / "checkpoint-18", rtol=1e-6)


def test_we_go_on_from_the_python_tools_checkpoint(toolkit, data, theirs, tmp_path):
    run(train_command(toolkit, data, tmp_path, *RUN, "--resume-from-checkpoint", theirs / "checkpoint-6", common=()))
    assert_same(history(tmp_path)[0], history(theirs)[0])
    assert_same_adapter(tmp_path / "checkpoint-18", theirs / "checkpoint-18")


def test_the_python_tool_goes_on_from_our_checkpoint(data, adapter, ours, tmp_path):
    reference(data, adapter, tmp_path, *REFERENCE, "--resume", ours / "checkpoint-6")
    assert_same(history(tmp_path)[0], history(ours)[0])
    assert_same_adapter(tmp_path / "checkpoint-18", ours / "checkpoint-18")


def test_the_optimizer_file_is_what_torch_save_writes(ours, theirs):
    for name in ("optimizer.pt", "scheduler.pt"):
        mine = torch.load(ours / "checkpoint-6" / name, weights_only=True)
        other = torch.load(theirs / "checkpoint-6" / name, weights_only=True)
        assert mine.keys() == other.keys()
    assert mine.pop("lr_lambdas") == other.pop("lr_lambdas")
    for name, value in mine.items():
        assert value == pytest.approx(other[name]), name
    mine, other = (torch.load(folder / "checkpoint-6" / "optimizer.pt", weights_only=True) for folder in (ours, theirs))
    assert mine["param_groups"] == other["param_groups"]
    assert mine["state"].keys() == other["state"].keys()
    for index, state in mine["state"].items():
        assert state["step"] == other["state"][index]["step"]
        for key in ("exp_avg", "exp_avg_sq"):
            torch.testing.assert_close(state[key], other["state"][index][key], rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize(
    "options, settings, words",
    [
        (["--lora-rank", "4", "--lora-alpha", "64"], {}, ("--lora-rank 4, but there it is 8", "--lora-alpha 64, but there it is 16")),
        ([], {"init_lora_weights": "olora"}, ("init_lora_weights", "olora")),
    ],
)
def test_a_checkpoint_of_another_adapter_is_refused(toolkit, data, ours, tmp_path, options, settings, words):
    checkpoint = with_settings(ours / "checkpoint-6", tmp_path / "checkpoint-6", **settings)
    done = run(train_command(toolkit, data, tmp_path / "out", *RUN, *options, "--resume-from-checkpoint", checkpoint), check=False)
    assert done.returncode == 2 and str(checkpoint / "adapter_config.json") in done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def test_true_takes_the_newest_whole_checkpoint_and_says_which(toolkit, data, ours, tmp_path):
    subprocess.run(["cp", "-r", ours / "checkpoint-6", ours / "checkpoint-12", tmp_path], check=True)
    with open(tmp_path / "checkpoint-12" / "optimizer.pt", "r+b") as file:
        file.truncate(1000)  # as the Python tool leaves it when it is killed
    done = run(train_command(toolkit, data, tmp_path, *RUN, "--resume-from-checkpoint", "true"))
    assert "not resuming from" in done.stderr and "optimizer.pt is cut off" in done.stderr
    # What ought to be looked at is a warning, what is as it should be is not.
    assert re.search(r"\] W\d{4} \S+ not resuming from", done.stderr)
    assert re.search(rf"\] I\d{{4}} \S+ resuming from {tmp_path}/checkpoint-6", done.stderr)
    assert_same_adapter(tmp_path / "checkpoint-18", ours / "checkpoint-18", rtol=1e-6)


@pytest.mark.parametrize("where", ["true", "no/such/checkpoint"])
def test_nothing_to_resume_from_is_an_error(toolkit, data, tmp_path, where):
    done = run(train_command(toolkit, data, tmp_path / "out", "--resume-from-checkpoint", where), check=False)
    assert done.returncode == 2
    assert "resum" in done.stderr and not (tmp_path / "out").exists()


def test_two_ranks_resume_when_only_the_first_sees_the_checkpoint(toolkit, bin_dir, venv_bin, data, adapter, tmp_path):
    launcher = two("torchrun", bin_dir, venv_bin)
    options = ["--batch-size", "2", "--save-steps", "4", "--lr", "1e-3", "--initial-adapter", adapter]
    run([*launcher, *train_command(toolkit, data, tmp_path / "whole", *options)])
    # Rank 1 is pointed at a folder that does not exist for it.
    script = 'd=$0; [ "$RANK" = 1 ] && d=/nowhere; exec "$@" --resume-from-checkpoint "$d"'
    run(
        [
            *launcher,
            "bash",
            "-c",
            script,
            tmp_path / "whole" / "checkpoint-4",
            *train_command(toolkit, data, tmp_path / "resumed", *options),
        ]
    )
    assert_same(history(tmp_path / "resumed")[0], history(tmp_path / "whole")[0], rtol=1e-6)


def test_killed_at_any_moment_a_run_leaves_only_whole_checkpoints(toolkit, data, tmp_path):
    """20 kills at moments spread over the writing of checkpoints; each next run takes over what is there."""
    command = [
        str(part)
        for part in train_command(
            toolkit, data, tmp_path, "--batch-size", "1", "--num-epochs", "50", "--save-steps", "1", "--save-total-limit", "3"
        )
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    reached = 0
    for attempt in range(20):
        resume = ["--resume-from-checkpoint", "true"] if attempt else []
        process = subprocess.Popen(command + resume, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        lines = 0
        for line in process.stdout:  # the checkpoint of a step is written right after its line
            lines += line.startswith("{'loss'")
            if lines == 3:
                time.sleep(attempt * 0.0005)  # where in the writing the kill hits, not something waited for
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.close()
        assert process.wait(timeout=60) == -signal.SIGKILL
        checkpoints = sorted(
            (path for path in tmp_path.glob("checkpoint-*") if path.name.split("-")[1].isdigit()),
            key=lambda path: int(path.name.split("-")[1]),
        )
        assert checkpoints
        for folder in checkpoints:
            state = json.loads((folder / "trainer_state.json").read_text())
            assert folder.name == f"checkpoint-{state['global_step']}" and len(state["log_history"]) == state["global_step"]
            assert len(torch.load(folder / "optimizer.pt", weights_only=True)["state"]) == 24
        assert state["global_step"] > reached
        reached = state["global_step"]

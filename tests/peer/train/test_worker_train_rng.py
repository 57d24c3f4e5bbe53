"""Random states and training arguments in checkpoints: the Trainer's files, written and read."""

import json
import random
import shutil

import numpy
import pytest
import torch

from training_runs import assert_same, assert_same_adapter, history, python, reference, run, train_command, two

DROPOUT = ["--lora-dropout", "0.3", "--batch-size", "4", "--num-epochs", "1", "--lr", "1e-3", "--save-steps", "3"]


@pytest.fixture(scope="module")
def ours(toolkit, data, adapter, tmp_path_factory):
    """An undisturbed run with dropout, of 9 steps."""
    output = tmp_path_factory.mktemp("ours")
    run(train_command(toolkit, data, output, "--initial-adapter", adapter, *DROPOUT))
    return output


@pytest.fixture(scope="module")
def theirs(data, adapter, tmp_path_factory):
    output = tmp_path_factory.mktemp("theirs")
    reference(data, adapter, output, "--batch-size", 4, "--lr", 1e-3, "--save-steps", 3)
    return output


def load_rng(file):
    with torch.serialization.safe_globals(
        [numpy._core.multiarray._reconstruct, numpy.ndarray, numpy.dtype, type(numpy.dtype(numpy.uint32))]
    ):
        return torch.load(file, weights_only=True)  # as the Trainer reads it


def test_dropout_is_the_same_in_the_same_run_again(toolkit, data, adapter, ours, tmp_path):
    run(train_command(toolkit, data, tmp_path, "--initial-adapter", adapter, *DROPOUT))
    assert_same(history(tmp_path)[0], history(ours)[0], rtol=1e-9)
    run(train_command(toolkit, data, tmp_path / "other", "--initial-adapter", adapter, *DROPOUT, "--lora-dropout", "0"))
    assert history(tmp_path / "other")[0][0]["loss"] != pytest.approx(history(ours)[0][0]["loss"], rel=1e-6)


def test_after_a_resume_dropout_goes_on_as_in_an_undisturbed_run(toolkit, data, ours, tmp_path):
    run(train_command(toolkit, data, tmp_path, *DROPOUT, "--resume-from-checkpoint", ours / "checkpoint-3"))
    assert_same(history(tmp_path)[0], history(ours)[0], rtol=1e-6)
    assert_same_adapter(tmp_path / "checkpoint-9", ours / "checkpoint-9", rtol=1e-6)
    # And it would not without the file: the test above is able to fail.
    bare = tmp_path / "bare"
    shutil.copytree(ours / "checkpoint-3", bare)
    (bare / "rng_state.pth").unlink()
    run(train_command(toolkit, data, tmp_path / "out", *DROPOUT, "--resume-from-checkpoint", bare))
    assert history(tmp_path / "out")[0][3]["loss"] != pytest.approx(history(ours)[0][3]["loss"], rel=1e-6)


def test_two_ranks_go_on_with_a_stream_each(toolkit, bin_dir, venv_bin, data, adapter, tmp_path):
    launcher = two("torchrun", bin_dir, venv_bin)
    options = ["--lora-dropout", "0.3", "--batch-size", "2", "--lr", "1e-3", "--save-steps", "4"]
    run([*launcher, *train_command(toolkit, data, tmp_path / "whole", "--initial-adapter", adapter, *options)])
    run(
        [
            *launcher,
            *train_command(toolkit, data, tmp_path / "resumed", *options, "--resume-from-checkpoint", tmp_path / "whole" / "checkpoint-4"),
        ]
    )
    assert_same(history(tmp_path / "resumed")[0], history(tmp_path / "whole")[0], rtol=1e-6)
    states = [load_rng(tmp_path / "whole" / "checkpoint-4" / f"rng_state_{rank}.pth") for rank in range(2)]
    assert all(state["cpu"].shape == (5056,) for state in states)


def test_the_trainers_reader_takes_our_file_and_the_generators_are_those_of_the_seed(ours):
    state = load_rng(ours / "checkpoint-3" / "rng_state.pth")
    assert state.keys() == {"python", "numpy", "cpu"}
    random.setstate(state["python"])
    drawn = random.random()
    assert drawn == random.Random(42).random()
    numpy.random.set_state(state["numpy"])
    assert numpy.random.rand() == numpy.random.RandomState(42).rand()
    torch.set_rng_state(state["cpu"])


def test_pythons_and_numpys_generators_stand_where_they_do_in_the_python_tool(ours, theirs):
    mine, other = (load_rng(folder / "checkpoint-3" / "rng_state.pth") for folder in (ours, theirs))
    assert mine["python"] == other["python"]
    assert mine["numpy"][0] == other["numpy"][0] and (mine["numpy"][1] == other["numpy"][1]).all()
    assert mine["numpy"][2:] == other["numpy"][2:]


def test_we_read_the_trainers_random_state(toolkit, data, theirs, tmp_path):
    """With dropout the first step after the resume draws from the state in the file: another state, another loss."""
    options = [*DROPOUT, "--save-steps", "9"]
    changed = tmp_path / "changed"
    shutil.copytree(theirs / "checkpoint-3", changed)
    state = load_rng(changed / "rng_state.pth")
    torch.manual_seed(12345)
    torch.save({**state, "cpu": torch.get_rng_state()}, changed / "rng_state.pth")
    losses = {}
    for name, folder in (("as it is", theirs / "checkpoint-3"), ("again", theirs / "checkpoint-3"), ("changed", changed)):
        output = tmp_path / name
        run(train_command(toolkit, data, output, *options, "--resume-from-checkpoint", folder))
        losses[name] = history(output)[0][3]["loss"]
    assert losses["as it is"] == losses["again"] != losses["changed"]


def test_training_arguments_are_those_of_the_python_tool(toolkit, data, theirs, tmp_path):
    run(train_command(toolkit, data, tmp_path, "--batch-size", "4", "--lr", "1e-3", "--save-steps", "3", "--save-total-limit", "2"))
    script = (
        "import sys, json, torch; a = torch.load(sys.argv[1], weights_only=False); print(type(a).__name__);"
        "print(json.dumps(a.to_dict(), default=str))"
    )
    dicts = []
    for folder in (tmp_path / "checkpoint-9", theirs / "checkpoint-9"):
        name, text = python("-c", script, folder / "training_args.bin").stdout.splitlines()[-2:]
        assert name == "TrainingArguments"
        dicts.append(json.loads(text))
    different = {key for key in dicts[0].keys() | dicts[1].keys() if dicts[0].get(key) != dicts[1].get(key)}
    assert different <= {"output_dir", "save_total_limit", "eval_steps", "run_name", "logging_dir"}
    assert dicts[0]["learning_rate"] == 1e-3 and dicts[0]["save_total_limit"] == 2

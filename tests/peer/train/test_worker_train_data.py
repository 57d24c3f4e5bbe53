"""Several datasets, weights, a part for the evaluation, and rows that are too long: what train takes of its data."""

import math

import pytest
import torch
from datasets import concatenate_datasets, load_from_disk

from training_runs import COMMON, assert_same, history, run, two

STEPS = ["--max-steps", "9", "--batch-size", "4", "--save-steps", "100", "--batch-norm", "frozen"]


@pytest.fixture(scope="module")
def parts(data, tmp_path_factory):
    """The shared training data, whole and in two datasets of 10 and 25 rows."""
    folder = tmp_path_factory.mktemp("parts")
    whole = load_from_disk(data[1])
    small, large = whole.select(range(10)), whole.select(range(10, 35))
    small.save_to_disk(folder / "small")
    large.save_to_disk(folder / "large")
    concatenate_datasets([small, large]).save_to_disk(folder / "whole")
    return folder


def command(toolkit, data, output, *options):
    return [toolkit, "train", "--model-name", data[0], "--output", output, "--merge-lora", "false", *COMMON, *STEPS, *options]


def losses(output):
    return [entry["loss"] for entry in history(output)[0]]


def test_several_datasets_are_as_one(toolkit, data, parts, tmp_path):
    run(command(toolkit, data, tmp_path / "one", "--train-dataset", parts / "whole"))
    run(command(toolkit, data, tmp_path / "two", "--train-dataset", parts / "small", "--train-dataset", parts / "large"))
    assert losses(tmp_path / "two") == losses(tmp_path / "one")
    config = tmp_path / "run.yaml"
    config.write_text(f"train-dataset: [{parts}/small, {parts}/large]\nmodel-name: {data[0]}\noutput: {tmp_path}/three\n")
    run([toolkit, "train", "--config", config, "--merge-lora", "false", *COMMON, *STEPS])
    assert losses(tmp_path / "three") == losses(tmp_path / "one")


def test_weighted_datasets_give_their_parts_and_go_on_after_a_resume_with_other_ranks(toolkit, data, parts, bin_dir, venv_bin, tmp_path):
    sets = ["--train-dataset", f"{parts}/small:3", "--train-dataset", f"{parts}/large:1", "--num-epochs", "3", "--max-steps", "-1"]
    save = ["--save-steps", "5"]
    done = run(command(toolkit, data, tmp_path / "whole", *sets, *save))
    assert f"an epoch takes 26 of {parts}/small, which has 10; 9 of {parts}/large, which has 25 rows" in done.stderr
    assert len(losses(tmp_path / "whole")) == 3 * math.ceil(35 / 4)
    run(command(toolkit, data, tmp_path / "again", *sets))
    assert losses(tmp_path / "again") == losses(tmp_path / "whole")
    # The same samples a step from two ranks, first from the beginning, then from a checkpoint of one in the middle of an epoch.
    smaller = ["--batch-size", "2"]
    run([*two("mdl-launch", bin_dir, venv_bin), *command(toolkit, data, tmp_path / "two", *sets, *smaller)])
    one = history(tmp_path / "whole")[0]
    for mine, other in zip(history(tmp_path / "two")[0], one, strict=True):
        if other["step"] % 9:  # an epoch's last step is filled up with other rows
            assert mine["loss"] == pytest.approx(other["loss"], rel=2e-3), other["step"]
    resume = ["--resume-from-checkpoint", tmp_path / "whole" / "checkpoint-5"]
    run(command(toolkit, data, tmp_path / "resumed", *sets, *resume))
    assert losses(tmp_path / "resumed") == losses(tmp_path / "whole")
    # Other weights are another run, and are told where a checkpoint is named all the same.
    sets[3] = f"{parts}/large:2"
    done = run(command(toolkit, data, tmp_path / "whole", *sets, "--resume-from-checkpoint", "true"), check=False)
    assert done.returncode != 0 and "weights of --train-dataset" in done.stderr, done.stderr
    done = run(command(toolkit, data, tmp_path / "other", *sets, *resume, "--max-steps", "6"))
    assert "written with 35 rows (weights 0.75, 0.25) and --seed 42: the order of the samples is another one now" in done.stderr


def test_a_split_holds_out_rows_by_ratio_and_seed(toolkit, data, parts, tmp_path):
    """The rows that the documentation says, by the real torch: they give the same run as datasets that were made of them."""
    whole = load_from_disk(parts / "whole")
    held_out = sorted(torch.randperm(35, generator=torch.Generator().manual_seed(42))[: math.ceil(0.2 * 35)].tolist())
    whole.select([row for row in range(35) if row not in held_out]).save_to_disk(tmp_path / "train")
    whole.select(held_out).save_to_disk(tmp_path / "eval")
    evaluate = ["--eval-steps", "3"]
    done = run(command(toolkit, data, tmp_path / "split", "--train-dataset", parts / "whole", "--eval-split", "0.2", *evaluate))
    assert "7 of 35 rows are held out for the evaluation" in done.stderr
    run(command(toolkit, data, tmp_path / "made", "--train-dataset", tmp_path / "train", "--eval-dataset", tmp_path / "eval", *evaluate))
    assert losses(tmp_path / "split") == losses(tmp_path / "made")
    split, made = history(tmp_path / "split")[1], history(tmp_path / "made")[1]
    assert_same(split, made, keys=("eval_loss",), rtol=1e-6)
    assert len(split) == 3
    # Another ratio would evaluate on rows that this run has trained on.
    other = ["--train-dataset", parts / "whole", "--eval-split", "0.3", "--max-steps", "10", "--resume-from-checkpoint"]
    done = run(command(toolkit, data, tmp_path / "split", *other, "true"), check=False)
    assert done.returncode != 0 and "rows of the training data" in done.stderr, done.stderr
    done = run(command(toolkit, data, tmp_path / "on", *other, tmp_path / "split" / "checkpoint-9"))
    assert "28 rows and --seed 42" in done.stderr
    assert "rows of --eval-split may have been trained on" in done.stderr


def test_rows_that_are_too_long_are_left_out_and_counted(toolkit, data, parts, tmp_path):
    whole = load_from_disk(parts / "whole")
    lengths = sorted(sum(row["attention_mask"]) for row in whole)
    most = lengths[20]
    kept = whole.filter(lambda row: sum(row["attention_mask"]) <= most)
    kept.save_to_disk(tmp_path / "kept")
    assert 20 < len(kept) < 35
    done = run(command(toolkit, data, tmp_path / "ours", "--train-dataset", parts / "whole", "--max-length", most))
    assert f"--max-length {most}: {35 - len(kept)} rows are longer and are left out" in done.stderr
    run(command(toolkit, data, tmp_path / "made", "--train-dataset", tmp_path / "kept"))
    assert losses(tmp_path / "ours") == losses(tmp_path / "made")
    done = run(command(toolkit, data, tmp_path / "none", "--train-dataset", parts / "whole", "--max-length", "1"), check=False)
    assert done.returncode != 0 and f"--max-length 1 leaves no row of {parts}/whole" in done.stderr
    assert not (tmp_path / "none").exists()


def test_an_empty_list_of_datasets_is_none(toolkit, tmp_path):
    for text in ("train-dataset: []\noutput: x\n", '{"train-dataset": [], "output": "x"}'):
        (tmp_path / "run.yaml").write_text(text)
        done = run([toolkit, "train", "--config", tmp_path / "run.yaml"], check=False)
        assert done.returncode == 2 and "--train-dataset is required" in done.stderr, done.stderr
        run([toolkit, "train", "--config", tmp_path / "run.yaml", "--print-config"])


@pytest.mark.parametrize(
    "options, told",
    [
        (["--train-dataset", "a:0.7", "--train-dataset", "b"], "--train-dataset b has no weight, and others have one"),
        (["--train-dataset", "a:0"], "--train-dataset a:0: expected a weight above 0"),
        (["--train-dataset", "a", "--eval-split", "1"], "--eval-split 1: expected a number above 0 and below 1"),
        (["--train-dataset", "a", "--eval-split", "0.1", "--eval-dataset", "b"], "--eval-split and --eval-dataset exclude each other"),
        (["--train-dataset", "a", "--cutoff-len", "9"], "Write --max-length"),
        (["--train-dataset", "a", "--max-length", "0"], "--max-length 0"),
    ],
)
def test_what_cannot_be_meant_is_told(toolkit, options, told, tmp_path):
    done = run([toolkit, "train", "--output", tmp_path / "out", *options], check=False)
    assert done.returncode != 0 and told in done.stderr, done.stderr

"""--batch-tokens: batches of a number of tokens, of rows of similar length.

LOGLEVEL=DEBUG makes each rank tell the rows of every step that it has done; that is what is counted here.
"""

import collections
import json
import re

import pytest
from datasets import load_from_disk

from training_runs import COMMON, assert_same, history, run, train_command, two

MOST = 150
SAME = ("loss", "grad_norm", "learning_rate")  # the epoch counts batches, which two ranks have half as many of
DONE = re.compile(r"step (\d+) is done; rank (\d+): (?:rows? ([\d, ]+) of|no rows)")
STEPS = ["--batch-tokens", MOST, "--batch-norm", "frozen", "--num-epochs", "2", "--save-steps", "3", "--eval-batch-size", "8"]


@pytest.fixture(scope="module")
def lengths(data):
    """(tokens of the text, tokens of the sound) of each row."""
    rows = []
    for row in load_from_disk(data[1]):
        sound = max(1, (1 + row["audio_length"] // 160) // 4 // 5)
        rows.append((sum(row["attention_mask"]) - sound, sound))
    return rows


def tokens_of(rows, lengths):
    return sum(lengths[row][0] for row in rows) + len(rows) * max(lengths[row][1] for row in rows)


def train(toolkit, data, output, *options, ranks=()):
    env = {"LOGLEVEL": "DEBUG"}
    return run([*ranks, *train_command(toolkit, data, output, *STEPS, *options)], env=env)


def steps_of(done):
    """{step: {rank: rows}}."""
    steps = collections.defaultdict(dict)
    for step, rank, rows in DONE.findall(done.stderr):
        steps[int(step)][int(rank)] = [int(row) for row in rows.split(",")] if rows else []
    return steps


def rows_of(steps):
    return [sorted(row for rows in ranks.values() for row in rows) for _, ranks in sorted(steps.items())]


def test_every_row_comes_once_an_epoch_and_two_ranks_compute_what_one_does(toolkit, data, adapter, lengths, bin_dir, venv_bin, tmp_path):
    two_ranks = two("mdl-launch", bin_dir, venv_bin)
    start = ["--initial-adapter", adapter]
    one = train(toolkit, data, tmp_path / "one", *start, "--gradient-accumulation-steps", "2")
    pair = train(toolkit, data, tmp_path / "two", *start, ranks=two_ranks)
    assert rows_of(steps_of(one)) == rows_of(steps_of(pair))
    assert_same(history(tmp_path / "two")[0], history(tmp_path / "one")[0], SAME)
    for ranks in steps_of(pair).values():
        for rows in filter(None, ranks.values()):
            assert tokens_of(rows, lengths) <= MOST
    taken = [row for rows in rows_of(steps_of(pair)) for row in rows]
    assert sorted(taken) == sorted([*range(35), *range(35)]) and sorted(taken[:35]) == list(range(35))
    assert history(tmp_path / "two")[0][-1]["epoch"] == 2
    # As one rank with as many batches a step, so one batch at a time: other steps, the same rows.
    alone = train(toolkit, data, tmp_path / "alone", *start)
    batches = rows_of(steps_of(alone))
    assert all(tokens_of(rows, lengths) <= MOST for rows in batches) and len(batches) > len(steps_of(one))
    assert max(map(len, batches)) > min(map(len, batches))
    assert sorted(row for rows in batches for row in rows) == sorted(taken)


@pytest.mark.parametrize("before, after", [(1, 1), (2, 1), (1, 2)])
def test_a_run_goes_on_in_the_middle_of_an_epoch_with_any_ranks(toolkit, data, adapter, bin_dir, venv_bin, tmp_path, before, after):
    launcher = two("mdl-launch", bin_dir, venv_bin)

    def command(ranks, output, *options):
        # Two batches a step in each case.
        more = ["--gradient-accumulation-steps", 2 // ranks, "--initial-adapter", adapter]
        return train(toolkit, data, output, *more, *options, ranks=launcher if ranks == 2 else ())

    whole = command(before, tmp_path / "whole")
    on = command(after, tmp_path / "on", "--resume-from-checkpoint", tmp_path / "whole" / "checkpoint-3")
    first, second = rows_of(steps_of(whole)), rows_of(steps_of(on))
    assert 3 + len(second) == len(first) and second == first[3:]
    assert 0 < len(set().union(*first[:3])) < 35
    assert_same(history(tmp_path / "on")[0], history(tmp_path / "whole")[0], SAME, rtol=1e-9 if before == after else 1e-3)


def test_other_batches_of_tokens_go_on_and_batches_of_rows_are_another_run(toolkit, data, adapter, tmp_path):
    start = ["--initial-adapter", adapter]
    first = train(toolkit, data, tmp_path / "run", *start, "--max-steps", "3")
    resume = ["--resume-from-checkpoint", "true", "--batch-tokens", 2 * MOST, "--max-steps", "-1", "--num-epochs", "1"]
    second = train(toolkit, data, tmp_path / "run", *start, *resume)
    assert f"--batch-tokens {2 * MOST} (was {MOST})" in second.stderr
    taken = [row for steps in (steps_of(first), steps_of(second)) for rows in rows_of(steps) for row in rows]
    assert sorted(taken) == list(range(35))
    by_rows = train_command(toolkit, data, tmp_path / "run", "--batch-size", "4", "--resume-from-checkpoint")
    done = run([*by_rows, "true"], check=False)
    assert done.returncode != 0 and "order of the rows is by length (--batch-tokens) there and as drawn" in done.stderr, done.stderr
    done = run([*by_rows, tmp_path / "run" / "checkpoint-3", "--overwrite-output", "true", "--max-steps", "4"])
    assert f"--batch-tokens {MOST} and --seed 42: the order of the samples is another one now" in done.stderr
    progress = json.loads((tmp_path / "run" / "checkpoint-3" / "mdl_progress.json").read_text())
    assert progress["batch_tokens"] == MOST and 0 < progress["rows_taken"] < 35


def test_weighted_datasets_and_rows_left_out_work_with_it(toolkit, data, lengths, tmp_path):
    whole = load_from_disk(data[1])
    whole.select(range(10)).save_to_disk(tmp_path / "small")
    whole.select(range(10, 35)).save_to_disk(tmp_path / "large")
    sets = ["--train-dataset", f"{tmp_path}/small:3", "--train-dataset", f"{tmp_path}/large:1"]
    command = [toolkit, "train", "--model-name", data[0], "--merge-lora", "false", *COMMON, *STEPS, *sets]
    done = run([*command, "--output", tmp_path / "weighted"], env={"LOGLEVEL": "DEBUG"})
    # A row's number in a message is its own dataset's.
    of_small = sum(len(match.split(",")) for match in re.findall(rf"rows? ([\d, ]+) of {tmp_path}/small", done.stderr))
    of_large = sum(len(match.split(",")) for match in re.findall(rf"rows? ([\d, ]+) of {tmp_path}/large", done.stderr))
    assert (of_small, of_large) == (2 * 26, 2 * 9)

    rows = sorted(sum(row) for row in lengths)
    limit = rows[25]
    kept = sum(length <= limit for length in rows)
    done = run(train_command(toolkit, data, tmp_path / "short", "--batch-tokens", limit), check=False)
    assert done.returncode == 2 and f"--batch-tokens {limit}: row " in done.stderr, done.stderr
    assert f"alone has {rows[-1]}, and {35 - kept - 1} others have more" in done.stderr and f"--max-length {limit}" in done.stderr
    assert not (tmp_path / "short").exists()
    done = run(train_command(toolkit, data, tmp_path / "short", "--batch-tokens", MOST, "--num-epochs", "1e9"), check=False)
    assert done.returncode == 2 and "cannot be counted in time" in done.stderr and "--max-steps N" in done.stderr, done.stderr
    done = run(train_command(toolkit, data, tmp_path / "short", "--batch-tokens", limit, "--max-length", limit), env={"LOGLEVEL": "DEBUG"})
    assert sum(len(rows) for rows in rows_of(steps_of(done))) == kept


def test_a_rank_without_a_row_in_the_last_round_goes_through_it(toolkit, data, adapter, bin_dir, venv_bin, tmp_path):
    load_from_disk(data[1]).select(range(1)).save_to_disk(tmp_path / "one")
    tiny = (data[0], tmp_path / "one", data[2])
    pair = train(toolkit, tiny, tmp_path / "two", "--initial-adapter", adapter, ranks=two("mdl-launch", bin_dir, venv_bin))
    one = train(toolkit, tiny, tmp_path / "alone", "--initial-adapter", adapter)
    assert [ranks[1] for ranks in steps_of(pair).values()] == [[], []]
    assert_same(history(tmp_path / "two")[0], history(tmp_path / "alone")[0])
    assert "left out" not in one.stderr + pair.stderr

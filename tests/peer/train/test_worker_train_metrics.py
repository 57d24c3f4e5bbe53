"""Evaluations in training by more than the loss: token accuracy beside transformers', and the model's answers beside `mdl-toolkit evaluate`."""

import json

import pytest
import torch
from datasets import Dataset, load_from_disk
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from csv_files import read_csv, write_csv
from training_runs import history, run, train_command, two

ROWS = 6
OPTIONS = ["--lr", "1e-2", "--max-steps", "6", "--batch-size", "4", "--eval-batch-size", "8", "--batch-norm", "frozen"]
STEPS = ["--eval-steps", "2", "--save-steps", "2", "--eval-generate", str(ROWS)]
ANSWERS = ("eval_accuracy", "eval_exact_match", "eval_wer", "eval_cer")


@pytest.fixture(scope="module")
def trained(toolkit, data, tmp_path_factory):
    output = tmp_path_factory.mktemp("trained")
    best = ["--metric-for-best-model", "token-accuracy", "--load-best-model-at-end", "true"]
    run(train_command(toolkit, data, output, *OPTIONS, *STEPS, *best))
    return output


def state(output):
    return json.loads((output / "checkpoint-6" / "trainer_state.json").read_text())


def test_token_accuracy_is_transformers_and_chooses_the_best(trained, data):
    evaluations = {entry["step"]: entry for entry in history(trained)[1]}
    assert sorted(evaluations) == [2, 4, 6]
    model = AutoModelForCausalLM.from_pretrained(data[0], trust_remote_code=True, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, trained / "checkpoint-6").eval()
    hits = tokens = 0
    for row in load_from_disk(data[2]).with_format("torch"):
        batch = {name: row[name][None] for name in ("input_ids", "attention_mask", "input_values", "audio_length")}
        with torch.no_grad():
            logits = model(**batch).logits[0]
        counts = (row["labels"][1:] != -100) & (row["attention_mask"][:-1] == 1)
        hits += (logits[:-1].argmax(-1) == row["labels"][1:])[counts].sum().item()
        tokens += counts.sum().item()
    assert evaluations[6]["eval_token_accuracy"] == pytest.approx(hits / tokens, abs=1.5 / tokens)
    best = max(evaluations.values(), key=lambda entry: (entry["eval_token_accuracy"], -entry["step"]))
    assert state(trained)["best_metric"] == best["eval_token_accuracy"]
    assert state(trained)["best_global_step"] == best["step"]


def test_answers_are_measured_as_evaluate_measures_them(trained, toolkit, data, tmp_path):
    rows = read_csv(data[1].parent / "test.csv")[:ROWS]
    write_csv(tmp_path / "rows.csv", rows)
    labels = [sum(label != -100 for label in row["labels"]) for row in load_from_disk(data[2]).select(range(ROWS))]
    opening = len(AutoTokenizer.from_pretrained(data[0]).encode("<|im_start|>assistant\n"))  # which is labelled too
    measures = ["--metric", "accuracy,exact-match,wer,cer", "--max-new-tokens", str(max(labels) - opening + 16)]
    options = ["--model-name", data[0], "--adapter", trained / "checkpoint-4", "--output", tmp_path / "out", *measures]
    run([toolkit, "evaluate", tmp_path / "rows.csv", *options])
    measured = json.loads((tmp_path / "out" / "metrics.json").read_text())
    logged = next(entry for entry in history(trained)[1] if entry["step"] == 4)
    for name in ANSWERS:
        assert logged[name] == pytest.approx(measured[name.removeprefix("eval_").replace("_", "-")]), name
    assert 0 < logged["eval_cer"] != logged["eval_wer"]


def test_two_ranks_measure_what_one_does_and_early_stopping_counts_it(trained, toolkit, data, bin_dir, venv_bin, tmp_path):
    """The same samples a step; an error rate is better when it is lower."""
    options = [*OPTIONS, "--batch-size", "2", "--eval-batch-size", "4", *STEPS]
    best = ["--metric-for-best-model", "eval_cer", "--early-stopping-patience", "5"]
    run([*two("mdl-launch", bin_dir, venv_bin), *train_command(toolkit, data, tmp_path / "two", *options, *best)])
    ours, one = history(tmp_path / "two")[1], history(trained)[1]
    for mine, other in zip(ours, one, strict=True):
        assert mine["eval_loss"] == pytest.approx(other["eval_loss"], rel=2e-3)
        for name in ANSWERS:
            assert mine[name] == pytest.approx(other[name], abs=0.02), (mine["step"], name)
    told = state(tmp_path / "two")
    assert told["best_metric"] == min(entry["eval_cer"] for entry in ours)


def test_a_run_that_goes_on_with_another_metric_compares_no_other_numbers(trained, toolkit, data, tmp_path):
    """A token accuracy is far below any loss, and would stay the best loss for ever."""
    resume = ["--resume-from-checkpoint", trained / "checkpoint-4", "--metric-for-best-model", "loss"]
    done = run(train_command(toolkit, data, tmp_path / "on", *OPTIONS, "--eval-steps", "2", "--save-steps", "2", *resume))
    assert "was not chosen by eval_loss: it counts no more" in done.stderr
    last = history(tmp_path / "on")[1][-1]
    assert last["step"] == 6 == state(tmp_path / "on")["best_global_step"]
    assert state(tmp_path / "on")["best_metric"] == last["eval_loss"]


def test_rows_that_cannot_be_asked_do_not_count_or_are_told_before_the_first_step(trained, toolkit, data, tmp_path):
    """A row of broken sound and one without an answer, in front of six good ones."""
    broken = load_from_disk(data[2]).select([6, 7, *range(ROWS)]).to_dict()
    broken["input_values"][0][5] = float("nan")
    broken["labels"][1] = [-100] * len(broken["labels"][1])
    Dataset.from_dict(broken, features=load_from_disk(data[2]).features).save_to_disk(tmp_path / "eval")
    faulty = (data[0], data[1], tmp_path / "eval")
    options = [*OPTIONS, "--eval-steps", "2", "--eval-generate", "8", "--save-strategy", "no"]
    done = run(train_command(toolkit, faulty, tmp_path / "out", *options), check=False)
    assert done.returncode == 1 and "row 0 of" in done.stderr and "sound sample 5 is nan" in done.stderr, done.stderr
    assert "'loss'" not in done.stdout
    done = run(train_command(toolkit, faulty, tmp_path / "out", *options, "--skip-bad-samples", "true", "--report-to", "json"))
    logged, *_ = [entry for entry in map(json.loads, (tmp_path / "out" / "log.jsonl").read_text().splitlines()) if "eval_cer" in entry]
    first = history(trained)[1][0]
    for name in ANSWERS:
        assert logged[name] == pytest.approx(first[name]), name


@pytest.mark.parametrize(
    "options, told",
    [
        (["--metric-for-best-model", "accuracy"], "--metric-for-best-model accuracy needs the model's answers"),
        (["--metric-for-best-model", "bleu"], "expected loss, token-accuracy, accuracy, exact-match, wer or cer"),
        (["--eval-generate", "0"], "--eval-generate 0"),
        (["--eval-generate", "3", "--eval-strategy", "no"], "--eval-generate needs evaluations"),
    ],
)
def test_what_cannot_be_measured_is_told(toolkit, data, options, told, tmp_path):
    done = run(train_command(toolkit, data, tmp_path / "out", *options), check=False)
    assert done.returncode != 0 and told in done.stderr, done.stderr

"""`mdl-toolkit evaluate`: its answers are inference's, its loss transformers', and a run that was cut off goes on."""

import csv
import json
import os
import re
import signal
import subprocess
import time
import unicodedata

import datasets
import pytest
import soundfile
from sklearn.metrics import accuracy_score
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

import preloaded
from csv_files import read_csv, write_csv
from training_runs import run, two

jiwer = pytest.importorskip("jiwer", reason="scripts/requirements-peers.txt has it, build/venv-4.57 has not")

SCORES = """
import json, sys, torch
from transformers import AutoModelForCausalLM
from datasets import load_from_disk
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], trust_remote_code=True, dtype=torch.float32).eval()
loss = tokens = hits = 0
for row in load_from_disk(sys.argv[2]).with_format("torch"):
    labels = row["labels"]
    with torch.no_grad():
        batch = {"input_ids": row["input_ids"], "attention_mask": row["attention_mask"], "input_values": row["input_values"]}
        logits = model(**{name: value[None] for name, value in batch.items()}, audio_length=row["audio_length"][None]).logits[0]
    counts = (labels[1:] != -100) & (row["attention_mask"][:-1] == 1)
    loss += torch.nn.functional.cross_entropy(logits[:-1][counts].double(), labels[1:][counts], reduction="sum").item()
    hits += (logits[:-1].argmax(-1) == labels[1:])[counts].sum().item()
    tokens += counts.sum().item()
print(json.dumps([loss / tokens, hits / tokens, tokens]))
"""


@pytest.fixture(scope="module")
def rows(data, tmp_path_factory):
    """A CSV file of eight clips, with the right answers."""
    path = tmp_path_factory.mktemp("rows") / "test.csv"
    long_enough = [row for row in read_csv(data[1].parent / "test.csv") if soundfile.info(row["audio"]).duration > 0.3]  # for Python
    write_csv(path, long_enough[:8])
    return path


def evaluate(toolkit, rows, model, output, *words, launcher=(), **options):
    return run([*launcher, toolkit, "evaluate", rows, "--model-name", model, "--output", output, *words], **options)


ALL = ["--metric", "accuracy,exact-match,wer,cer", "--metric", "token-accuracy,loss", "--max-new-tokens", "8", "--batch-size", "3"]


@pytest.fixture(scope="module")
def measured(toolkit, data, rows, tmp_path_factory):
    output = tmp_path_factory.mktemp("measured") / "here"
    return output, evaluate(toolkit, rows, data[0], output, *ALL)


def metrics(output):
    return json.loads((output / "metrics.json").read_text())


def test_answers_are_those_of_inference_beside_the_right_ones(toolkit, data, rows, measured, tmp_path):
    run([toolkit, "inference", rows, "--model-name", data[0], "--output", tmp_path / "answers.csv", "--max-new-tokens", "8"])
    given = read_csv(measured[0] / "answers.csv")
    assert [row["answer"] for row in given] == [row["prediction"] for row in read_csv(tmp_path / "answers.csv")]
    assert [row["prediction"] for row in given] == [row["prediction"] for row in read_csv(rows)]
    assert sorted(path.name for path in measured[0].iterdir()) == ["answers.csv", "confusion.csv", "confusion.svg", "metrics.json"]
    with (measured[0] / "confusion.csv").open() as stream:
        matrix = list(csv.reader(stream))
    assert sum(int(cell) for line in matrix[1:] for cell in line[1:]) == len(given)
    told = measured[1].stdout
    for name, value in metrics(measured[0]).items():
        assert name in ("rows", "by label") or f"{name:15} {value:.4f}" in told, name


def test_numbers_are_those_of_jiwer_and_scikit_learn(measured):
    given = read_csv(measured[0] / "answers.csv")
    told = metrics(measured[0])
    references, answers = [row["prediction"] for row in given], [row["answer"] for row in given]

    def plain(texts):
        return [" ".join(text.lower().split()).rstrip(".!? ") for text in texts]

    assert told["accuracy"] == pytest.approx(accuracy_score(plain(references), plain(answers)))
    assert told["exact-match"] == pytest.approx(accuracy_score([text.strip() for text in references], [text.strip() for text in answers]))
    english = EnglishTextNormalizer({})
    assert told["wer"] == pytest.approx(jiwer.wer([english(text) for text in references], [english(text) for text in answers]))

    def characters(text):
        return " ".join("".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c)[0] != "P").split())

    assert told["cer"] == pytest.approx(jiwer.cer([characters(text) for text in references], [characters(text) for text in answers]))


def test_loss_and_token_accuracy_are_transformers(toolkit, data, rows, measured, tmp_path):
    run([toolkit, "convert-dataset", rows, "--model-name", data[0], "--output", tmp_path / "data", "--tokenizing-batch-size", "1"])
    done = preloaded.run(["-c", SCORES, data[0], tmp_path / "data"], preloaded.TRAINER)
    assert done.returncode == 0, done.stderr
    loss, accuracy, tokens = json.loads(done.stdout.splitlines()[-1])
    assert metrics(measured[0])["loss"] == pytest.approx(loss, rel=1e-4)
    assert metrics(measured[0])["token-accuracy"] == pytest.approx(accuracy, abs=1e-9)
    assert f"({tokens} tokens)" in measured[1].stdout


def test_a_dataset_folder_is_measured_as_the_rows_that_it_was_made_of(toolkit, data, rows, measured, tmp_path):
    folder, output = tmp_path / "data", tmp_path / "measured"
    run([toolkit, "convert-dataset", rows, "--model-name", data[0], "--output", folder, "--audio-encoding", "float32"])
    done = evaluate(toolkit, folder, data[0], output, *ALL, "--user-prompt", "What?")
    assert f"--user-prompt changes nothing: {folder} is a dataset folder" in done.stderr
    of_folder, of_file = metrics(output), metrics(measured[0])
    assert of_folder.pop("by label") == of_file.pop("by label") and of_folder == pytest.approx(of_file, rel=1e-5)
    given = [json.loads(line) for line in (output / "answers.jsonl").read_text().splitlines()]
    expected = [(row["prediction"], row["answer"]) for row in read_csv(measured[0] / "answers.csv")]
    assert [(row["prediction"], row["answer"]) for row in given] == expected
    assert [row["row"] for row in given] == list(range(len(given)))

    def without_place(row, i):
        ids = row["input_ids"]
        return {"input_ids": [*ids[:-18], 10**8, *ids[-17:]] if i == 2 else ids}  # in the question

    datasets.load_from_disk(str(folder)).map(without_place, with_indices=True).save_to_disk(tmp_path / "outside")
    done = evaluate(toolkit, tmp_path / "outside", data[0], tmp_path / "none", *ALL, check=False)
    numbers, place = re.search(r"error: rows? ([\d, ]+): batch row (\d+): token id 100000000 is outside", done.stderr).groups()
    assert numbers.split(", ")[int(place)] == "2", done.stderr

    def unlabelled(row, i):
        return {"labels": [-100] * len(row["labels"])} if i == 2 else {}

    datasets.load_from_disk(str(folder)).map(unlabelled, with_indices=True).save_to_disk(tmp_path / "lacking")
    done = evaluate(toolkit, tmp_path / "lacking", data[0], tmp_path / "none", *ALL, check=False)
    assert done.returncode == 2 and "row 2: no token is labelled, so there is no right answer" in done.stderr, done.stderr


def test_answers_that_were_cut_are_told_and_prompts_without_room_say_what_helps(toolkit, data, rows, measured, tmp_path):
    answers = [row["answer"] for row in read_csv(measured[0] / "answers.csv")]
    assert re.search(rf"[1-{len(answers)}] answers? (was|were) cut for want of room: --max-new-tokens 8 is all", measured[1].stderr)
    done = evaluate(toolkit, rows, data[0], tmp_path / "short", "--metric", "accuracy", "--max-length", "8", check=False)
    assert done.returncode == 2 and "--max-length 8 leaves no room for an answer: --max-new-tokens N limits" in done.stderr
    evaluate(toolkit, rows, data[0], tmp_path / "loss", "--metric", "loss", "--max-length", "8")  # which asks for no answer
    assert metrics(tmp_path / "loss")["loss"] == pytest.approx(metrics(measured[0])["loss"], rel=1e-5)


def test_a_measurement_is_not_lost_to_another_one(toolkit, data, rows, tmp_path):
    words = ["--metric", "loss", "--batch-size", "8"]
    evaluate(toolkit, rows, data[0], tmp_path / "here", *words)
    before = (tmp_path / "here" / "metrics.json").read_bytes()
    done = evaluate(toolkit, rows, data[0], tmp_path / "here", *words, check=False)
    assert done.returncode == 2 and "holds a measurement already: metrics.json" in done.stderr and "--overwrite-output true" in done.stderr
    assert (tmp_path / "here" / "metrics.json").read_bytes() == before
    evaluate(toolkit, rows, data[0], tmp_path / "here", *words, "--overwrite-output", "true")
    done = evaluate(toolkit, data[2], data[0], data[2], *words, check=False)
    assert done.returncode == 2 and "is the dataset's own folder" in done.stderr and not (data[2] / "metrics.json").exists()


def test_two_ranks_share_the_rows_and_an_adapter_may_be_on_the_model(toolkit, data, rows, measured, bin_dir, venv_bin, tmp_path):
    evaluate(toolkit, rows, data[0], tmp_path / "two", *ALL, launcher=two("mdl-launch", bin_dir, venv_bin))
    one, both = metrics(measured[0]), metrics(tmp_path / "two")
    assert both.pop("by label") == one.pop("by label") and both == pytest.approx(one, rel=1e-5)
    words = ["--lora-rank", "4", "--max-steps", "6", "--lr", "5e-3", "--merge-lora", "false"]
    run([toolkit, "train", "--model-name", data[0], "--train-dataset", data[1], "--output", tmp_path / "run", *words])
    adapter = tmp_path / "run" / "final"
    evaluate(toolkit, rows, data[0], tmp_path / "apart", "--adapter", adapter, "--metric", "loss")
    evaluate(toolkit, rows, adapter, tmp_path / "named", "--metric", "loss,token-accuracy", "--merge-adapter", "true")
    assert metrics(tmp_path / "apart")["loss"] == pytest.approx(metrics(tmp_path / "named")["loss"], rel=1e-4)
    assert metrics(tmp_path / "apart")["loss"] < metrics(measured[0])["loss"]
    assert not (tmp_path / "apart" / "answers.csv").exists()


def test_a_run_that_was_cut_off_goes_on(toolkit, data, rows, measured, tmp_path):
    journal = tmp_path / "here" / "answers.csv.partial"
    command = [toolkit, "evaluate", rows, "--model-name", data[0], "--output", tmp_path / "here", *ALL]
    process = subprocess.Popen(list(map(str, command)), env={**os.environ, "OMP_NUM_THREADS": "1"})
    while process.poll() is None and not (journal.exists() and journal.read_text().count("\n") > 3):
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if not journal.exists():
        pytest.skip("the run was over before it was killed")
    done = run(command)
    assert " by an earlier run)" in done.stdout
    assert metrics(tmp_path / "here") == metrics(measured[0]) and not journal.exists()


def test_what_cannot_be_measured_is_told_at_once(toolkit, data, rows, tmp_path):
    lacking = tmp_path / "lacking.csv"
    write_csv(lacking, [{**row, "prediction": "" if i == 1 else row["prediction"]} for i, row in enumerate(read_csv(rows)[:3])])
    without = tmp_path / "without.csv"
    write_csv(without, [{"audio": row["audio"]} for row in read_csv(rows)[:2]])
    (tmp_path / "spellings.json").write_text("[1]")
    for file, words, problem in [
        (data[0], [], "state.json"),
        (lacking, [], "no prediction, which is the right answer"),
        (without, [], "prediction"),
        (rows, ["--metric", "bleu"], "--metric bleu: expected accuracy"),
        (rows, ["--metric", "wer", "--spelling-mapping", tmp_path / "spellings.json"], "is no object in JSON"),
        (rows, ["--metric", "cer", "--spelling-mapping", tmp_path / "spellings.json"], "--spelling-mapping is for --metric wer"),
        (rows, ["--model-name", tmp_path / "nothing"], "nothing"),
    ]:
        done = evaluate(toolkit, file, data[0], tmp_path / "none", *words, check=False)
        assert done.returncode != 0 and problem in done.stderr and done.stdout == "", (words, done.stderr)
    assert evaluate(toolkit, rows, data[0], rows, check=False).returncode == 2

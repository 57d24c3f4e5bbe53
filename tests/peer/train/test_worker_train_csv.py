"""`mdl-toolkit train` takes CSV files of sounds and texts in place of dataset folders, as the Python tool does."""

import csv
import os
import resource
import subprocess

import pytest

from launching import free_port
from training_runs import COMMON, assert_same, history, run, train_command, two


@pytest.fixture(scope="module")
def sounds(data, tmp_path_factory):
    """train.csv and test.csv of the shared dataset, where the Python tool converted them."""
    folder = data[1].parent
    return folder / "train.csv", folder / "test.csv"


def command(toolkit, model, train, output, *options):
    return [
        toolkit,
        "train",
        "--model-name",
        model,
        "--train-dataset",
        train,
        "--output",
        output,
        "--merge-lora",
        "false",
        "--batch-size",
        "8",
        *COMMON,
        *options,
    ]


def test_a_csv_file_trains_as_the_folder_made_from_it(toolkit, data, sounds, tmp_path):
    model, train, test = data
    run(command(toolkit, model, train, tmp_path / "folder", "--eval-dataset", test))
    done = run(command(toolkit, model, sounds[0], tmp_path / "csv", "--eval-dataset", sounds[1]))
    assert_same(history(tmp_path / "csv")[0], history(tmp_path / "folder")[0], rtol=1e-4)
    assert_same(history(tmp_path / "csv")[1], history(tmp_path / "folder")[1], keys=("eval_loss",), rtol=1e-4)
    assert f"{sounds[0]} is converted: {tmp_path}/csv/dataset-train, 35 rows" in done.stderr


def test_a_second_run_takes_the_conversion_of_the_first(toolkit, data, sounds, tmp_path):
    options = ["--num-epochs", "0.2", "--system-prompt", "You hear a sound."]
    run(command(toolkit, data[0], sounds[0], tmp_path, *options))
    state = tmp_path / "dataset-train" / "state.json"
    before = state.stat().st_mtime_ns
    done = run(command(toolkit, data[0], sounds[0], tmp_path, *options))
    assert "was converted before" in done.stderr and state.stat().st_mtime_ns == before
    # Another prompt makes other data, and those another run: what the checkpoints were trained on is not replaced before it is refused.
    other = command(toolkit, data[0], sounds[0], tmp_path, "--num-epochs", "0.2", "--system-prompt", "Listen.")
    for more in ([], ["--resume-from-checkpoint", "true"]):
        done = run([*other, *more], check=False)
        assert done.returncode == 2 and "was made from other rows, options or tokens" in done.stderr, done.stderr
        assert state.stat().st_mtime_ns == before
    done = run(
        command(toolkit, data[0], sounds[0], tmp_path, "--num-epochs", "0.2", "--system-prompt", "Listen.", "--overwrite-output", "true")
    )
    assert "is converted" in done.stderr and state.stat().st_mtime_ns != before


@pytest.mark.parametrize("launcher", ["torchrun", "mdl-launch"])
def test_of_two_ranks_one_converts_and_both_train(toolkit, bin_dir, venv_bin, data, sounds, tmp_path, launcher):
    done = run([*two(launcher, bin_dir, venv_bin), *command(toolkit, data[0], sounds[0], tmp_path, "--batch-size", "4")])
    assert done.stderr.count("is converted") == 1
    assert len(history(tmp_path)[0]) == 5


def broken(sounds, folder):
    """The train.csv with a clip that is missing in row 3 and one that is no sound in row 5."""
    rows = list(csv.DictReader(sounds[0].open()))[:16]
    noise = folder / "noise.wav"
    noise.write_bytes(b"RIFF but then nothing")
    for row in rows:
        row["audio"] = os.path.join(sounds[0].parent, row["audio"])
    rows[2]["audio"] = str(folder / "missing.wav")
    rows[4]["audio"] = str(noise)
    path = folder / "broken.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_bad_rows_of_a_csv_file_are_listed_on_one_rank_and_end_all(toolkit, bin_dir, venv_bin, data, sounds, tmp_path):
    done = run([*two("torchrun", bin_dir, venv_bin), *command(toolkit, data[0], broken(sounds, tmp_path), tmp_path / "out")], check=False)
    assert done.returncode != 0
    assert "row 3" in done.stderr and "row 5" in done.stderr and "missing.wav" in done.stderr
    assert not (tmp_path / "out" / "dataset-train").exists()


def start_rank(command, rank, port, **options):
    """One of two ranks without a launcher, whose exit code would be the only one to be seen."""
    env = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    return subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env, **options
    )


@pytest.mark.parametrize(
    ("fault", "code", "words"), [("full disk", 1, "cannot write"), ("bad rows", 2, "missing.wav"), ("no file", 2, "cannot read")]
)
def test_what_ends_the_conversion_ends_each_rank_with_its_exit_code(toolkit, data, sounds, tmp_path, fault, code, words):
    """Rank 0 alone converts; where its disk is "full", it may write no file of more than 20 kB."""
    table = {"bad rows": broken(sounds, tmp_path), "no file": tmp_path / "nowhere.csv"}.get(fault, sounds[0])
    limited = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))) if fault == "full disk" else None
    train, port = command(toolkit, data[0], table, tmp_path / "out"), free_port()
    ranks = [start_rank(train, 0, port, preexec_fn=limited), start_rank(train, 1, port)]
    errors = [rank.communicate(timeout=120)[1] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [code, code], errors
    assert all(words in error for error in errors), errors


def test_bad_rows_of_a_csv_file_can_be_left_out(toolkit, data, sounds, tmp_path):
    done = run(command(toolkit, data[0], broken(sounds, tmp_path), tmp_path / "out", "--skip-bad-samples", "true"))
    assert "row 3" in done.stderr and "row 5" in done.stderr
    assert "14 rows; 2 bad ones left out" in done.stderr
    assert len(history(tmp_path / "out")[0]) == 2


def test_options_for_csv_files_say_so_when_there_is_none(toolkit, data, tmp_path):
    done = run(train_command(toolkit, data, tmp_path, "--num-epochs", "0.1", "--system-prompt", "Listen."))
    assert "--system-prompt changes nothing" in done.stderr


def test_no_conversion_replaces_an_input_or_begins_before_all_files_are_checked(toolkit, data, sounds, tmp_path):
    run([toolkit, "convert-dataset", sounds[1], "--model-name", data[0], "--output", tmp_path / "out" / "dataset-train"])
    before = (tmp_path / "out" / "dataset-train" / "state.json").read_text()
    done = run(command(toolkit, data[0], sounds[0], tmp_path / "out", "--train-dataset", tmp_path / "out" / "dataset-train"), check=False)
    assert done.returncode == 2 and "which this run would replace" in done.stderr, done.stderr
    assert (tmp_path / "out" / "dataset-train" / "state.json").read_text() == before
    (tmp_path / "bad.jsonl").write_text("{broken")
    done = run(command(toolkit, data[0], sounds[0], tmp_path / "two", "--train-dataset", tmp_path / "bad.jsonl"), check=False)
    assert done.returncode == 2 and "row 1 (line 1): it is not an object in JSON" in done.stderr, done.stderr
    assert not (tmp_path / "two").exists()

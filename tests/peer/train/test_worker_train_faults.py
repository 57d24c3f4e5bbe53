"""What goes wrong in a run of `mdl-toolkit train` ends it with one message of file, row and step, and a checkpoint where it can be."""

import csv
import json
import os
import re
import resource
import subprocess

import numpy
import pytest
import soundfile

from launching import free_port
from training_runs import history, python, run, train_command, two


def rewrite(source, target, change):
    """A copy of the first 12 rows of a dataset folder, with `change` of a row and its number, by the real datasets package."""
    script = (
        "import sys, datasets; d = datasets.load_from_disk(sys.argv[1]).select(range(12)); "
        f"d.map(lambda row, i: {change}, with_indices=True, features=d.features).save_to_disk(sys.argv[2])"
    )
    python("-c", script, source, target)


NAN = "{'input_values': [float('nan')] + row['input_values'][1:]} if i == 5 else row"
UNLABELLED = "{'labels': [-100] * len(row['labels'])} if i == 5 else row"
ALL_UNLABELLED = "{'labels': [-100] * len(row['labels'])}"
ONE_BY_ONE = ["--batch-size", "1", "--save-steps", "100", "--merge-lora", "false"]


def one_error(done, *words):
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "mdl-toolkit: error:" in line]
    assert all(str(word) in line for word in words), done.stderr
    return line


def step_of(line):
    return int(re.search(r"step (\d+)", line).group(1))


def kept(output):
    """The step of the one checkpoint there."""
    (folder,) = output.glob("checkpoint-*")
    state = json.loads((folder / "trainer_state.json").read_text())
    assert folder.name == f"checkpoint-{state['global_step']}"
    return state["global_step"]


@pytest.fixture(scope="module")
def broken(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("broken")
    rewrite(data[1], folder / "nan", NAN)
    rewrite(data[1], folder / "unlabelled", UNLABELLED)
    return {name: (data[0], folder / name, data[2]) for name in ("nan", "unlabelled")}


@pytest.mark.parametrize(
    "fault, words",
    [
        ("nan", ["row 5 of", "data-00000-of-00001.arrow", "sound sample 0 is nan"]),
        ("unlabelled", ["rows 5 of", "no row of the batch has a label token"]),
    ],
)
def test_a_bad_sample_ends_the_run_with_its_row_and_step_and_keeps_the_steps_before(toolkit, broken, tmp_path, fault, words):
    done = run(train_command(toolkit, broken[fault], tmp_path, *ONE_BY_ONE), check=False)
    line = one_error(done, broken[fault][1], *words)
    # The next batch is read while the last one is computed, so that broken sound may show up one step earlier.
    assert step_of(line) - kept(tmp_path) == 1
    assert not (tmp_path / "final").exists()


@pytest.mark.parametrize("fault", ["nan", "unlabelled"])
@pytest.mark.parametrize("batch", ["1", "4"])
def test_bad_samples_can_be_left_out_and_are_counted(toolkit, broken, tmp_path, fault, batch):
    done = run(train_command(toolkit, broken[fault], tmp_path, "--batch-size", batch, "--skip-bad-samples", "true"))
    assert re.search(r"step \d+: left out row 5 of", done.stderr)
    assert f"1 bad samples and {1 if batch == '1' else 0} steps were left out" in done.stderr
    steps = history(tmp_path)[0]
    assert len(steps) == (11 if batch == "1" else 3) and all(entry["loss"] > 0 for entry in steps)
    assert (tmp_path / "final").exists()


@pytest.mark.parametrize("seed, step", [("42", 6), ("2", 3)], ids=["the first rank's", "the second rank's"])
def test_a_bad_sample_of_either_rank_ends_both_and_the_first_keeps_the_steps_before(
    toolkit, bin_dir, venv_bin, broken, tmp_path, seed, step
):
    """The seeds put row 5 into the sixth step of rank 0 and the third of rank 1."""
    done = run(
        [*two("torchrun", bin_dir, venv_bin), *train_command(toolkit, broken["nan"], tmp_path, *ONE_BY_ONE, "--seed", seed)], check=False
    )
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if "mdl-toolkit: error:" in line and "sound sample 0 is nan" in line]
    assert "row 5 of" in line
    assert step_of(line) == step and kept(tmp_path) == step - 1


def test_two_ranks_leave_out_the_same_and_stay_together(toolkit, bin_dir, venv_bin, broken, tmp_path):
    done = run(
        [
            *two("torchrun", bin_dir, venv_bin),
            *train_command(toolkit, broken["nan"], tmp_path, "--batch-size", "1", "--skip-bad-samples", "true"),
        ]
    )
    assert "1 bad samples and 0 steps were left out" in done.stderr
    assert len(history(tmp_path)[0]) == 6


def test_a_run_of_which_every_step_is_left_out_ends_with_an_error_and_without_an_adapter(toolkit, data, tmp_path):
    rewrite(data[1], tmp_path / "train", ALL_UNLABELLED)
    options = ["--batch-size", "4", "--save-steps", "1", "--skip-bad-samples", "true"]
    done = run(train_command(toolkit, (data[0], tmp_path / "train", data[2]), tmp_path / "out", *options), check=False)
    one_error(done, "no step was made: all 3 were left out")
    assert "row 5 of" in done.stderr and "'train_loss'" not in done.stdout
    assert not (tmp_path / "out/final").exists() and not list((tmp_path / "out").glob("checkpoint-*"))


def test_a_row_without_labels_among_others_is_told_once_and_does_no_harm(toolkit, broken, tmp_path):
    done = run(train_command(toolkit, broken["unlabelled"], tmp_path, "--batch-size", "4", "--num-epochs", "2"))
    assert done.stderr.count("row 5 of") == 1 and "teaches nothing" in done.stderr
    assert len(history(tmp_path)[0]) == 6


def test_a_loss_that_is_not_finite_names_the_step_and_keeps_the_steps_before(toolkit, data, tmp_path):
    """A learning rate beyond all reason makes the weights overflow after some steps."""
    done = run(train_command(toolkit, data, tmp_path, "--batch-size", "4", "--lr", "1e30"), check=False)
    line = one_error(done, "the loss is", "training cannot go on", data[1])
    assert step_of(line) == kept(tmp_path) + 1 > 1


def test_with_skipping_a_loss_that_stays_broken_ends_the_run_all_the_same(toolkit, data, tmp_path):
    done = run(train_command(toolkit, data, tmp_path, "--batch-size", "1", "--lr", "1e30", "--skip-bad-samples", "true"), check=False)
    one_error(done, "training cannot go on")
    assert done.stderr.count("the step is left out") == 10


@pytest.mark.skipif("address" in os.environ.get("MDL_TEST_SANITIZE", ""), reason="AddressSanitizer ends a program that has no memory")
def test_memory_that_runs_out_is_told_with_rows_and_step(toolkit, data, tmp_path):
    """One row has ten minutes of sound. Once training runs, the process may have only a little more memory than it has."""
    rows = list(csv.DictReader((data[1].parent / "train.csv").open()))[:12]
    soundfile.write(tmp_path / "long.wav", numpy.zeros(600 * 16000, dtype="int16"), 16000)
    rows[5]["audio"] = str(tmp_path / "long.wav")
    with (tmp_path / "train.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    run(
        [
            toolkit,
            "convert-dataset",
            tmp_path / "train.csv",
            "--model-name",
            data[0],
            "--output",
            tmp_path / "train",
            "--tokenizing-batch-size",
            "1",
            "--base-dir",
            data[1].parent,
        ]
    )
    process = subprocess.Popen(
        [
            str(part)
            for part in train_command(
                toolkit, (data[0], tmp_path / "train", data[2]), tmp_path / "out", *ONE_BY_ONE, "--seed", "1", "--num-epochs", "2"
            )
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    process.stdout.readline()  # the count of parameters
    assert "'loss'" in process.stdout.readline()
    size = int(re.search(r"VmSize:\s+(\d+)", open(f"/proc/{process.pid}/status").read()).group(1)) * 1024
    resource.prlimit(process.pid, resource.RLIMIT_AS, (size + 100_000_000, size + 100_000_000))
    _, stderr = process.communicate(timeout=120)
    done = subprocess.CompletedProcess([], process.returncode, "", stderr)
    line = one_error(done, "out of memory", "step")
    assert step_of(line) - kept(tmp_path / "out") in (1, 2)


def test_a_disk_without_room_is_told_and_the_older_checkpoint_stays_whole(toolkit, data, tmp_path):
    """After some steps no file of the process may grow beyond 20 kB, so that the next checkpoint cannot be written."""
    process = subprocess.Popen(
        [str(part) for part in train_command(toolkit, data, tmp_path, "--batch-size", "1", "--save-steps", "2", "--num-epochs", "20")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    for _ in range(6):  # the count of parameters and five steps, so that checkpoint-4 is there
        process.stdout.readline()
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (20_000, 20_000))
    _, stderr = process.communicate(timeout=120)
    line = one_error(subprocess.CompletedProcess([], process.returncode, "", stderr), "checkpoint-", "File too large")
    steps = sorted(int(path.name.split("-")[1]) for path in tmp_path.glob("checkpoint-*"))  # no name but a number: none half-written
    assert steps[:2] == [2, 4] and f"checkpoint-{steps[-1] + 2}" in line
    resumed = run(train_command(toolkit, data, tmp_path, "--batch-size", "1", "--num-epochs", "0.1", "--resume-from-checkpoint", "true"))
    assert f"resuming from {tmp_path}/checkpoint-{steps[-1]}" in resumed.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_on_a_full_disk_the_newest_good_checkpoint_outlives_the_limit(toolkit, data, tmp_path):
    """The disk has room for one checkpoint and a half; only one is to be kept."""
    options = ["--batch-size", "4", "--save-steps", "1", "--save-total-limit", "1"]
    run(train_command(toolkit, data, tmp_path / "probe", *options, "--num-epochs", "0.1"))
    size = sum(file.stat().st_size for file in (tmp_path / "probe" / "checkpoint-1").iterdir())
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size * 3 // 2}", "tmpfs", disk], stderr=subprocess.PIPE, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no small disk to be had: {mounted.stderr}")
    try:
        done = run(train_command(toolkit, data, disk / "out", *options), check=False)
        one_error(done, "No space left on device", "checkpoint-2")
        assert [path.name for path in (disk / "out").glob("checkpoint-*")] == ["checkpoint-1"]
        resumed = run(train_command(toolkit, data, tmp_path / "on", *options, "--resume-from-checkpoint", disk / "out" / "checkpoint-1"))
        assert f"resuming from {disk}/out/checkpoint-1" in resumed.stderr
    finally:
        subprocess.run(["umount", disk], check=True)


def test_no_rank_is_done_before_the_last_files_are_written(toolkit, data, tmp_path):
    """Rank 0 may write no file as large as the merged model. A launcher whose workers have ended well would not start them again."""
    port = free_port()
    command = train_command(toolkit, data, tmp_path, "--batch-size", "8", "--num-epochs", "1")
    command[command.index("--merge-lora") + 1] = "true"
    ranks = []
    for rank in range(2):
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
        limited = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))) if rank == 0 else None
        ranks.append(
            subprocess.Popen(
                [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, preexec_fn=limited
            )
        )
    errors = [process.communicate(timeout=120)[1] for process in ranks]
    one_error(subprocess.CompletedProcess([], ranks[0].returncode, "", errors[0]), "final", "File too large")
    assert ranks[1].returncode == 1, errors[1]

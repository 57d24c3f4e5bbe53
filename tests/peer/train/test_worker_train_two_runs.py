"""Two runs with one --output: which goes on, which begins anew, which is refused; and what may never be written over."""

import json
import os
import shutil
import subprocess

import pytest

from training_runs import history, run, train_command

RUN = ["--batch-size", "4", "--num-epochs", "1", "--save-steps", "5", "--eval-steps", "100"]


@pytest.fixture(scope="module")
def first(toolkit, data, tmp_path_factory):
    """A run with checkpoint-5, checkpoint-9 and final/."""
    output = tmp_path_factory.mktemp("first")
    run(train_command(toolkit, data, output, *RUN))
    return output


@pytest.fixture
def output(first, tmp_path):
    """A copy of it, with a file of the user's in final/."""
    shutil.copytree(first, tmp_path / "out")
    (tmp_path / "out" / "final" / "my_model_card.md").write_text("mine\n")
    return tmp_path / "out"


def checkpoints(output):
    return sorted(path.name for path in output.glob("checkpoint-*"))


def files(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("resume", [[], ["--resume-from-checkpoint", "true"]], ids=["anew", "true"])
def test_another_runs_checkpoints_are_refused_with_what_differs_and_stay(toolkit, data, output, resume):
    before = files(output)
    done = run(train_command(toolkit, data, output, *RUN, "--lr", "5e-3", "--seed", "7", *resume), check=False)
    assert done.returncode == 2
    assert "--lr is 0.0001 there and 0.005 here" in done.stderr and "--seed is 42 there and 7 here" in done.stderr
    assert "--lora-rank" not in done.stderr and done.stderr.count("error:") == 1
    assert files(output) == before


def test_overwriting_removes_the_other_runs_checkpoints_and_nothing_else(toolkit, data, output):
    (output / "notes").write_text("mine\n")
    run(train_command(toolkit, data, output, *RUN, "--num-epochs", "0.3", "--lr", "5e-3", "--overwrite-output", "true"))
    assert checkpoints(output) == ["checkpoint-3"]
    assert history(output)[0][0]["learning_rate"] == 5e-3
    assert (output / "notes").exists() and (output / "final" / "my_model_card.md").read_text() == "mine\n"


def test_the_same_run_begins_anew_and_the_old_checkpoints_go_when_the_first_new_one_is_whole(toolkit, data, output):
    """The new final/ is a merged model; nothing of the old adapter is left in it, and what the user put there is."""
    os.environ.pop("RANK", None)
    command = train_command(toolkit, data, output, *RUN, "--num-epochs", "0.6", "--save-steps", "4")
    command[command.index("--merge-lora") + 1] = "true"
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if "'loss'" in line:
            assert checkpoints(output)  # no moment without one
    assert process.wait(timeout=120) == 0, process.stderr.read()
    assert checkpoints(output) == ["checkpoint-4", "checkpoint-6"]
    assert [entry["step"] for entry in history(output)[0]] == [1, 2, 3, 4, 5, 6]
    final = output / "final"
    assert (final / "my_model_card.md").read_text() == "mine\n" and (final / "model.safetensors").exists()
    assert not (final / "adapter_model.safetensors").exists() and not (final / "adapter_config.json").exists()


def test_a_resume_with_nothing_left_to_do_says_so_and_leaves_final_as_it_is(toolkit, data, output):
    before = files(output)
    done = run(train_command(toolkit, data, output, *RUN, "--save-steps", "3", "--batch-size", "8", "--resume-from-checkpoint", "true"))
    assert "nothing is left to do" in done.stderr and "'loss'" not in done.stdout
    assert "changed since" in done.stderr and "--batch-size 8 (was 4)" in done.stderr and "--save-steps 3 (was 5)" in done.stderr
    assert files(output) == before


def test_a_final_that_a_kill_kept_from_being_written_is_written_by_the_resume(toolkit, data, output):
    """Options of the adapters need not be given again: the checkpoint's own hold, and are no difference."""
    shutil.rmtree(output / "final")
    run(train_command(toolkit, data, output, *RUN, "--resume-from-checkpoint", "true", common=[]))
    assert json.loads((output / "final" / "adapter_config.json").read_text())["r"] == 8


def test_a_path_is_always_taken_and_the_differences_are_told(toolkit, data, output):
    done = run(
        train_command(
            toolkit, data, output, *RUN, "--lr", "5e-3", "--num-epochs", "0.7", "--resume-from-checkpoint", output / "checkpoint-5"
        )
    )
    assert "--lr is 0.0001 there and 0.005 here" in done.stderr and "resuming from" in done.stderr
    assert checkpoints(output) == ["checkpoint-5", "checkpoint-7", "checkpoint-9"]
    # The schedule went on as it was, and that is what the new checkpoint says.
    assert json.loads((output / "checkpoint-7" / "mdl_run.json").read_text())["identity"]["--lr"] == "0.0001"


def test_a_path_from_elsewhere_can_be_given_again_and_another_adapters_checkpoints_are_not_removed_for_it(toolkit, data, output, tmp_path):
    """The run takes over rate and adapters of the one that is named, and is compared with what lies in OUTPUT as that."""
    resume = ["--num-epochs", "0.7", "--resume-from-checkpoint", output / "checkpoint-5"]
    other = tmp_path / "other"
    for _ in range(2):
        run(train_command(toolkit, data, other, *RUN, "--lr", "5e-3", *resume))
    assert checkpoints(other) == ["checkpoint-7"]
    run(train_command(toolkit, data, other, *RUN, "--num-epochs", "0.8", "--resume-from-checkpoint", "true"))
    four = tmp_path / "four"
    shutil.copytree(output / "checkpoint-9", four / "checkpoint-9")
    identity = four / "checkpoint-9" / "mdl_run.json"
    identity.write_text(identity.read_text().replace('"--lora-rank": "8"', '"--lora-rank": "4"'))
    refused = run(train_command(toolkit, data, four, *RUN, *resume), check=False)
    assert refused.returncode == 2 and "--lora-rank is 4 there and 8 here" in refused.stderr
    assert checkpoints(four) == ["checkpoint-9"]


def test_a_checkpoint_that_does_not_say_is_compared_as_far_as_it_can_be(toolkit, data, output):
    """As an earlier version left it: without mdl_run.json. The learning rate and the adapter are known all the same."""
    for folder in output.glob("checkpoint-*"):
        (folder / "mdl_run.json").unlink()
    resume = ["--resume-from-checkpoint", "true"]
    done = run(train_command(toolkit, data, output, *RUN, *resume))
    assert "could not be compared: fingerprint of the training data" in done.stderr and "nothing is left to do" in done.stderr
    other = run(train_command(toolkit, data, output, *RUN, "--lora-rank", "4", "--lr", "5e-3", "--seed", "7", *resume), check=False)
    assert other.returncode == 2
    for difference in ("--lora-rank is 8 there and 4 here", "--lr is 0.0001 there and 0.005 here", "--seed is 42 there and 7 here"):
        assert difference in other.stderr
    anew = run(train_command(toolkit, data, output, *RUN), check=False)
    assert anew.returncode == 2 and "may be another run's" in anew.stderr
    assert checkpoints(output) == ["checkpoint-5", "checkpoint-9"]


def test_what_a_run_reads_is_never_in_the_folders_that_it_replaces(toolkit, data, output, tmp_path):
    (tmp_path / "link").symlink_to(output)
    for option, value in (("--initial-adapter", tmp_path / "link" / "final"), ("--initial-adapter", output / "checkpoint-9")):
        done = run(train_command(toolkit, data, output, *RUN, option, value), check=False)
        assert done.returncode == 2 and option in done.stderr and "would replace" in done.stderr

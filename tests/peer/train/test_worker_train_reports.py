"""`mdl-toolkit train --report-to`: event files that TensorBoard reads, and JSON lines."""

import json

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from training_runs import history, reference, run, train_command


def scalars(folder):
    """{tag: [(step, value)]} as TensorBoard reads it; the one event file under the folder."""
    (file,) = folder.rglob("events.out.tfevents.*")
    events = EventAccumulator(str(file)).Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}, events


@pytest.fixture(scope="module")
def reported(toolkit, data, adapter, tmp_path_factory):
    output = tmp_path_factory.mktemp("reported")
    run(
        train_command(
            toolkit, data, output, "--initial-adapter", adapter, "--batch-size", "8", "--eval-steps", "2", "--report-to", "tensorboard,json"
        )
    )
    return output


def test_tensorboard_reads_every_scalar_of_the_log(reported):
    found, _ = scalars(reported / "runs")
    steps, evaluations = history(reported)
    for key in ("loss", "grad_norm", "learning_rate"):
        assert [step for step, _ in found[f"train/{key}"]] == [entry["step"] for entry in steps]
        assert [value for _, value in found[f"train/{key}"]] == pytest.approx([entry[key] for entry in steps], rel=1e-6)
    assert found["eval/loss"] == [(entry["step"], pytest.approx(entry["eval_loss"], rel=1e-6)) for entry in evaluations]
    assert found["train/train_loss"][0][0] == len(steps)


def test_the_tags_are_those_of_the_trainers_callback(reported, data, adapter, tmp_path):
    reference(data, adapter, tmp_path, "--batch-size", 8, "--eval-steps", 2, "--report-to", "tensorboard")
    theirs, _ = scalars(tmp_path)
    ours, _ = scalars(reported / "runs")
    # The Trainer also guesses floating point operations, from a formula for dense models.
    assert set(ours) == set(theirs) - {"train/total_flos"}
    for tag in ("train/loss", "train/epoch", "eval/loss"):
        assert ours[tag] == [(step, pytest.approx(value, rel=1e-3)) for step, value in theirs[tag]]


def test_tensorboard_shows_the_settings(reported):
    _, events = scalars(reported / "runs")
    (text,) = events.Tensors("args/text_summary")
    assert json.loads(text.tensor_proto.string_val[0])["per_device_train_batch_size"] == 8


def test_the_folder_may_be_given_by_the_environment_and_closed_descriptors_are_no_reports(toolkit, data, tmp_path):
    command = train_command(toolkit, data, tmp_path / "out", "--batch-size", "8", "--num-epochs", "0.2", "--report-to", "tensorboard,json")
    run(["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command], env={"TENSORBOARD_LOGGING_DIR": str(tmp_path / "events")})
    assert "train/loss" in scalars(tmp_path / "events")[0]
    assert not (tmp_path / "out" / "runs").exists()
    # What is printed would go into the first file that is opened: each line of this one is JSON still.
    assert all(json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines())


def test_json_lines_hold_what_the_checkpoint_logs_also_after_a_resume(toolkit, data, reported, tmp_path):
    def lines(folder):
        return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]

    def logged(folder):
        return json.loads((folder / "checkpoint-5" / "trainer_state.json").read_text())["log_history"]

    assert lines(reported)[:-1] == logged(reported)
    assert "train_runtime" in lines(reported)[-1]
    options = ["--batch-size", "8", "--report-to", "json", "--save-steps", "2"]
    run(train_command(toolkit, data, tmp_path, *options))
    (tmp_path / "checkpoint-4").rename(tmp_path / "here")
    (tmp_path / "log.jsonl").write_text("a line that an interrupted run left\n")
    run(train_command(toolkit, data, tmp_path, *options, "--resume-from-checkpoint", tmp_path / "here"))
    assert lines(tmp_path)[:-1] == logged(tmp_path)


@pytest.mark.parametrize("where", ["wandb", "mlflow", '["tensorboard","comet_ml"]'])
def test_another_program_is_refused_by_name(toolkit, data, tmp_path, where):
    done = run(train_command(toolkit, data, tmp_path / "out", "--report-to", where), check=False)
    assert done.returncode == 2 and "--report-to" in done.stderr and "not supported" in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_evaluation_in_stretches_gives_the_same_loss(toolkit, data, adapter, reported, tmp_path):
    run(
        train_command(
            toolkit,
            data,
            tmp_path,
            "--initial-adapter",
            adapter,
            "--batch-size",
            "8",
            "--eval-batch-size",
            "2",
            "--eval-steps",
            "5",
            "--eval-accumulation-steps",
            "2",
        )
    )
    run(
        train_command(
            toolkit,
            data,
            tmp_path / "whole",
            "--initial-adapter",
            adapter,
            "--batch-size",
            "8",
            "--eval-batch-size",
            "2",
            "--eval-steps",
            "5",
        )
    )
    assert history(tmp_path)[1][0]["eval_loss"] == pytest.approx(history(tmp_path / "whole")[1][0]["eval_loss"], rel=1e-9)

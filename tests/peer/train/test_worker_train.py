"""The native `mdl-toolkit train` beside Hugging Face's Trainer, alone and under the real torchrun and mdl-launch."""

import ast
import json
import re
import shutil
import signal
import subprocess

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from training_runs import (
    COMMON,
    assert_same,
    assert_same_adapter,
    assert_same_evaluations,
    history,
    python,
    reference,
    run,
    train_command,
    two,
    with_settings,
)


@pytest.mark.parametrize(
    "case",
    [
        {"batch": 4, "epochs": 2, "warmup": 3},
        {
            "batch": 2,
            "epochs": 1.5,
            "accumulation": 4,
            "settings": {"use_rslora": True, "rank_pattern": {"audio_projector.net.0": 3}, "alpha_pattern": {"up_proj": 40}},
        },
    ],
    ids=["two epochs with warm-up", "accumulation and a fraction of an epoch, from an adapter with patterns"],
)
def test_alone_every_step_equals_the_trainer(toolkit, data, adapter, tmp_path, case):
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    adapter = with_settings(adapter, tmp_path / "adapter", **case.get("settings", {}))
    told = reference(
        data,
        adapter,
        theirs,
        "--batch-size",
        case["batch"],
        "--epochs",
        case["epochs"],
        "--accumulation",
        case.get("accumulation", 1),
        "--warmup-steps",
        case.get("warmup", 0),
        "--eval-steps",
        4,
        "--lr",
        1e-3,
    ).stdout
    done = run(
        train_command(
            toolkit,
            data,
            ours,
            "--initial-adapter",
            adapter,
            "--batch-size",
            case["batch"],
            "--num-epochs",
            case["epochs"],
            "--gradient-accumulation-steps",
            case.get("accumulation", 1),
            "--warmup-steps",
            case.get("warmup", 0),
            "--eval-steps",
            4,
            "--lr",
            1e-3,
        )
    )
    assert_same(history(ours)[0], history(theirs)[0])
    assert_same_evaluations(history(ours)[1], history(theirs)[1])
    steps = len(history(ours)[0])
    assert_same_adapter(ours / f"checkpoint-{steps}", theirs / f"checkpoint-{steps}")
    (counts,) = [line for line in told.splitlines() if line.startswith("trainable params")]
    assert counts in done.stdout.splitlines()  # with PEFT's thousands separators
    (start,) = [line for line in done.stdout.splitlines() if line.startswith("starting from")]
    assert str(adapter) in start and "rank 8, alpha 16" in start
    for folder in (ours / "final", ours / f"checkpoint-{steps}", theirs / f"checkpoint-{steps}"):
        config = json.loads((folder / "adapter_config.json").read_text())
        assert config["r"] == 8 and config["lora_alpha"] == 16
        assert {key: config[key] for key in case.get("settings", {})} == case.get("settings", {})


def test_two_ranks_equal_two_ranks_of_the_trainer(toolkit, bin_dir, venv_bin, data, adapter, tmp_path):
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    launcher = two("torchrun", bin_dir, venv_bin)
    # With 8 test clips every batch of the two ranks is full; the Trainer's eval_loss for an uneven end counts other clips.
    rewrite(data[2], tmp_path / "test", "d")
    even = (data[0], data[1], tmp_path / "test")
    reference(even, adapter, theirs, "--batch-size", 2, "--accumulation", 2, "--eval-steps", 4, "--lr", 1e-3, launcher=launcher)
    run(
        [
            *launcher,
            *train_command(
                toolkit,
                even,
                ours,
                "--initial-adapter",
                adapter,
                "--batch-size",
                2,
                "--gradient-accumulation-steps",
                2,
                "--eval-steps",
                4,
                "--lr",
                1e-3,
            ),
        ]
    )
    assert_same(history(ours)[0], history(theirs)[0])
    assert_same_evaluations(history(ours)[1], history(theirs)[1], keys=("eval_loss",))


def test_one_process_in_a_group_trains_as_one_without(toolkit, bin_dir, venv_bin, data, adapter, tmp_path):
    """MDL_FORCE_GROUP=1 is how NCCL is tried with one GPU; here the group is Gloo's."""
    options = ["--initial-adapter", adapter, "--batch-size", "4", "--eval-steps", "4", "--lr", "1e-3"]
    run(train_command(toolkit, data, tmp_path / "alone", *options))
    launcher = ["1" if word == "2" else word for word in two("mdl-launch", bin_dir, venv_bin)]
    done = run([*launcher, *train_command(toolkit, data, tmp_path / "group", *options)], env={"MDL_FORCE_GROUP": "1"})
    assert "in 1 processes joined by Gloo" in done.stderr
    assert_same(history(tmp_path / "group")[0], history(tmp_path / "alone")[0], rtol=1e-6)
    assert_same(history(tmp_path / "group")[1], history(tmp_path / "alone")[1], keys=("eval_loss",), rtol=1e-6)


@pytest.mark.parametrize("launcher", ["torchrun", "mdl-launch"])
def test_two_ranks_equal_one_with_twice_the_batch(toolkit, bin_dir, venv_bin, data, adapter, tmp_path, launcher):
    """Batch normalisation by the batch would make a clip's loss depend on its batch, in Python too; so it is frozen here."""
    options = ["--initial-adapter", adapter, "--batch-norm", "frozen", "--eval-steps", "4", "--lr", "1e-3"]
    run(train_command(toolkit, data, tmp_path / "one", "--batch-size", "4", *options))
    done = run([*two(launcher, bin_dir, venv_bin), *train_command(toolkit, data, tmp_path / "two", "--batch-size", "2", *options)])
    # 35 clips: the last step of two ranks repeats one clip to be even, one rank just takes three.
    assert_same(history(tmp_path / "two")[0][:-1], history(tmp_path / "one")[0][:-1], rtol=1e-4)
    assert_same(history(tmp_path / "two")[1][:-1], history(tmp_path / "one")[1][:-1], keys=("eval_loss",), rtol=1e-4)
    assert done.stderr.count("no CUDA device") <= 1


def test_both_launchers_give_the_same_losses(toolkit, bin_dir, venv_bin, data, tmp_path):
    for launcher in ("torchrun", "mdl-launch"):
        run([*two(launcher, bin_dir, venv_bin), *train_command(toolkit, data, tmp_path / launcher, "--batch-size", "4")])
    assert_same(history(tmp_path / "mdl-launch")[0], history(tmp_path / "torchrun")[0], rtol=1e-6)


def test_a_piped_run_prints_what_the_trainer_prints_and_the_loss_falls(toolkit, data, tmp_path):
    model, train, test = data
    output = tmp_path / "out"
    done = run(
        [
            toolkit,
            "train",
            "--model-name",
            model,
            "--train-dataset",
            train,
            "--eval-dataset",
            test,
            "--output",
            output,
            "--batch-size",
            "4",
            "--num-epochs",
            "4",
            "--lr",
            "1e-2",
            "--eval-steps",
            "18",
            *COMMON,
        ]
    )
    lines = [ast.literal_eval(line) for line in done.stdout.splitlines() if line.startswith("{")]
    steps = [line for line in lines if "loss" in line]
    assert len(steps) == 36
    assert [*steps[0]] == ["loss", "grad_norm", "learning_rate", "epoch"]
    assert all(re.fullmatch(r"[\d.e+-]+", value) for line in lines for value in line.values())
    evaluations = [line for line in lines if "eval_loss" in line]
    assert [*evaluations[0]] == ["eval_loss", "eval_runtime", "eval_samples_per_second", "eval_steps_per_second", "epoch"]
    assert len(evaluations) == 2
    assert [*lines[-1]] == ["train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss", "epoch"]
    losses = [float(line["loss"]) for line in steps]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    assert float(evaluations[-1]["eval_loss"]) < float(evaluations[0]["eval_loss"])
    assert (output / "final" / "model.safetensors").exists()
    assert (output / "final" / "tokenizer.json").exists()


def test_checkpoints_are_kept_and_counted(toolkit, data, tmp_path):
    run(train_command(toolkit, data, tmp_path, "--batch-size", "8", "--num-epochs", "2", "--save-steps", "2", "--save-total-limit", "2"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-8", "final", "report.html", "run.yaml"]
    with safe_open(tmp_path / "checkpoint-10" / "adapter_model.safetensors", "pt") as file:
        assert all(name.startswith("base_model.model.") for name in file.keys())
    assert json.loads((tmp_path / "final" / "adapter_config.json").read_text())["r"] == 8


# Bad input: one message with the thing in it, an exit code, and nothing left that looks like a result.


def assert_refused(done, output, code, *words, left=()):
    assert done.returncode == code, done.stderr
    errors = [line for line in done.stderr.splitlines() if "mdl-toolkit: error:" in line]
    assert len(errors) == 1, done.stderr
    assert all(str(word) in done.stderr for word in words), done.stderr
    assert not output.exists() or [path.name for path in output.iterdir()] == list(left)


def test_an_unknown_option_names_the_nearest(toolkit, data, tmp_path):
    done = run(train_command(toolkit, data, tmp_path / "out", "--lora-rnak", "8"), check=False)
    assert_refused(done, tmp_path / "out", 2, "--lora-rnak", "--lora-rank")


@pytest.mark.parametrize("option", ["--model-name", "--train-dataset", "--eval-dataset"])
def test_a_missing_folder_is_named(toolkit, data, tmp_path, option):
    done = run(train_command(toolkit, data, tmp_path / "out", option, tmp_path / "nothing"), check=False)
    assert_refused(done, tmp_path / "out", 2, tmp_path / "nothing")


def test_an_output_that_is_a_file_or_a_link_to_nothing_is_refused(toolkit, data, tmp_path):
    (tmp_path / "file").write_text("")
    done = run(train_command(toolkit, data, tmp_path / "file" / "out"), check=False)
    assert_refused(done, tmp_path / "file" / "out", 2, tmp_path / "file")
    (tmp_path / "link").symlink_to("nothing")
    done = run(train_command(toolkit, data, tmp_path / "link"), check=False)
    assert_refused(done, tmp_path / "link", 1, "link is a link to nothing, which does not exist")


def test_a_truncated_model_is_refused(toolkit, data, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(data[0], model)
    with open(model / "model.safetensors", "r+b") as file:
        file.truncate(100_000)
    done = run(train_command(toolkit, data, tmp_path / "out", "--model-name", model), check=False)
    assert done.returncode in (1, 2)
    assert_refused(done, tmp_path / "out", done.returncode, "model.safetensors")


def rewrite(source, target, change):
    """A copy of a dataset folder with one change, written by the real datasets package."""
    script = f"import sys, datasets; d = datasets.load_from_disk(sys.argv[1]).select(range(8)); d = {change}; d.save_to_disk(sys.argv[2])"
    python("-c", script, source, target)


def test_a_dataset_without_a_column_is_refused(toolkit, data, tmp_path):
    rewrite(data[1], tmp_path / "train", "d.remove_columns('labels')")
    done = run(train_command(toolkit, data, tmp_path / "out", "--train-dataset", tmp_path / "train"), check=False)
    assert_refused(done, tmp_path / "out", 2, '"labels"', ".arrow")


def test_an_audio_of_zero_samples_is_refused(toolkit, data, tmp_path):
    rewrite(
        data[1], tmp_path / "train", "d.map(lambda row, i: {'input_values': [], 'audio_length': 0} if i == 5 else row, with_indices=True)"
    )
    done = run(train_command(toolkit, data, tmp_path / "out", "--train-dataset", tmp_path / "train"), check=False)
    assert_refused(done, tmp_path / "out", 2, "row 5", "zero samples")


def test_options_that_contradict_the_adapter_are_refused(toolkit, data, adapter, tmp_path):
    done = run(
        train_command(
            toolkit,
            data,
            tmp_path / "out",
            "--initial-adapter",
            adapter,
            "--lora-rank",
            "4",
            "--lora-alpha",
            "64",
            "--train-target",
            "encoder,decoder",
        ),
        check=False,
    )
    assert_refused(
        done,
        tmp_path / "out",
        2,
        adapter / "adapter_config.json",
        "--lora-rank 4, but there it is 8",
        "--lora-alpha 64, but there it is 16",
        "--train-target encoder,decoder, but there it is encoder,projector,decoder",
    )


def test_an_adapter_whose_base_was_changed_is_refused_everywhere(toolkit, data, adapter, tmp_path):
    changed = with_settings(adapter, tmp_path / "adapter", init_lora_weights="pissa_niter_4")
    done = run(train_command(toolkit, data, tmp_path / "out", "--initial-adapter", changed), check=False)
    assert_refused(done, tmp_path / "out", 2, changed / "adapter_config.json", "pissa_niter_4", "path_initial_model_for_weight_conversion")
    (tmp_path / "rows.csv").write_text("audio\n/usr/share/sounds/alsa/Front_Left.wav\n")
    for options in (["--adapter", changed], ["--adapter", changed, "--merge-adapter", "true"]):
        done = run(
            [toolkit, "inference", tmp_path / "rows.csv", "--model-name", data[0], "--output", tmp_path / "out.csv", *options], check=False
        )
        assert_refused(done, tmp_path / "out.csv", 2, "pissa_niter_4")


def test_an_adapter_whose_tensors_do_not_fit_is_refused_before_the_model_is_loaded(toolkit, data, adapter, tmp_path):
    other = with_settings(adapter, tmp_path / "adapter", target_modules=["up_proj", "q_proj"])
    done = run(train_command(toolkit, data, tmp_path / "out", "--initial-adapter", other, common=()), check=False)
    assert_refused(done, tmp_path / "out", 2, "adapter_model.safetensors", "self_attn.q_proj.lora_A.weight", "not part of this adapter")


def test_a_loss_that_is_not_finite_ends_the_run_with_its_step(toolkit, data, adapter, tmp_path):
    broken = tmp_path / "adapter"
    shutil.copytree(adapter, broken)
    tensors = load_file(broken / "adapter_model.safetensors")
    next(iter(tensors.values())).fill_(float("nan"))
    save_file(tensors, broken / "adapter_model.safetensors", metadata={"format": "pt"})
    done = run(train_command(toolkit, data, tmp_path / "out", "--initial-adapter", broken), check=False)
    assert_refused(done, tmp_path / "out", 1, "step 1", "nan", left=["run.yaml"])


def test_the_failure_report_of_torchrun_shows_the_message(toolkit, bin_dir, venv_bin, data, tmp_path):
    done = run(
        [*two("torchrun", bin_dir, venv_bin), *train_command(toolkit, data, tmp_path / "out", "--train-dataset", tmp_path / "nothing")],
        check=False,
    )
    assert done.returncode != 0
    report = done.stderr.split("ChildFailedError", 1)[1]
    assert str(tmp_path / "nothing") in report


def test_sigterm_leaves_a_checkpoint_of_the_last_step(toolkit, data, tmp_path):
    process = subprocess.Popen(
        [str(part) for part in train_command(toolkit, data, tmp_path, "--batch-size", "1", "--num-epochs", "1000")],
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if line.startswith("{") and "'epoch': '0.2'" in line:
            process.send_signal(signal.SIGTERM)
            break
    process.stdout.read()
    assert process.wait(timeout=60) == -signal.SIGTERM
    folder, *rest = sorted(tmp_path.iterdir())
    assert [path.name for path in rest] == ["report.html", "run.yaml"]
    state = json.loads((folder / "trainer_state.json").read_text())
    assert folder.name == f"checkpoint-{state['global_step']}"
    assert state["log_history"][-1]["step"] == state["global_step"] >= 7
    load_file(folder / "adapter_model.safetensors")

"""Schedules, optimizer, strategies, the best checkpoint and early stopping beside Hugging Face's Trainer, with its names and numbers."""

import json
import subprocess

import pytest
import torch
from transformers import get_scheduler

import preloaded
from training_runs import assert_same, assert_same_adapter, assert_same_evaluations, history, reference, run, train_command, two

# Many options at once: each of them is in the numbers of every step.
SETTINGS = {
    "lr_scheduler_type": "cosine_with_min_lr",
    "lr_scheduler_kwargs": {"min_lr_rate": 0.1, "num_cycles": 0.7},
    "warmup_steps": 0.2,
    "weight_decay": 0.1,
    "adam_beta1": 0.8,
    "adam_beta2": 0.95,
    "adam_epsilon": 1e-6,
    "max_grad_norm": 0.3,
    "max_steps": 30,
    "logging_steps": 3,
    "eval_strategy": "epoch",
    "save_strategy": "epoch",
    "save_steps": 500,
}
LR = 5e-3
# The eval loss rises soon at this rate.
STOPPING = {
    "lr_scheduler_type": "polynomial",
    "lr_scheduler_kwargs": {"power": 2.0, "lr_end": 1e-5},
    "load_best_model_at_end": True,
    "metric_for_best_model": "loss",
    "eval_steps": 2,
    "save_steps": 2,
    "save_total_limit": 2,
    "max_steps": 30,
    "restore_callback_states_from_checkpoint": True,
}
PATIENCE, THRESHOLD = 2, 0.001
STOPPING_LR = 0.02


def options(settings, **more):
    """The options of ours by the very names of TrainingArguments."""
    words = []
    for name, value in {**settings, **more}.items():
        if name != "restore_callback_states_from_checkpoint":  # ours are always restored
            words += ["--" + name, json.dumps(value) if isinstance(value, (dict, bool)) else str(value)]
    return words


def trainer(data, adapter, output, settings, lr, *more, launcher=(), batch_size=4):
    return reference(
        data, adapter, output, "--lr", lr, "--batch-size", batch_size, "--arguments", json.dumps(settings), *more, launcher=launcher
    )


def toolkit_run(toolkit, data, adapter, output, settings, lr, *more, launcher=(), batch_size=4, start=("--initial-adapter",)):
    words = options(settings, learning_rate=lr, per_device_train_batch_size=batch_size, per_device_eval_batch_size=batch_size)
    return run([*launcher, *train_command(toolkit, data, output, *start, adapter, *words, *more, common=())])


def state(output):
    newest = max(output.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    return json.loads((newest / "trainer_state.json").read_text())


def checkpoints(output):
    return sorted(int(path.name.split("-")[1]) for path in output.glob("checkpoint-*"))


def assert_same_run(ours, theirs, rtol=1e-3):
    assert checkpoints(ours) == checkpoints(theirs)
    assert_same(history(ours)[0], history(theirs)[0], rtol=rtol)
    assert_same_evaluations(history(ours)[1], history(theirs)[1], rtol=rtol)
    mine, other = state(ours), state(theirs)
    for name in ("global_step", "max_steps", "num_train_epochs", "logging_steps", "eval_steps", "save_steps", "best_global_step"):
        assert mine[name] == other[name], name
    last = f"checkpoint-{checkpoints(ours)[-1]}"
    assert_same_adapter(ours / last, theirs / last, rtol=rtol)
    groups = [torch.load(folder / last / "optimizer.pt", weights_only=True)["param_groups"] for folder in (ours, theirs)]
    assert groups[0] == groups[1]
    schedules = [torch.load(folder / last / "scheduler.pt", weights_only=True) for folder in (ours, theirs)]
    assert schedules[0]["_last_lr"] == pytest.approx(schedules[1]["_last_lr"], rel=1e-12, abs=1e-18)


@pytest.fixture(scope="module")
def settings_of_theirs(data, adapter, tmp_path_factory):
    output = tmp_path_factory.mktemp("theirs")
    trainer(data, adapter, output, SETTINGS, LR)
    return output


@pytest.fixture(scope="module")
def settings_of_ours(toolkit, data, adapter, tmp_path_factory):
    output = tmp_path_factory.mktemp("ours")
    toolkit_run(toolkit, data, adapter, output, SETTINGS, LR)
    return output


def test_every_learning_rate_of_every_schedule_is_transformers(bin_dir):
    runs = [
        ("linear", {}, 1e-3, 3, 20),
        ("cosine", {}, 1e-3, 3, 20),
        ("cosine", {"num_cycles": 1.5}, 1e-3, 0, 20),
        ("cosine_with_min_lr", {"min_lr": 1e-4}, 1e-3, 3, 20),
        ("cosine_with_min_lr", {"min_lr_rate": 0.2, "num_cycles": 0.8}, 2e-3, 25, 20),
        ("constant", {}, 1e-3, 3, 20),
        ("constant_with_warmup", {}, 1e-3, 3, 20),
        ("polynomial", {}, 1e-3, 3, 20),
        ("polynomial", {"power": 2, "lr_end": 1e-5}, 1e-3, 0, 20),
        ("inverse_sqrt", {}, 1e-3, 3, 20),
        ("inverse_sqrt", {}, 1e-3, 0, 20),
        ("inverse_sqrt", {"timescale": 50}, 1e-3, 4, 20),
    ]
    words = [str(word) for name, kwargs, *numbers in runs for word in (name, json.dumps(kwargs) if kwargs else "", *numbers)]
    lines = subprocess.run([bin_dir / "schedule_probe", *words], check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    for line, (name, kwargs, base, warmup, total) in zip(lines, runs, strict=True):
        optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=base)
        scheduler = get_scheduler(name, optimizer, warmup, total, kwargs)
        theirs = []
        for _ in range(total + 2):
            theirs += scheduler.get_last_lr()
            optimizer.step()
            scheduler.step()
        assert [float(rate) for rate in line.split()] == pytest.approx(theirs, rel=1e-12, abs=1e-20), (name, kwargs)


def test_thirty_steps_with_every_option_equal_the_trainers(settings_of_ours, settings_of_theirs):
    steps, evaluations = history(settings_of_ours)
    assert len(steps) == 10 and [entry["step"] for entry in steps] == list(range(3, 31, 3))
    assert [entry["step"] for entry in evaluations] == [9, 18, 27, 30]
    assert max(entry["learning_rate"] for entry in steps) > 10 * min(entry["learning_rate"] for entry in steps[2:]) * 0.5
    assert_same_run(settings_of_ours, settings_of_theirs)


def test_two_ranks_equal_two_ranks_of_the_trainer(toolkit, data, adapter, bin_dir, venv_bin, tmp_path):
    trainer(data, adapter, tmp_path / "theirs", SETTINGS, LR, launcher=two("torchrun", bin_dir, venv_bin), batch_size=2)
    toolkit_run(toolkit, data, adapter, tmp_path / "ours", SETTINGS, LR, launcher=two("mdl-launch", bin_dir, venv_bin), batch_size=2)
    assert_same(history(tmp_path / "ours")[0], history(tmp_path / "theirs")[0], rtol=2e-3)
    assert checkpoints(tmp_path / "ours") == checkpoints(tmp_path / "theirs")
    assert_same_adapter(tmp_path / "ours" / "checkpoint-30", tmp_path / "theirs" / "checkpoint-30", rtol=2e-3)


def test_each_goes_on_from_the_others_checkpoint(toolkit, data, adapter, settings_of_ours, settings_of_theirs, tmp_path):
    words = options(SETTINGS, learning_rate=LR, batch_size=4)
    for checkpoint, whole in ((settings_of_ours, settings_of_ours), (settings_of_theirs, settings_of_theirs)):
        output = tmp_path / f"ours-{checkpoint.name}"
        run(train_command(toolkit, data, output, *words, "--resume-from-checkpoint", checkpoint / "checkpoint-18", common=()))
        assert_same(history(output)[0], history(whole)[0])
        assert_same_adapter(output / "checkpoint-30", whole / "checkpoint-30")
    trainer(data, adapter, tmp_path / "theirs", SETTINGS, LR, "--resume", settings_of_ours / "checkpoint-18")
    assert_same(history(tmp_path / "theirs")[0], history(settings_of_ours)[0])
    assert_same_adapter(tmp_path / "theirs" / "checkpoint-30", settings_of_ours / "checkpoint-30")


def test_transformers_reads_the_arguments(settings_of_ours):
    code = "import json, sys, torch; print(json.dumps({name: value for name, value in torch.load(sys.argv[1], weights_only=False).to_dict().items()}))"
    done = preloaded.run(["-c", code, settings_of_ours / "checkpoint-30" / "training_args.bin"], preloaded.TRAINER)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    for name, value in SETTINGS.items():
        assert told[name] == value, name


EXPRESSION = r"decoder\.model\.layers\.\d+\.self_attn\.(q|v)_proj|audio_projector\.net\.2"
LOOK = """
import json, re, sys
from peft import PeftModel
from transformers import AutoModelForCausalLM
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(sys.argv[1], trust_remote_code=True), sys.argv[2])
layers = {name: module.scaling["default"] for name, module in model.get_base_model().named_modules() if hasattr(module, "lora_A")}
wanted = [name for name, module in model.get_base_model().named_modules() if re.fullmatch(sys.argv[3], name)]
print(json.dumps([layers, wanted]))
"""


def test_rslora_and_an_expression_for_layers_are_pefts(toolkit, data, bin_dir, venv_bin, tmp_path):
    lora = ["--use_rslora", "true", "--lora-targets", EXPRESSION, "--lora-rank", "9", "--lora-alpha", "12"]
    run(train_command(toolkit, data, tmp_path / "fresh", *lora, "--lr", "0", "--max-steps", "1", common=()))
    fresh = tmp_path / "fresh" / "final"
    done = preloaded.run(["-c", LOOK, data[0], fresh, EXPRESSION], preloaded.TRAINER)
    layers, wanted = json.loads(done.stdout.splitlines()[-1])
    assert sorted(layers) == sorted(wanted) and len(wanted) > 2
    assert set(layers.values()) == {12 / 9**0.5}
    settings = {"max_steps": 30, "save_steps": 500}
    trainer(data, fresh, tmp_path / "theirs", settings, LR)
    run(train_command(toolkit, data, tmp_path / "ours", *lora, *options(settings, lr=LR, batch_size=4), common=()))
    assert_same(history(tmp_path / "ours")[0], history(tmp_path / "theirs")[0])
    assert_same_adapter(tmp_path / "ours" / "checkpoint-30", tmp_path / "theirs" / "checkpoint-30")
    launcher = two("mdl-launch", bin_dir, venv_bin)
    words = options(settings, lr=LR, batch_size=2, resume_from_checkpoint=True, output_dir=tmp_path / "ours")
    resumed = train_command(toolkit, data, tmp_path / "ours", *lora, *words, "--max-steps", "34", common=())
    run([*launcher, *resumed])  # which says the same of its adapters as the checkpoint
    assert [entry["step"] for entry in history(tmp_path / "ours")[0]] == list(range(1, 35))

    for words, problem in {
        ("--lora-targets", "nothing"): "among them audio_encoder.blocks.0.attn.qkv",
        ("--lora-targets", r".*patch_embed\.proj"): "it is no linear layer",
    }.items():
        done = run(train_command(toolkit, data, tmp_path / "none", *words, common=()), check=False)
        assert done.returncode == 2 and problem in done.stderr, (words, done.stderr)
    changed = [*lora[:2], "--lora-targets", EXPRESSION + "x?|decoder.*gate_proj", *lora[4:]]
    done = run(train_command(toolkit, data, tmp_path / "other", *changed, "--initial-adapter", fresh, common=()), check=False)
    assert done.returncode == 2 and "--lora-targets" in done.stderr and "but there it is" in done.stderr


@pytest.fixture(scope="module")
def stopped(toolkit, data, adapter, tmp_path_factory):
    """The Trainer's run, ours, and ours in two parts."""
    output = tmp_path_factory.mktemp("stopping")
    callback = ["--patience", PATIENCE, "--threshold", THRESHOLD]
    trainer(data, adapter, output / "theirs", STOPPING, STOPPING_LR, *callback)
    ours = ["--early-stopping-patience", PATIENCE, "--early-stopping-threshold", THRESHOLD]
    return output, toolkit_run(toolkit, data, adapter, output / "ours", STOPPING, STOPPING_LR, *ours)


def test_early_stopping_and_the_best_checkpoint_are_the_trainers(stopped):
    output, told = stopped
    ours, theirs = output / "ours", output / "theirs"
    mine, other = state(ours), state(theirs)
    assert mine["best_global_step"] < mine["global_step"] < 30, "the case is one in which the best is not the last"
    assert_same_run(ours, theirs)
    assert mine["best_metric"] == pytest.approx(other["best_metric"], rel=1e-3)
    assert mine["best_model_checkpoint"] == str(ours / f"checkpoint-{mine['best_global_step']}")
    assert mine["stateful_callbacks"]["EarlyStoppingCallback"] == other["stateful_callbacks"]["EarlyStoppingCallback"]
    assert mine["stateful_callbacks"]["TrainerControl"] == other["stateful_callbacks"]["TrainerControl"]
    assert_same_adapter(ours / "final", theirs / "final")
    best = ours / f"checkpoint-{mine['best_global_step']}"
    for name in ("adapter_model.safetensors", "mdl_running_statistics.safetensors"):
        if (best / name).exists():
            assert (ours / "final" / name).read_bytes() == (best / name).read_bytes()
    assert f"stopped early after step {mine['global_step']} of 30: 2 evaluations in a row" in told.stderr
    assert f"final/ is made from {best}" in told.stderr


def test_early_stopping_goes_on_with_a_resume_and_two_ranks_stop_together(toolkit, data, adapter, stopped, bin_dir, venv_bin, tmp_path):
    whole = stopped[0] / "ours"
    last, best = state(whole)["global_step"], state(whole)["best_global_step"]
    words = options(STOPPING, learning_rate=STOPPING_LR, early_stopping_patience=PATIENCE, early_stopping_threshold=THRESHOLD)
    middle = whole / f"checkpoint-{best}"
    resume = train_command(toolkit, data, tmp_path / "b", *words, "--batch-size", "4", "--resume-from-checkpoint", middle, common=())
    run(resume)
    assert state(tmp_path / "b")["global_step"] == last
    assert_same(history(tmp_path / "b")[0], history(whole)[0], rtol=1e-6)
    # A run that has stopped early is at its end.
    again = run([*train_command(toolkit, data, whole, *words, "--batch-size", "4", "--resume-from-checkpoint", "true", common=())])
    assert "nothing is left to do" in again.stderr and state(whole)["global_step"] == last

    toolkit_run(
        toolkit,
        data,
        adapter,
        tmp_path / "two",
        STOPPING,
        STOPPING_LR,
        "--early-stopping-patience",
        PATIENCE,
        launcher=two("mdl-launch", bin_dir, venv_bin),
        batch_size=2,
    )
    assert state(tmp_path / "two")["global_step"] < 30


def test_what_cannot_be_is_told_before_the_model_is_loaded(toolkit, data, tmp_path):
    for words, problem in {
        ("--load-best-model-at-end", "true", "--eval-strategy", "no"): "needs evaluations",
        ("--load-best-model-at-end", "true", "--save-strategy", "epoch"): "needs the same --eval-strategy and --save-strategy",
        ("--load-best-model-at-end", "true", "--eval-steps", "4", "--save-steps", "6"): "to be a multiple of --eval-steps (4)",
        ("--early-stopping-patience", "0"): "expected a whole number from 1",
        ("--metric-for-best-model", "wer"): "needs the model's answers",
        ("--lr-scheduler-type", "cosin"): "Did you mean cosine?",
        ("--lr-scheduler-type", "cosine_with_min_lr"): "needs one of min_lr and min_lr_rate",
        ("--lr-scheduler-kwargs", '{"power": 2}'): "linear has no power",
        ("--lr-scheduler-type", "polynomial", "--lr-scheduler-kwargs", '{"power": "x"}'): "power to be a number",
        ("--lr-scheduler-type", "polynomial", "--lr", "1e-8"): "must be above polynomial's lr_end",
        ("--warmup-ratio", "0.1", "--warmup-steps", "3"): "exclude each other",
        ("--adam-beta2", "1"): "expected a number from 0, below 1",
        ("--max-steps", "0"): "expected a whole number from 1, or -1",
        ("--lora-targets", "(x"): "--lora-targets",
        ("--lora-targets", "x", "--train-target", "encoder"): "exclude each other",
    }.items():
        done = run(train_command(toolkit, data, tmp_path / "none", *words), check=False)
        assert done.returncode == 2 and problem in done.stderr, (words, done.stderr)
    assert not (tmp_path / "none").exists()

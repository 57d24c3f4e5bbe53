"""Training a model whose audio encoder has two branches, as the published 0.6B has."""

import re
import shutil

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from training_runs import assert_same, assert_same_adapter, history, reference, run, train_command, two


@pytest.fixture(scope="module")
def small(checkpoint, data):
    """(checkpoint, train, test): the datasets are those of the other checkpoint, whose tokenizer is the same."""
    return checkpoint("qwen3", "--encoder", "tokenizer"), *data[1:]


def test_steps_resumed_in_the_middle_are_the_trainers(toolkit, small, made_adapter, tmp_path):
    adapter = made_adapter(small[0], "--blocks", "audio_encoder.model.blocks")
    options = ["--batch-size", "2", "--lr", "3e-4", "--eval-steps", "9"]
    reference(small, adapter, tmp_path / "theirs", *options, "--epochs", 1, "--save-steps", 9)
    ours = ["--initial-adapter", adapter, *options, "--num-epochs", "1", "--save-steps", "9"]
    run(train_command(toolkit, small, tmp_path / "ours", *ours))
    shutil.rmtree(tmp_path / "ours" / "checkpoint-18")
    run(train_command(toolkit, small, tmp_path / "ours", *ours, "--resume-from-checkpoint", "true"))
    mine, other = history(tmp_path / "ours"), history(tmp_path / "theirs")
    assert len(mine[0]) == 18
    assert_same(mine[0], other[0])
    assert_same(mine[1], other[1], keys=("eval_loss", "epoch"))
    for step in (9, 18):
        assert_same_adapter(tmp_path / "ours" / f"checkpoint-{step}", tmp_path / "theirs" / f"checkpoint-{step}")


def test_two_ranks_stay_in_float32_and_write_the_names_that_they_read(toolkit, small, bin_dir, venv_bin, tmp_path):
    done = {}
    for merge in ("false", "true"):
        options = ["--batch-size", "2", "--num-epochs", "0.3", "--eval-steps", "0.5"]
        command = [*two("torchrun", bin_dir, venv_bin), *train_command(toolkit, small, tmp_path / merge, *options, "--merge-lora", merge)]
        done[merge] = run(command, env={"ACCELERATE_MIXED_PRECISION": "bf16"})
        assert (done[merge].stdout + done[merge].stderr).count("stays in float32") == 1
    files = [small[0] / "model.safetensors", tmp_path / "true" / "final" / "model.safetensors"]
    before, after = (load_file(file) for file in files)
    assert after.keys() == before.keys()
    assert {name: (t.dtype, t.shape) for name, t in after.items()} == {name: (t.dtype, t.shape) for name, t in before.items()}

    # PEFT takes the fresh adapter by its target_modules, and with the moved statistics it is the merged model.
    base = AutoModelForCausalLM.from_pretrained(small[0], trust_remote_code=True)
    model = PeftModel.from_pretrained(base, tmp_path / "false" / "final")
    loaded = {name: tensor for name, tensor in model.named_parameters() if "lora_" in name}
    kept = load_file(tmp_path / "false" / "final" / "adapter_model.safetensors")
    assert {name.replace(".default", "") for name in loaded} == kept.keys()
    assert sum("audio_encoder.model.blocks" in name for name in kept) == 2 * 2 * 2
    statistics = load_file(tmp_path / "false" / "final" / "batch_norm.safetensors")
    base.get_submodule("audio_encoder.model.init_bn.1").load_state_dict(statistics, strict=False)
    merged = model.merge_and_unload().state_dict()
    for name, tensor in after.items():
        torch.testing.assert_close(tensor, merged[name], rtol=1e-5, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}")


def test_bfloat16_is_obeyed_and_named_where_a_loss_is_not_finite(toolkit, small, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(small[0], model)
    tensors = load_file(model / "model.safetensors")
    tensors["audio_encoder.norm.weight"].fill_(float("nan"))
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    for value, named in (("true", True), ("false", False)):
        command = train_command(toolkit, (model, *small[1:]), tmp_path / value, "--batch-size", "2", "--bf16", value)
        done = run(command, check=False)
        assert done.returncode == 1
        assert re.search("step 1: the loss is -?nan", done.stderr)
        assert ("known for that in bfloat16" in done.stderr and "Leave --bf16 true out" in done.stderr) == named
        assert ("A lower --lr" in done.stderr) != named
        assert "stays in float32" not in done.stderr

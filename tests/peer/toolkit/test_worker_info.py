"""mdl-toolkit info beside what safetensors, datasets and peft read from the same folders."""

import os
import shutil
import subprocess

import pytest
import torch
from datasets import load_from_disk
from peft import LoraConfig, get_peft_model
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from programs import run


@pytest.fixture
def info(bin_dir):
    return lambda *arguments: run([bin_dir / "mdl-toolkit", "info", *arguments])


def counted(path):
    with safe_open(path, "pt") as file:
        tensors = [file.get_tensor(name) for name in file.keys()]
    return f"{sum(t.numel() for t in tensors):,} numbers in {len(tensors):,} tensors"


def test_a_models_folder(info, checkpoint):
    model = checkpoint()
    told = info(model)
    assert counted(model / "model.safetensors") in told
    for expected in (
        "a model",
        "midashenglm",
        "num_hidden_layers 2",
        "audio_projector:",
        "2,006 tokens",
        "<|im_start|>assistant\n    A bell.<|im_end|>",
    ):
        assert expected in told


def test_an_adapters_folder(info, checkpoint, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(checkpoint(), trust_remote_code=True, dtype=torch.bfloat16)
    get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=r"^audio_projector\.net\.(0|2)$")).save_pretrained(tmp_path)
    save_file({"running_mean": torch.zeros(7), "running_var": torch.ones(7)}, tmp_path / "batch_norm.safetensors")
    told = info(tmp_path)
    assert "14 numbers in batch_norm.safetensors" in told
    assert counted(tmp_path / "adapter_model.safetensors") in told
    for expected in ("a LoRA adapter", str(checkpoint()), "r 4, lora_alpha 8", r"^audio_projector\.net\.(0|2)$"):
        assert expected in told


def test_a_datasets_folder(info, checkpoint, dataset):
    train, _ = dataset()
    rows = load_from_disk(train)
    told = info(train, "--model-name", checkpoint(), "--row", "3")
    tokens = sum(sum(row["attention_mask"]) for row in rows)
    labels = sum(label != -100 for row in rows for label in row["labels"])
    samples = sum(rows["audio_length"])
    for expected in (
        f"{len(rows)}\n",
        f"{tokens:,}, ",
        f"{labels:,}, ",
        f"{samples / 16000 / 3600:.2f} h",
        "input_values [float32]",
        "What is this sound?",
        "<|im_start|>user",
    ):
        assert expected in told
    assert "--model-name" in info(train)


@pytest.mark.parametrize(
    "arguments, what",
    [
        ([], "no folder or model"),
        (["."], "none of the folders"),
        (["nothing"], "nothing"),
        ([".", "more"], "more"),
        (["--rwo", "1"], "rwo"),
    ],
)
def test_a_wrong_command_line_is_one_message_and_exit_2(bin_dir, tmp_path, arguments, what):
    done = subprocess.run([bin_dir / "mdl-toolkit", "info", *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert what in done.stderr


def refused(bin_dir, folder):
    done = subprocess.run([bin_dir / "mdl-toolkit", "info", folder], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "json.exception" not in done.stderr
    return done.stderr


def test_weights_that_are_a_link_to_nothing_are_not_here(bin_dir, checkpoint, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(checkpoint(), model)
    (model / "model.safetensors").unlink()
    for target in ("../blobs/none", "model.safetensors"):
        (model / "model.safetensors").symlink_to(target)
        told = subprocess.run([bin_dir / "mdl-toolkit-data", "info", model], capture_output=True, text=True, timeout=60).stdout
        assert "not here (model.safetensors is a link to nothing)" in told and "2,006 tokens" in told
        (model / "model.safetensors").unlink()


def test_only_the_files_of_the_dataset_are_counted(info, dataset, tmp_path):
    folder = tmp_path / "dataset"
    shutil.copytree(dataset()[1], folder)
    before = info(folder).replace(str(folder), "")
    shutil.copy(next(folder.glob("data-*.arrow")), folder / "cache-0123456789abcdef.arrow")  # as datasets leaves them
    (folder / "folder.arrow").mkdir()
    (folder / "link.arrow").symlink_to("nothing")
    assert info(folder).replace(str(folder), "") == before


def test_damage_is_named(bin_dir, checkpoint, dataset, tmp_path):
    broken = tmp_path / "model"
    shutil.copytree(checkpoint(), broken)
    whole = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(whole[:-1])
    done = subprocess.run([bin_dir / "mdl-toolkit", "info", broken], capture_output=True, text=True)
    assert done.returncode == 2
    assert "model.safetensors: the file is truncated" in done.stderr
    (broken / "model.safetensors").unlink()
    (broken / "model.safetensors").mkdir()
    assert "model.safetensors is a folder, not a file of weights" in refused(bin_dir, broken)
    (broken / "config.json").write_text("[]")
    assert "config.json: the file must be a JSON object, not array" in refused(bin_dir, broken)
    (broken / "config.json").unlink()
    os.mkfifo(broken / "config.json")
    assert "config.json: it is a named pipe" in refused(bin_dir, broken)
    (broken / "adapter_config.json").write_text("[]")
    assert "adapter_config.json: the file must be a JSON object, not array" in refused(bin_dir, broken)
    done = subprocess.run([bin_dir / "mdl-toolkit", "info", dataset()[1], "--row", "9"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "rows 0 to 8" in done.stderr

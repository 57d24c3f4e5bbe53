"""What the tests of `mdl-toolkit train` share beside the fixtures: runs of it and of Hugging Face's Trainer, and comparisons of what they leave."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import transformers
from safetensors.torch import load_file, save_file

import preloaded

PEER = Path(__file__).resolve().parent
COMMON = ["--lora-rank", "8", "--lora-alpha", "16"]


def python(script, *arguments, launcher=()):
    """A script, or "-c" and code, with the Python stack on the CPU, alone or as each worker of a launcher."""
    env = {**os.environ, "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"}
    if launcher:
        return run([*launcher, *preloaded.stand_in(preloaded.TRAINER, env), script, *arguments], env=env)
    done = preloaded.run([script, *arguments], preloaded.TRAINER, env=env)
    assert done.returncode == 0, f"{script} {arguments} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done


def run(command, env=None, check=True, **options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **(env or {})}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=400, env=environment, **options)
    if check:
        assert done.returncode == 0, f"{command} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done


def with_settings(adapter, folder, **settings):
    """A copy of an adapter with other values in its configuration, and of the ranks that this says."""
    shutil.copytree(adapter, folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, **settings}))
    tensors = load_file(folder / "adapter_model.safetensors")
    for layer, rank in settings.get("rank_pattern", {}).items():
        for name in [name for name in tensors if f"{layer}.lora_" in name]:
            tensors[name] = (tensors[name][:rank] if "lora_A" in name else tensors[name][:, :rank]).contiguous()
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    return folder


def train_command(toolkit, data, output, *options, common=COMMON):
    model, train, test = data
    return [
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
        "--merge-lora",
        "false",
        *common,
        *options,
    ]


def two(launcher, bin_dir, venv_bin):
    program = bin_dir / "mdl-launch" if launcher == "mdl-launch" else venv_bin / "torchrun"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    return [program, "--standalone", "--nproc-per-node", "2", "--no-python"]


def history(output):
    """log_history of the newest checkpoint: (training steps, evaluations)."""
    newest = max(output.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    log = json.loads((newest / "trainer_state.json").read_text())["log_history"]
    return [entry for entry in log if "loss" in entry], [entry for entry in log if "eval_loss" in entry]


def assert_same(ours, theirs, keys=("loss", "grad_norm", "learning_rate", "epoch"), rtol=1e-3):
    assert len(ours) == len(theirs) > 0
    for mine, other in zip(ours, theirs, strict=True):
        assert mine["step"] == other["step"]
        for key in keys:
            assert mine[key] == pytest.approx(other[key], rel=rtol, abs=1e-12), f"{key} at step {mine['step']}"


def assert_same_evaluations(ours, theirs, keys=("eval_loss", "epoch"), rtol=1e-3):
    """transformers 5 evaluates behind the last step too, as we do; transformers 4 does not unless it is that step's turn."""
    if transformers.__version__.startswith("4.") and len(ours) == len(theirs) + 1:
        ours = ours[:-1]
    assert_same(ours, theirs, keys, rtol)


def assert_same_adapter(ours, theirs, rtol=1e-3):
    mine, other = load_file(ours / "adapter_model.safetensors"), load_file(theirs / "adapter_model.safetensors")
    assert mine.keys() == other.keys()
    for name in mine:
        difference = (mine[name] - other[name]).norm() / other[name].norm()
        assert difference < rtol, f"{name} differs by {difference}"


def reference(data, adapter, output, *options, launcher=()):
    """Hugging Face's Trainer from the same adapter."""
    model, train, test = data
    return python(
        PEER / "reference_trainer.py",
        "--model",
        model,
        "--adapter",
        adapter,
        "--train",
        train,
        "--eval",
        test,
        "--output",
        output,
        *options,
        launcher=launcher,
    )

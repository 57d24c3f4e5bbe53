"""mdl-toolkit plan: how much memory a training takes, told before it starts."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def plan(bin_dir):
    def run(*options, **variables):
        words = [str(bin_dir / "mdl-toolkit"), "plan", *map(str, options)]
        return subprocess.run(words, capture_output=True, text=True, timeout=120, env={**os.environ, **variables})

    return run


def sizes(text):
    """The table's numbers in MiB, by what stands before them."""
    found = re.findall(r"^  (\S.*?) +([\d.]+) ([GM])iB$", text, re.M)
    return {name: float(number) * (1024 if unit == "G" else 1) for name, number, unit in found}


@pytest.fixture
def seven_billion(data, tmp_path):
    """The tiny checkpoint's folder with the sizes of the published 7B, and without a weight."""
    folder = tmp_path / "7b"
    shutil.copytree(data[0], folder, ignore=shutil.ignore_patterns("*.safetensors*"))
    config = json.loads((folder / "config.json").read_text())
    config["audio_encoder_config"] |= {"embed_dim": 1280, "depth": 32, "num_heads": 16, "target_length": 1008}
    config["text_config"] |= {"hidden_size": 3584, "num_hidden_layers": 28, "intermediate_size": 18944, "num_attention_heads": 28}
    config["text_config"] |= {"num_key_value_heads": 4, "vocab_size": 152064, "head_dim": 128}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_train_s_own_command_line_is_planned_and_what_it_takes_is_told_in_parts(plan, data, tmp_path):
    model, train, test = data
    done = plan("--model-name", model, "--train-dataset", train, "--eval-dataset", test, "--output", tmp_path / "none", "--lora-rank", 4)
    assert (done.returncode, done.stderr) == (0, "")
    told = sizes(done.stdout)
    parts = ("base model, bfloat16", "adapters of rank 4", "optimizer", "kept for the backward pass, with checkpointing")
    parts += ("gradients and working memory",)
    assert sum(told[part] for part in parts) == pytest.approx(told["device, training"], abs=0.3)
    assert told["device, evaluation"] > told["base model, bfloat16"]
    assert "8 clips, the longest" in done.stdout
    assert not (tmp_path / "none").exists()


def test_the_7b_needs_no_weights_and_is_compared_with_a_memory(plan, seven_billion):
    rows = ("--model-name", seven_billion, "--seconds", 10, "--tokens", 300, "--labels", 50)
    done = plan(*rows, "--memory", "24GiB")
    assert done.returncode == 0, done.stderr
    assert sizes(done.stdout)["device, training"] == pytest.approx(17.3 * 1024, rel=0.03)
    assert re.search(r"^It fits\. The largest --batch-size that does is \d+\.$", done.stdout, re.M)
    largest = int(re.search(r"--batch-size that does is (\d+)", done.stdout)[1])
    assert "It fits" in plan(*rows, "--memory", "24GiB", "--batch-size", largest).stdout
    assert "It does not fit" in plan(*rows, "--memory", "24GiB", "--batch-size", largest + 1).stdout
    done = plan(*rows, "--memory", "24GiB", "--gradient-checkpointing", "false")
    assert "It does not fit. These do:\n--batch-size 4 takes" in done.stdout
    assert "\n--gradient-checkpointing true takes 17.34 GiB\n" in done.stdout
    done = plan(*rows, "--quantization", "4bit", "--ranks", 2, "--memory", "80GB")
    assert sizes(done.stdout)["device, training"] == pytest.approx(7.8 * 1024, rel=0.05)
    assert "gradients" in sizes(done.stdout)  # of two ranks they stay


def test_on_a_cpu_the_type_is_the_one_that_train_would_take_there(plan, seven_billion, data):
    multiplies = " amx_bf16 " in Path("/proc/cpuinfo").read_text()
    rows = ("--seconds", 10, "--device", "cpu")
    expected = "bfloat16" if multiplies else "float32"
    assert f"base model, {expected}" in plan("--model-name", seven_billion, *rows).stdout
    assert "base model, bfloat16" in plan("--model-name", seven_billion, *rows, "--bf16", "true").stdout
    assert "base model, float32" in plan("--model-name", data[0], *rows).stdout


def test_the_memory_of_the_gpu_that_is_there_is_taken(plan, seven_billion, bin_dir):
    fake = {"LD_LIBRARY_PATH": str(bin_dir / "fake_nvml"), "MDL_FAKE_MEMORY": str(80 << 30)}
    done = plan("--model-name", seven_billion, **fake)
    assert sizes(done.stdout)["the GPU here"] == 80 * 1024
    assert "It fits" in done.stdout
    done = plan("--model-name", seven_billion, LD_LIBRARY_PATH="")
    assert "There is no GPU here, and no --memory to compare it with." in done.stdout


def test_other_programs_read_bytes(plan, seven_billion):
    told = json.loads(plan("--model-name", seven_billion, "--json", "true", "--memory", "80GB").stdout)
    parts = ("weights", "adapters", "optimizer", "gradients", "kept_for_backward", "working")
    assert sum(told[part] for part in parts) == told["device_training"]
    assert told["device_memory"] == 80 * 10**9 and told["largest_batch_size"] > told["batch_size"] == 8


def test_batches_of_tokens_are_planned(plan, seven_billion, data):
    rows = ("--model-name", seven_billion, "--seconds", 10, "--tokens", 300, "--labels", 50, "--memory", "24GiB")
    by_rows, by_tokens = plan(*rows), plan(*rows, "--batch-tokens", 8 * 300)
    assert by_tokens.returncode == 0, by_tokens.stderr
    assert "its heaviest batch: 2400 tokens, the longest row 10.0 s and 300 tokens" in by_tokens.stdout
    assert sizes(by_tokens.stdout)["device, training"] == sizes(by_rows.stdout)["device, training"]
    largest = int(re.search(r"It fits. The largest --batch-tokens that does is (\d+)", by_tokens.stdout)[1])
    assert largest // 300 == int(re.search(r"--batch-size that does is (\d+)", by_rows.stdout)[1])
    assert "It fits" in plan(*rows, "--batch-tokens", largest).stdout
    assert "It does not fit. These do:\n--batch-tokens " in plan(*rows, "--batch-tokens", largest + 1).stdout
    told = json.loads(plan(*rows, "--batch-tokens", 2400, "--json", "true").stdout)
    assert told["batch_tokens"] == 2400 and told["largest_batch_tokens"] == largest and "batch_size" not in told
    told = json.loads(plan("--model-name", data[0], "--train-dataset", data[1], "--batch-tokens", 2**62, "--json", "true").stdout)
    assert told["batch_tokens"] < 35 * 200  # which the dataset's 35 rows can fill
    assert "batches of more than 10000000 tokens are not planned" in plan(*rows, "--batch-tokens", 10**9).stderr
    done = plan("--model-name", data[0], "--train-dataset", data[1], "--batch-tokens", 1)
    assert done.returncode == 2 and "--batch-tokens 1: row " in done.stderr and "and 34 others have more" in done.stderr


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--memory", str(64 << 20)), None),
        (("--memory", "24"), "--memory 24: expected a GPU's memory, for example 80GiB"),
        (("--memory", "24GiBi"), "--memory 24GiBi: expected a size, for example 500MB"),
        (("--memory", "0GiB"), "--memory 0GiB: expected a size"),
        (("--seconds", "-1"), "--seconds -1: "),
        (("--memroy", "24GiB"), "unknown option --memroy"),
        (("--train-dataset", "x.csv"), "x.csv is a file of rows, whose lengths nobody knows yet"),
        (("--train-dataset", "/none", "--seconds", "3"), "--seconds and --train-dataset exclude each other"),
        (("--batch-size", "0"), "--batch-size 0: "),
        (("--batch-tokens", "50"), "--batch-tokens 50: a row alone has "),
        (("--batch-tokens", "500", "--batch-size", "4"), "--batch-tokens and --batch-size exclude each other"),
    ],
)
def test_a_mistake_is_told_as_train_tells_it(plan, data, options, problem):
    done = plan("--model-name", data[0], *options)
    assert done.returncode == (0 if problem is None else 2), done.stderr
    assert problem is None or problem in done.stderr
    assert "Traceback" not in done.stderr and "at::" not in done.stderr

"""--quantization beside the real stack: transformers' BitsAndBytesConfig as the Python tool sets it, bitsandbytes and peft, on the CPU."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import bitsandbytes
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from programs import run
from test_worker_model import Case, assert_equal, plain_name
from training_runs import COMMON, PEER, assert_same, assert_same_adapter, history, python, train_command

os.environ["OMP_NUM_THREADS"] = "1"  # the model is too small for more
torch.set_num_threads(1)
KINDS = {
    "8bit": (["--quantization", "8bit"], dict(load_in_8bit=True)),
    "4bit": (["--quantization", "4bit"], dict(load_in_4bit=True)),  # as mdl_toolkit/train.py, which leaves the type to transformers: fp4
    "nf4": (["--quantization", "4bit", "--quantization-type", "nf4"], dict(load_in_4bit=True, bnb_4bit_quant_type="nf4")),
    "nf4 double": (
        ["--quantization", "4bit", "--quantization-type", "nf4", "--double-quantization"],
        dict(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True),
    ),
}


def quantized_model(checkpoint, settings, dtype=torch.float32):
    if "load_in_4bit" in settings:
        settings = {**settings, "bnb_4bit_compute_dtype": dtype}
    return AutoModelForCausalLM.from_pretrained(
        checkpoint, trust_remote_code=True, dtype=dtype, device_map={"": "cpu"}, quantization_config=BitsAndBytesConfig(**settings)
    )


@pytest.fixture(scope="module")
def case(checkpoint, tmp_path_factory):
    """A checkpoint, a batch, and an adapter that PEFT wrote. Rows are whole blocks of 64, as in MiDashengLM: with others bitsandbytes
    0.50.2 dequantizes wrongly on CPUs with AVX-512."""
    return Case(checkpoint("qwen2", "--embed-dim", "64", "--intermediate", "192"), tmp_path_factory.mktemp("quantization"))


@pytest.fixture(scope="module", params=list(KINDS))
def kind(request, case):
    """Our options, and the quantized Python model with the adapter."""
    options, settings = KINDS[request.param]
    model = PeftModel.from_pretrained(quantized_model(case.checkpoint, settings), case.folder / "adapter", is_trainable=True)
    return request.param, options, model


def test_codes_scales_and_numbers_are_bitsandbytes(case, kind, bin_dir):
    name, options, model = kind
    ours = case.native(bin_dir, *options)
    layers = {
        layer: module
        for layer, module in model.get_base_model().named_modules()
        if isinstance(module, (bitsandbytes.nn.Linear4bit, bitsandbytes.nn.Linear8bitLt))
    }
    assert len(layers) == len([key for key in ours if key.startswith("codes.")]) == 2 * 4 + 2 + 2 * 7
    for layer, module in layers.items():
        layer = layer.replace(".base_layer", "")
        if name == "8bit":
            codes, scales = module.weight.data, module.weight.SCB if module.weight.SCB is not None else module.state.SCB
            numbers = codes.float() * (scales.unsqueeze(1) * (1 / 127.0))
        else:
            state = module.weight.quant_state
            codes = module.weight.data
            scales = state.absmax
            if state.nested:
                scales = bitsandbytes.functional.dequantize_blockwise(state.absmax, state.state2) + state.offset
            numbers = bitsandbytes.functional.dequantize_4bit(module.weight.data, state)
        assert torch.equal(ours["codes." + layer].flatten(), codes.flatten()), layer
        assert torch.equal(ours["scales." + layer], scales), layer
        assert torch.equal(ours["weight." + layer], numbers), layer


def test_a_training_step_is_pythons(case, kind, bin_dir):
    """Loss and every adapter's gradient, with the weights quantized on both sides."""
    name, options, model = kind
    ours = case.native(bin_dir, *options)
    model.train()
    model.zero_grad()
    out = model(**case.batch, num_items_in_batch=1)
    out.loss.backward()
    assert_equal(ours["loss"], out.loss.detach(), "loss", rtol=1e-4)
    gradients = {plain_name(key): tensor.grad for key, tensor in model.named_parameters() if tensor.requires_grad}
    assert len(gradients) == 2 * (2 * 2 + 2 + 2 * 3)
    for key, gradient in gradients.items():
        assert_equal(ours["grad." + key], gradient, key, rtol=1e-3)
    plain = case.native(bin_dir)
    assert (plain["loss"] - out.loss).abs() > 20 * (ours["loss"] - out.loss).abs()  # it is quantized indeed


def test_an_encoder_with_two_branches_is_quantized_too(checkpoint, bin_dir, tmp_path):
    case = Case(checkpoint("qwen3", "--encoder", "tokenizer", "--embed-dim", "64", "--intermediate", "192"), tmp_path, encoder="tokenizer")
    options, settings = KINDS["8bit"]
    model = PeftModel.from_pretrained(quantized_model(case.checkpoint, settings), tmp_path / "adapter", is_trainable=True)
    test_codes_scales_and_numbers_are_bitsandbytes(case, ("8bit", options, model), bin_dir)
    test_a_training_step_is_pythons(case, ("8bit", options, model), bin_dir)


def test_the_evaluation_is_pythons(case, kind, bin_dir):
    """With 8bit the inputs are quantized then too, whose rounding either side may see an ulp apart."""
    name, options, model = kind
    ours = case.native(bin_dir, *options, "--eval")
    model.eval()
    for module in model.modules():  # else a CPU with AVX512-BF16 computes in bfloat16 then, and only for sizes in steps of 32
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False
    model.get_base_model().audio_encoder.init_bn.load_state_dict(
        quantized_model(case.checkpoint, KINDS[name][1]).audio_encoder.init_bn.state_dict()
    )
    with torch.no_grad():
        logits = model(**case.batch).logits
    real = case.real_positions()
    if name == "8bit":
        difference = (ours["logits"][real] - logits[real]).norm() / logits[real].norm()
        assert difference < 0.02, difference
    else:
        assert_equal(ours["logits"][real], logits[real], "logits", rtol=1e-3)


@pytest.fixture(scope="module")
def quantized_data(checkpoint, dataset, made_adapter):
    """A checkpoint whose rows are whole blocks, its datasets, and an adapter."""
    model = checkpoint("qwen2", "--embed-dim", "64", "--intermediate", "192")
    return (model, *dataset(model)), made_adapter(model)


@pytest.mark.parametrize("bits", ["4bit", "8bit"])
def test_a_run_of_training_is_the_trainers(bits, quantized_data, toolkit, tmp_path):
    data, adapter = quantized_data
    model, train, _ = data
    python(
        PEER / "reference_trainer.py",
        "--model",
        model,
        "--adapter",
        adapter,
        "--train",
        train,
        "--output",
        tmp_path / "theirs",
        "--quantization",
        bits,
        "--batch-size",
        "4",
    )
    ours = [
        toolkit,
        "train",
        "--model-name",
        model,
        "--train-dataset",
        train,
        "--output",
        tmp_path / "ours",
        "--merge-lora",
        "false",
        *COMMON,
        "--quantization",
        bits,
        "--batch-size",
        "4",
        "--initial-adapter",
        adapter,
    ]
    run(ours)
    steps, expected = history(tmp_path / "ours")[0], history(tmp_path / "theirs")[0]
    assert len(steps) == 9
    assert_same(steps, expected)
    newest = [max((tmp_path / name).glob("checkpoint-*")) for name in ("ours", "theirs")]
    assert_same_adapter(*newest)


def test_training_with_quantized_layers_learns_and_merges_into_the_checkpoints_own_weights(data, adapter, toolkit, tmp_path):
    command = train_command(
        toolkit,
        data,
        tmp_path / "out",
        "--quantization",
        "4bit",
        "--quantization-type",
        "nf4",
        "--num-epochs",
        "1",
        "--batch-size",
        "8",
        "--merge-lora",
        "true",
        "--initial-adapter",
        adapter,
    )
    run(command)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "final", trust_remote_code=True)
    checkpoint = AutoModelForCausalLM.from_pretrained(data[0], trust_remote_code=True)
    same = dict(checkpoint.named_parameters())
    changed = {name for name, tensor in model.named_parameters() if not torch.equal(tensor, same[name])}
    assert changed and all(".mlp." in name or ".attn." in name or "audio_projector" in name for name in changed), changed
    newest = sorted((tmp_path / "out").glob("checkpoint-*"))[-1]
    assert PeftModel.from_pretrained(checkpoint, newest)
    assert json.loads((newest / "trainer_state.json").read_text())["log_history"]


def test_what_to_install_is_said_where_the_library_is_missing(case, bin_dir, tmp_path):
    def message(place):
        done = subprocess.run(
            [
                bin_dir / "model_probe",
                "--checkpoint",
                case.checkpoint,
                "--batch",
                case.folder / "batch.safetensors",
                "--out",
                tmp_path / "out",
                "--quantization",
                "4bit",
            ],
            env={**os.environ, "MDL_BITSANDBYTES": str(place)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        return done.stderr

    assert "there is no bitsandbytes at" in message(tmp_path / "nowhere") and "pip install bitsandbytes==" in message(tmp_path / "nowhere")
    package = tmp_path / "bitsandbytes"
    shutil.copytree(Path(bitsandbytes.__file__).parent, package, ignore=shutil.ignore_patterns("*cuda*", "*rocm*", "*xpu*", "*.py*"))
    (tmp_path / "bitsandbytes-0.42.0.dist-info").mkdir()
    assert "0.42.0" in message(package)
    (tmp_path / "bitsandbytes-0.42.0.dist-info").rmdir()
    (package / "libbitsandbytes_cpu.so").write_text("no library")
    assert "cannot load" in message(package)
    (package / "libbitsandbytes_cpu.so").unlink()
    assert "there is no" in message(package)


@pytest.mark.parametrize("bits", ["4bit", "8bit"])
def test_quantized_models_answer(bits, checkpoint, bin_dir, tmp_path):
    (tmp_path / "rows.csv").write_text(
        "audio,user_prompt\n/usr/share/sounds/alsa/Front_Left.wav,What?\n/usr/share/sounds/alsa/Noise.wav,\n"
    )
    options = [bin_dir / "mdl-toolkit", "inference", tmp_path / "rows.csv", "--model-name", checkpoint(), "--max-new-tokens", 6, "--output"]
    for _ in range(2):  # the same again
        run([*options, tmp_path / "quantized.csv", "--quantization", bits])
        answers = (tmp_path / "quantized.csv").read_text()
    assert answers.count("\n") == 3
    run([*options, tmp_path / "plain.csv"])
    assert answers.splitlines()[0] == (tmp_path / "plain.csv").read_text().splitlines()[0]
    assert answers != (tmp_path / "plain.csv").read_text()

"""Checkpoints in every form that MiDashengLM is published in: trained as they are, or refused with what to take instead; `info` knows which."""

import re
import shutil

import pytest
import safetensors

import checkpoint_variants as variants
from training_runs import run

DEPTH, LAYERS = 32, 28  # the 7B's; the sizes are small
SIZES = {"layers": LAYERS, "depth": DEPTH, "embed-dim": 16, "encoder-heads": 2, "hidden": 32, "intermediate": 64}


def header(folder):
    """{name: (type, shape)} of all tensors in a folder."""
    tensors = {}
    for path in folder.glob("*.safetensors"):
        with safetensors.safe_open(path, "pt") as file:
            for name in file.keys():
                part = file.get_slice(name)
                tensors[name] = (part.get_dtype(), part.get_shape())
    return tensors


def names_that_vllm_loads():
    """What vLLM's MiDashengLMModel (vllm/model_executor/models/midashenglm.py) and its Qwen2ForCausalLM have places for in a 7B. Its loader ends
    with an error for any other name but rotary_emb.inv_freq: the front end's buffers are not persistent, so it knows no name for them."""
    both = ("weight", "bias")
    names = {f"audio_encoder.{part}_pos_embed" for part in ("time", "freq")}
    names |= {f"audio_encoder.init_bn.{kind}" for kind in (*both, "running_mean", "running_var", "num_batches_tracked")}
    names |= {f"audio_encoder.{part}.{kind}" for part in ("patch_embed.proj", "norm") for kind in both}
    block = ("norm1", "norm2", "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    names |= {f"audio_encoder.blocks.{i}.{part}.{kind}" for i in range(DEPTH) for part in block for kind in both}
    names |= {f"audio_projector.net.{i}.{kind}" for i in (0, 2) for kind in both}
    layer = [f"self_attn.{part}_proj.{kind}" for part in "qkv" for kind in both]
    layer += [f"{part}.weight" for part in ("self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")]
    layer += [f"{part}.weight" for part in ("input_layernorm", "post_attention_layernorm")]
    names |= {f"decoder.model.layers.{i}.{part}" for i in range(LAYERS) for part in layer}
    return names | {"decoder.lm_head.weight", "decoder.model.embed_tokens.weight", "decoder.model.norm.weight"}


@pytest.fixture(scope="module")
def train_data(dataset):
    return dataset()[0]


@pytest.fixture(scope="module")
def source(checkpoint):
    return variants.Source(checkpoint())


@pytest.fixture(scope="module")
def source_7b(checkpoint):
    return variants.Source(checkpoint("qwen2", *[part for name, value in SIZES.items() for part in (f"--{name}", str(value))]))


def info(toolkit, folder):
    return run([toolkit, "info", folder]).stdout


def two_steps(toolkit, model, train_data, output, *options, launcher=(), check=True):
    command = [*launcher, toolkit, "train", "--model-name", model, "--train-dataset", train_data, "--output", output, "--lora-rank", "4"]
    return run([*command, "--batch-size", "4", "--num-epochs", "0.4" if launcher else "0.2", *options], check=check)


def losses(done):
    values = [float(value) for value in re.findall(r"'loss': '([\d.]+)'", done.stdout)]
    assert len(values) == 2
    return values


def test_bfloat16_of_today_is_trained_from_the_classes_defaults_into_what_vllm_loads(toolkit, source_7b, train_data, tmp_path):
    model = variants.published_bf16(source_7b, tmp_path / "model")
    assert info(toolkit, model).endswith("\ntrainable: yes\n")
    trained = two_steps(toolkit, model, train_data, tmp_path / "out", "--bf16", "true")
    # The same weights, configured key by key, in float32.
    assert losses(trained) == pytest.approx(losses(two_steps(toolkit, source_7b.folder, train_data, tmp_path / "plain")), rel=5e-3)

    final = header(tmp_path / "out" / "final")
    assert final == header(model)
    assert {name for name, (kind, _) in final.items() if kind != "BF16"} == {"audio_encoder.init_bn.num_batches_tracked"}
    assert set(final) == names_that_vllm_loads()
    rows = "\n".join(["audio,user_prompt", "/usr/share/sounds/alsa/Front_Left.wav,What is to be heard?"])
    (tmp_path / "rows.csv").write_text(rows + "\n")
    answers = tmp_path / "answers.csv"
    for folder in (model, tmp_path / "out" / "final"):
        run([toolkit, "inference", tmp_path / "rows.csv", "--model-name", folder, "--output", answers, "--max-length", "64"])
        assert answers.read_text().startswith("audio,user_prompt,prediction\n")
        answers.unlink()


def test_float32_of_before_is_trained_and_tensors_without_a_place_are_told_once_and_kept(toolkit, bin_dir, source, train_data, tmp_path):
    model = variants.first_float32(source, tmp_path / "model")
    assert info(toolkit, model).endswith("\ntrainable: yes\n")
    two_ranks = [bin_dir / "mdl-launch", "--standalone", "--nproc-per-node", "2", "--no-python"]
    trained = two_steps(toolkit, model, train_data, tmp_path / "out", launcher=two_ranks)
    warnings = [line for line in trained.stderr.splitlines() if "outputlayer" in line]
    assert len(warnings) == 1 and "23 tensors" in warnings[0] and "and 3 more" in warnings[0]
    assert warnings[0].count("outputlayer.") == 20 and "inv_freq" not in trained.stderr
    assert losses(trained) == losses(two_steps(toolkit, source.folder, train_data, tmp_path / "plain", launcher=two_ranks))
    assert header(tmp_path / "out" / "final") == header(model)


def test_a_front_end_under_its_new_names_is_used_and_written_under_them(toolkit, source, train_data, tmp_path):
    model = variants.new_front_end_names(source, tmp_path / "model")
    trained = two_steps(toolkit, model, train_data, tmp_path / "out")
    assert "not used" not in trained.stderr
    assert header(tmp_path / "out" / "final") == header(model)


UNQUANTIZED = "mispeech/midashenglm-7b-1021-bf16"
REFUSED = {
    "square patches": (variants.square_patches, ['"audio_encoder_config.patch_size" is 16']),
    "layer scale": (variants.layer_scale, ['"audio_encoder_config.init_values" is 1e-05', "LayerScale"]),
    "fp8": (
        lambda *place: variants.quantized(*place, variants.as_fp8, {"quant_method": "compressed-tensors", "format": "float-quantized"}),
        ['"quantization_config" is', "compressed-tensors", UNQUANTIZED],
    ),
    "fp8 that config.json does not tell of": (
        lambda *place: variants.quantized(*place, variants.as_fp8),
        ["decoder.model.layers.0.mlp.down_proj.weight is F8_E4M3", UNQUANTIZED],
    ),
    "GPTQ that config.json does not tell of": (
        lambda *place: variants.quantized(*place, variants.as_gptq),
        ["down_proj.qweight is of GPTQ", UNQUANTIZED],
    ),
}


@pytest.mark.parametrize("make, words", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_honoured_is_one_error_that_info_tells_too(toolkit, source, train_data, tmp_path, make, words):
    model = make(source, tmp_path / "model")
    done = two_steps(toolkit, model, train_data, tmp_path / "out", check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("mdl-toolkit: error: ") and len(done.stderr.splitlines()) <= 2
    told = info(toolkit, model).splitlines()[-1]
    assert told.startswith("trainable: no, because ")
    for word in words:
        assert word in done.stderr and word in told
    assert not (tmp_path / "out").exists()


def test_info_of_a_checkpoint_whose_weights_are_elsewhere_asks_its_configuration(toolkit, source, tmp_path):
    model = shutil.copytree(source.folder, tmp_path / "model", ignore=shutil.ignore_patterns("*.safetensors"))
    told = info(toolkit, model)
    assert "weights:            not here" in told
    assert told.endswith("\ntrainable: yes, as far as config.json tells: the weights are not here\n")

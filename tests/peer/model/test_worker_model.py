"""The native model against the Python one: same checkpoint, same batch, same adapter, in float32."""

import copy
import csv
import json

import numpy as np
import pytest
import safetensors
import safetensors.torch
import soundfile
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoProcessor, AutoTokenizer

from make_checkpoint import DECODERS
from programs import run

RANK, ALPHA = 8, 16
# By the encoder: as mdl_toolkit/train.py gives them to PEFT for its default targets, and the same with the blocks one level deeper.
TARGETS = {
    encoder: "|".join(
        [
            rf"^audio_encoder\.{module}blocks\.\d+\.attn\.(qkv|proj)$",
            r"^audio_projector\.net\.(0|2)$",
            r"^decoder\.model\.layers\.\d+\.(self_attn|mlp)\.(up|gate|down)_proj$",
        ]
    )
    for encoder, module in {"dasheng": "", "tokenizer": r"model\."}.items()
}
MODELS = [*((decoder, "dasheng") for decoder in DECODERS), ("qwen3", "tokenizer")]  # the last is the published 0.6B's
SOUNDS = "/usr/share/sounds"


def real_clips(folder):
    """Three files: all spoken words of alsa-utils in a row (over 10.08 s, so that the encoder cuts it), one word, one sound."""
    words = ["Front_Center", "Front_Left", "Front_Right", "Rear_Center", "Rear_Left", "Rear_Right", "Side_Left", "Side_Right"]
    spoken = []
    for word in words:
        wave, rate = soundfile.read(f"{SOUNDS}/alsa/{word}.wav", dtype="float32")
        spoken.append(wave)
    soundfile.write(folder / "long.wav", np.concatenate(spoken), rate)
    return [folder / "long.wav", f"{SOUNDS}/alsa/Front_Left.wav", f"{SOUNDS}/freedesktop/stereo/phone-incoming-call.oga"]


def real_batch(checkpoint, folder):
    """The three clips through the real mdl-toolkit: its conversation, processor, labels and padding."""
    from mdl_toolkit.convert_dataset import ConvertConfig, padding, process_data

    rows = zip(real_clips(folder), ["all the speakers, one after the other", "front left", "a phone rings"], strict=True)
    with open(folder / "clips.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["audio", "user_prompt", "prediction"])
        writer.writerows([clip, "What is to be heard?", said] for clip, said in rows)
    config = ConvertConfig(model_name=str(checkpoint), num_workers=1)
    converted = process_data(config, folder / "clips.csv", "train")
    batch = padding([converted[i] for i in range(len(converted))], tokenizer=AutoTokenizer.from_pretrained(checkpoint), dtype=torch.float32)
    batch = {name: tensor.reshape(len(converted)) if name == "audio_length" else tensor for name, tensor in batch.items()}
    assert batch["audio_length"].max() > 10.08 * 16000
    assert (batch["attention_mask"] == 0).any()
    return batch


def load_base(checkpoint, dtype=torch.float32):
    return AutoModelForCausalLM.from_pretrained(checkpoint, trust_remote_code=True, dtype=dtype)


def plain_name(name):
    """A parameter of a PeftModel as adapter_model.safetensors names it."""
    return name.replace(".modules_to_save.default", "").replace(".default", "")


class Case:
    """One checkpoint with a batch, an adapter that PEFT wrote, and what the Python model makes of them."""

    def __init__(self, checkpoint, folder, dtype=torch.float32, whole=(), encoder="dasheng"):
        self.checkpoint, self.folder = checkpoint, folder
        self.batch = real_batch(checkpoint, folder)
        safetensors.torch.save_file(self.batch, folder / "batch.safetensors")
        torch.manual_seed(1)
        model = get_peft_model(
            load_base(checkpoint, dtype),
            LoraConfig(
                r=RANK,
                lora_alpha=ALPHA,
                lora_dropout=0,
                target_modules=TARGETS[encoder],
                exclude_modules=["lm_head"],
                modules_to_save=list(whole),
                task_type="CAUSAL_LM",
            ),
        )
        for name, tensor in model.named_parameters():
            if "lora_B" in name:  # zero at first, which would hide the adapter
                torch.nn.init.normal_(tensor, std=0.05)
        model.save_pretrained(folder / "adapter")
        self.model = model

    def trained(self, dtype=None):
        """Features, encoder output, logits, loss and gradients of one training step, as the Trainer runs it: in train mode."""
        seen = {}
        model = copy.deepcopy(self.model) if dtype is None else copy.deepcopy(self.model).to(dtype)
        encoder = model.get_base_model().audio_encoder
        semantic = getattr(encoder, "model", encoder)
        hooks = [
            semantic.front_end.register_forward_hook(lambda *a: seen.update(features=a[-1])),
            encoder.register_forward_hook(lambda *a: seen.update(encoded=a[-1])),
        ]
        if semantic is not encoder:
            hooks.append(encoder.front_end.register_forward_hook(lambda *a: seen.update(acoustic_features=a[-1])))
        model.train()
        out = model(**self.batch, num_items_in_batch=1)  # the sum over the label tokens
        out.loss.backward()
        for hook in hooks:
            hook.remove()
        norm = next(module for module in encoder.modules() if isinstance(module, torch.nn.BatchNorm2d))
        seen.update(loss=out.loss, logits=out.logits, running_mean=norm.running_mean, running_var=norm.running_var)
        for name, tensor in model.named_parameters():
            if tensor.requires_grad:
                seen["grad." + plain_name(name)] = tensor.grad
        return {name: tensor.detach() for name, tensor in seen.items()}

    def native(self, bin_dir, *options, adapter=True):
        out = self.folder / "native.safetensors"
        command = [
            bin_dir / "model_probe",
            "--checkpoint",
            self.checkpoint,
            "--batch",
            self.folder / "batch.safetensors",
            "--out",
            out,
            *options,
        ]
        if adapter:
            command += ["--adapter", self.folder / "adapter"]
        run(command)
        return safetensors.torch.load_file(out)

    def real_positions(self):
        return self.batch["attention_mask"].bool()


@pytest.fixture(scope="module", params=MODELS, ids="-".join)
def case(request, checkpoint, tmp_path_factory):
    decoder, encoder = request.param
    options = [] if encoder == "dasheng" else ["--encoder", encoder]
    return Case(checkpoint(decoder, *options), tmp_path_factory.mktemp(f"{decoder}-{encoder}"), encoder=encoder)


def assert_equal(ours, theirs, name, rtol=1e-4, floor=0.0):
    # Sums over thousands of terms cancel: below a ten-thousandth of the tensor's own size only the absolute error says something. Its size is the
    # root of the mean square: most rows of an embedding's gradient are near 0, and the few others are what is rounded.
    atol = max(floor, rtol * theirs.double().square().mean().sqrt().item())
    torch.testing.assert_close(ours.double(), theirs.double(), rtol=rtol, atol=atol, msg=lambda text: f"{name}: {text}")


def trained_names(case):
    return [plain_name(name) for name, tensor in case.model.named_parameters() if tensor.requires_grad]


def assert_step_equals_pythons(case, bin_dir, *options):
    ours, theirs, exact = case.native(bin_dir, *options), case.trained(), case.trained(torch.float64)
    with safetensors.safe_open(case.folder / "native.safetensors", "pt") as file:
        assert file.metadata()["parameters"].split() == trained_names(case)  # the optimizer's state is in this order
    # Patches past a clip's end are never looked at, and here not computed; nor is anything at text padding.
    own = torch.arange(theirs["encoded"].shape[1]) < case.batch["audio_length"][:, None] // 640
    parts = {"encoded": own, "logits": case.real_positions()}
    assert {name for name in ours if name.startswith("grad.")} == {"grad." + name for name in trained_names(case)}
    for name in theirs:
        part = parts.get(name, ...)
        a, b, reference = ours[name][part], theirs[name][part], exact[name][part]
        assert b.abs().max() > 0, name
        assert_equal(a, reference, f"{name}, Python in float64")
        # Python's float32 is itself off by 1e-4 (its batch norm sums a strided tensor); that much may lie between us.
        assert_equal(a, b, f"{name}, Python in float32", floor=1.5 * (b - reference).abs().max().item())


def test_a_training_step_equals_pythons(case, bin_dir):
    assert len(trained_names(case)) == 2 * (2 * 2 + 2 + 2 * 3)
    assert_step_equals_pythons(case, bin_dir)


def test_a_step_with_checkpointing_equals_pythons_too(case, bin_dir):
    assert_step_equals_pythons(case, bin_dir, "--checkpointing")


@pytest.mark.parametrize("decoder", DECODERS)  # qwen3's embeddings are tied
def test_embeddings_and_head_trained_whole_equal_pefts(decoder, checkpoint, bin_dir, tmp_path):
    case = Case(checkpoint(decoder), tmp_path, whole=("embed_tokens", "lm_head"))
    assert len(trained_names(case)) == 2 * (2 * 2 + 2 + 2 * 3) + 2
    assert_step_equals_pythons(case, bin_dir, "--whole")

    ours = case.native(bin_dir, "--whole", "--eval", "--save-adapter", tmp_path / "saved")
    model = PeftModel.from_pretrained(load_base(case.checkpoint), tmp_path / "saved").eval()
    with torch.no_grad():
        theirs = model(**case.batch).logits
    assert_equal(ours["logits"][case.real_positions()], theirs[case.real_positions()], "logits", rtol=2e-4)


def test_peft_loads_our_adapter_and_it_gives_our_logits(case, bin_dir, tmp_path):
    ours = case.native(bin_dir, "--eval", "--save-adapter", tmp_path / "saved")
    original = safetensors.torch.load_file(case.folder / "adapter" / "adapter_model.safetensors")
    saved = safetensors.torch.load_file(tmp_path / "saved" / "adapter_model.safetensors")
    assert saved.keys() == original.keys()
    for name in saved:
        assert torch.equal(saved[name], original[name]), name
    theirs_config = json.loads((case.folder / "adapter" / "adapter_config.json").read_text())
    ours_config = json.loads((tmp_path / "saved" / "adapter_config.json").read_text())
    assert {k: theirs_config.get(k) for k in ours_config} | {"base_model_name_or_path": 0, "modules_to_save": 0} == ours_config | {
        "base_model_name_or_path": 0,
        "modules_to_save": 0,
    }

    model = PeftModel.from_pretrained(load_base(case.checkpoint), tmp_path / "saved").eval()
    with torch.no_grad():
        theirs = model(**case.batch).logits
    assert_equal(ours["logits"][case.real_positions()], theirs[case.real_positions()], "logits")


SETTINGS = {  # of PEFT's, by what is particular about them
    "ranks and alphas by layer": dict(
        target_modules=TARGETS["dasheng"],
        exclude_modules=["lm_head"],
        r=4,
        lora_alpha=6,
        alpha_pattern={"^audio_encoder.blocks.0.attn.qkv": 20, "down_proj": 5},
        rank_pattern={r"layers\.1\.mlp\.(up|gate)_proj": 3, "net.0": 7, "up_proj": 2},
    ),
    "rslora, all kinds of layers": dict(
        target_modules=["qkv", "fc1", "fc2", "net.2", "q_proj", "k_proj", "v_proj", "o_proj"],
        r=5,
        lora_alpha=7,
        use_rslora=True,
        rank_pattern={"fc1": 1, "k_proj": 6},
        alpha_pattern={"q_proj": 3},
    ),
    "some layers": dict(target_modules=["qkv", "up_proj"], layers_to_transform=[1], exclude_modules=r".*blocks\.0\..*"),
    "layers behind a word": dict(
        target_modules=["qkv", "attn.proj", "up_proj"],
        layers_to_transform=0,
        layers_pattern=["layers"],
        modules_to_save=["lm_head"],
        init_lora_weights="gaussian",
    ),
}


@pytest.fixture(scope="module")
def plain_case(checkpoint, tmp_path_factory):
    return Case(checkpoint("qwen2"), tmp_path_factory.mktemp("settings"))


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_an_adapter_is_trained_and_written_as_its_own_configuration_says(plain_case, settings, bin_dir, tmp_path):
    case = copy.copy(plain_case)
    case.folder, case.model = tmp_path, get_peft_model(load_base(case.checkpoint), LoraConfig(task_type="CAUSAL_LM", **settings))
    with torch.no_grad():
        for name, tensor in case.model.named_parameters():
            if "lora_B" in name:
                tensor.normal_(0, 0.05)
    case.model.save_pretrained(tmp_path / "adapter")
    safetensors.torch.save_file(case.batch, tmp_path / "batch.safetensors")
    whole = ["--whole"] if "modules_to_save" in settings else []
    assert_step_equals_pythons(case, bin_dir, "--save-adapter", tmp_path / "saved", *whole)

    theirs, ours = (json.loads((tmp_path / name / "adapter_config.json").read_text()) for name in ("adapter", "saved"))
    for key in ("r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "layers_pattern"):
        assert ours[key] == theirs[key], key
    logits = [
        PeftModel.from_pretrained(load_base(case.checkpoint), tmp_path / name).eval()(**case.batch).logits for name in ("adapter", "saved")
    ]
    assert torch.equal(*logits)


@pytest.mark.parametrize("shard_bytes", [5_000_000_000, 200_000])
def test_transformers_loads_the_merged_model_and_it_gives_our_logits(case, bin_dir, tmp_path, shard_bytes):
    final = tmp_path / "final"
    ours = case.native(bin_dir, "--eval", "--save-merged", final, "--shard-bytes", str(shard_bytes))
    assert (final / "model.safetensors.index.json").exists() == (shard_bytes < 5_000_000_000)
    assert [f.name for f in tmp_path.iterdir()] == ["final"]
    model, report = AutoModelForCausalLM.from_pretrained(final, trust_remote_code=True, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
    assert model.dtype == torch.float32
    with torch.no_grad():
        merged = model.eval()(**case.batch).logits
        adapted = PeftModel.from_pretrained(load_base(case.checkpoint), case.folder / "adapter").eval()(**case.batch).logits
    real = case.real_positions()
    assert_equal(ours["logits"][real], merged[real], "logits")
    assert_equal(ours["logits"][real], adapted[real], "logits of base and adapter", rtol=1e-3)

    processor = AutoProcessor.from_pretrained(final, trust_remote_code=True)
    tokenizer = AutoTokenizer.from_pretrained(final)
    text = "<|audio_bos|><|AUDIO|><|audio_eos|>What is this?"
    assert processor(text=text)["input_ids"].tolist() == [tokenizer(text)["input_ids"]]


def test_a_merged_model_is_a_checkpoint_for_us_too(case, bin_dir, tmp_path):
    merged = case.native(bin_dir, "--eval", "--save-merged", tmp_path / "final", "--shard-bytes", "200000")
    again = Case.__new__(Case)
    again.checkpoint, again.folder = tmp_path / "final", case.folder
    loaded = again.native(bin_dir, "--eval", adapter=False)
    assert torch.equal(merged["logits"], loaded["logits"])


def test_bfloat16_with_float32_adapters_is_as_near_as_bfloat16_allows(checkpoint, bin_dir, tmp_path):
    case = Case(checkpoint("qwen2"), tmp_path, dtype=torch.bfloat16)
    theirs, ours = case.trained(), case.native(bin_dir, "--bf16")
    assert ours["logits"].dtype == torch.bfloat16
    assert_equal(ours["loss"], theirs["loss"], "loss", rtol=5e-3)
    for name in (n for n in theirs if n.startswith("grad.")):
        assert ours[name].dtype == theirs[name].dtype == torch.float32
        a, b = ours[name].flatten(), theirs[name].flatten()
        assert torch.nn.functional.cosine_similarity(a, b, dim=0) > 0.98, name
        assert abs(a.norm() / b.norm() - 1) < 0.05, name

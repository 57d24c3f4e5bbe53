"""A checkpoint of MiDashengLM 7B's sizes: random float32 weights in seven shards, written a piece at a time.

The sizes follow from the published counts of parameters; see worker/model/config.hpp. One tensor is never held whole.
"""

import json
import math
import struct
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "peer"))
from make_checkpoint import write_preprocessor, write_remote_code, write_tokenizer

ENCODER = {
    "embed_dim": 1280,
    "depth": 32,
    "num_heads": 16,
    "mlp_ratio": 4.0,
    "n_mels": 64,
    "target_length": 1008,
    "patch_size": [64, 4],
    "n_fft": 512,
}
TEXT = {
    "model_type": "qwen2_5_omni_text",
    "hidden_size": 3584,
    "num_hidden_layers": 28,
    "intermediate_size": 18944,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "rope_scaling": {"mrope_section": [16, 24, 24], "rope_type": "default", "type": "default"},
    "tie_word_embeddings": False,
}
SUBSAMPLE = 5
SHARD_BYTES = 5_000_000_000
BLOCK = np.random.default_rng(0).standard_normal(1 << 22, dtype=np.float32)  # 16 MiB, from which all weights are taken


def linear(name, out, into, bias=True):
    yield f"{name}.weight", (out, into)
    if bias:
        yield f"{name}.bias", (out,)


def norm(name, size, bias=True):
    yield f"{name}.weight", (size,)
    if bias:
        yield f"{name}.bias", (size,)


def encoder_tensors():
    dim, mels = ENCODER["embed_dim"], ENCODER["n_mels"]
    bins = ENCODER["n_fft"] // 2 + 1
    yield "freq_pos_embed", (1, dim, 1, 1)
    yield "front_end.0.mel_scale.fb", (bins, mels)
    yield "front_end.0.spectrogram.window", (ENCODER["n_fft"],)
    yield from norm("init_bn", mels)
    yield "init_bn.running_mean", (mels,)
    yield "init_bn.running_var", (mels,)
    yield "init_bn.num_batches_tracked", ()
    yield "patch_embed.proj.weight", (dim, 1, mels, 4)
    yield "patch_embed.proj.bias", (dim,)
    yield "time_pos_embed", (1, dim, 1, ENCODER["target_length"] // 4)
    for i in range(ENCODER["depth"]):
        yield from norm(f"blocks.{i}.norm1", dim)
        yield from linear(f"blocks.{i}.attn.qkv", 3 * dim, dim)
        yield from linear(f"blocks.{i}.attn.proj", dim, dim)
        yield from norm(f"blocks.{i}.norm2", dim)
        yield from linear(f"blocks.{i}.mlp.fc1", 4 * dim, dim)
        yield from linear(f"blocks.{i}.mlp.fc2", dim, 4 * dim)
    yield from norm("norm", dim)


def decoder_tensors():
    hidden, inner = TEXT["hidden_size"], TEXT["intermediate_size"]
    head = hidden // TEXT["num_attention_heads"]
    keys = head * TEXT["num_key_value_heads"]
    yield "model.embed_tokens.weight", (TEXT["vocab_size"], hidden)
    for i in range(TEXT["num_hidden_layers"]):
        layer = f"model.layers.{i}"
        yield from norm(f"{layer}.input_layernorm", hidden, bias=False)
        yield from linear(f"{layer}.self_attn.q_proj", hidden, hidden)
        yield from linear(f"{layer}.self_attn.k_proj", keys, hidden)
        yield from linear(f"{layer}.self_attn.v_proj", keys, hidden)
        yield from linear(f"{layer}.self_attn.o_proj", hidden, hidden, bias=False)
        yield from norm(f"{layer}.post_attention_layernorm", hidden, bias=False)
        yield from linear(f"{layer}.mlp.gate_proj", inner, hidden, bias=False)
        yield from linear(f"{layer}.mlp.up_proj", inner, hidden, bias=False)
        yield from linear(f"{layer}.mlp.down_proj", hidden, inner, bias=False)
    yield from norm("model.norm", hidden, bias=False)
    yield from linear("lm_head", TEXT["vocab_size"], hidden, bias=False)


def all_tensors():
    for part, tensors in {
        "audio_encoder": encoder_tensors(),
        "audio_projector": [
            *linear("net.0", TEXT["hidden_size"], SUBSAMPLE * ENCODER["embed_dim"]),
            *linear("net.2", TEXT["hidden_size"], TEXT["hidden_size"]),
        ],
        "decoder": decoder_tensors(),
    }.items():
        for name, shape in tensors:
            yield f"{part}.{name}", shape


def size(shape):
    return 8 if shape == () else 4 * math.prod(shape)  # the one count is int64


def total_bytes():
    return sum(size(shape) for _, shape in all_tensors())


def shards():
    """Lists of (name, shape), at most SHARD_BYTES each."""
    shard, held = [], 0
    for name, shape in all_tensors():
        if shard and held + size(shape) > SHARD_BYTES:
            yield shard
            shard, held = [], 0
        shard.append((name, shape))
        held += size(shape)
    yield shard


def constant(name):
    """The value of a tensor that is one number everywhere, or None."""
    if name.endswith("running_mean"):
        return -30.0
    if name.endswith("running_var"):
        return 300.0
    if name.endswith(".bias"):
        return 0.0
    return 1.0 if "norm" in name or name.endswith("init_bn.weight") else None


def exact_front_end(name):
    """The window and filter bank, as the model's own code builds them."""
    import librosa

    if name.endswith("window"):
        return librosa.filters.get_window("hann", ENCODER["n_fft"]).astype(np.float32)
    filters = librosa.filters.mel(sr=16000, n_fft=ENCODER["n_fft"], n_mels=ENCODER["n_mels"], fmin=0, fmax=8000, htk=True, norm=None)
    return np.ascontiguousarray(filters.T.astype(np.float32))


def write_tensor(file, name, shape, random):
    if shape == ():
        file.write(np.int64(0).tobytes())
    elif ".front_end." in name:
        file.write(exact_front_end(name).tobytes())
    elif (value := constant(name)) is not None:
        file.write(np.full(shape, value, dtype=np.float32).tobytes())
    else:
        # Scales that keep activations near one through the layers.
        scale = np.float32(0.02 if "embed" in name and "patch" not in name else 0.5 / math.sqrt(math.prod(shape[1:])))
        left = math.prod(shape)
        while left:
            begin = int(random.integers(len(BLOCK) // 2))  # pieces of the block, cut anew each time
            piece = BLOCK[begin : begin + left] * scale
            file.write(memoryview(piece))
            left -= len(piece)


def write_shard(path, tensors, random):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors:
        header[name] = {"dtype": "I64" if shape == () else "F32", "shape": list(shape), "data_offsets": [at, at + size(shape)]}
        at += size(shape)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb", buffering=0) as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors:
            write_tensor(file, name, shape, random)


def make(folder):
    folder.mkdir(parents=True)
    tokenizer = write_tokenizer(folder, full=True)
    config = {
        "architectures": ["MiDashengLMModel"],
        "model_type": "midashenglm",
        "torch_dtype": "float32",
        "subsample_factor": SUBSAMPLE,
        "audio_token_id": tokenizer.token_to_id("<|AUDIO|>"),
        "audio_encoder_config": {**ENCODER, "patch_stride": [64, 4]},
        "text_config": TEXT,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": tokenizer.token_to_id("<|im_end|>")}) + "\n")
    write_preprocessor(folder)
    write_remote_code(folder)
    random = np.random.default_rng(1)
    weight_map, parts = {}, list(shards())
    for i, tensors in enumerate(parts):
        name = f"model-{i + 1:05}-of-{len(parts):05}.safetensors"
        write_shard(folder / name, tensors, random)
        weight_map.update(dict.fromkeys((tensor for tensor, _ in tensors), name))
    index = {"metadata": {"total_size": total_bytes()}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index) + "\n")
    return len(weight_map), len(parts)

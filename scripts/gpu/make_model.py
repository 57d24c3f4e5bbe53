"""A checkpoint of random weights in bfloat16 with the sizes of MiDashengLM 7B, made on the GPU: make_model.py SMALL OUT [--sizes same].

SMALL is a small checkpoint with the whole vocabulary, whose tokenizer, code, configuration and front end are taken over. With
--sizes same its sizes are, too.
"""

import argparse
import itertools
import json
import shutil
from math import prod
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

TEXT_7B = {"hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28, "num_key_value_heads": 4, "num_hidden_layers": 28}
TEXT_7B |= {"vocab_size": 152064, "max_window_layers": 28}
AUDIO_7B = {"embed_dim": 1280, "depth": 32, "num_heads": 16}
BYTES_OF_FILE = 4 << 30
FRONT_END = ("audio_encoder.front_end.", "audio_encoder.init_bn.")


def with_sizes_of_7b(config: dict) -> dict:
    text = {key: value for key, value in config["text_config"].items() if key not in ("head_dim", "layer_types")}
    return {**config, "text_config": text | TEXT_7B, "audio_encoder_config": config["audio_encoder_config"] | AUDIO_7B}


def linear(name: str, rows: int, columns: int, bias: bool = True) -> dict[str, tuple]:
    return {f"{name}.weight": (rows, columns), **({f"{name}.bias": (rows,)} if bias else {})}


def encoder_shapes(audio: dict) -> dict[str, tuple]:
    width, hidden = audio["embed_dim"], int(audio["embed_dim"] * audio["mlp_ratio"])
    shapes = {
        "audio_encoder.time_pos_embed": (1, width, 1, audio["target_length"] // audio["patch_stride"][1]),
        "audio_encoder.freq_pos_embed": (1, width, 1, 1),
        "audio_encoder.patch_embed.proj.weight": (width, 1, *audio["patch_size"]),
        "audio_encoder.patch_embed.proj.bias": (width,),
        "audio_encoder.norm.weight": (width,),
        "audio_encoder.norm.bias": (width,),
    }
    for index in range(audio["depth"]):
        block = f"audio_encoder.blocks.{index}"
        for norm in ("norm1", "norm2"):
            shapes |= {f"{block}.{norm}.weight": (width,), f"{block}.{norm}.bias": (width,)}
        shapes |= linear(f"{block}.attn.qkv", 3 * width, width) | linear(f"{block}.attn.proj", width, width)
        shapes |= linear(f"{block}.mlp.fc1", hidden, width) | linear(f"{block}.mlp.fc2", width, hidden)
    return shapes


def decoder_shapes(text: dict) -> dict[str, tuple]:
    width, hidden, vocabulary = text["hidden_size"], text["intermediate_size"], text["vocab_size"]
    head = text.get("head_dim") or width // text["num_attention_heads"]
    queries, keys = head * text["num_attention_heads"], head * text["num_key_value_heads"]
    shapes = {"decoder.model.norm.weight": (width,), "decoder.model.embed_tokens.weight": (vocabulary, width)}
    shapes |= linear("decoder.lm_head", vocabulary, width, bias=False)
    for index in range(text["num_hidden_layers"]):
        layer = f"decoder.model.layers.{index}"
        shapes |= {f"{layer}.input_layernorm.weight": (width,), f"{layer}.post_attention_layernorm.weight": (width,)}
        shapes |= linear(f"{layer}.self_attn.q_proj", queries, width) | linear(f"{layer}.self_attn.o_proj", width, queries, bias=False)
        shapes |= linear(f"{layer}.self_attn.k_proj", keys, width) | linear(f"{layer}.self_attn.v_proj", keys, width)
        shapes |= linear(f"{layer}.mlp.gate_proj", hidden, width, bias=False) | linear(f"{layer}.mlp.up_proj", hidden, width, bias=False)
        shapes |= linear(f"{layer}.mlp.down_proj", width, hidden, bias=False)
    return shapes


def shapes_of(config: dict) -> dict[str, tuple]:
    text, audio = config["text_config"], config["audio_encoder_config"]
    width = text["hidden_size"]
    first = linear("audio_projector.net.0", width, config["subsample_factor"] * audio["embed_dim"])
    return encoder_shapes(audio) | first | linear("audio_projector.net.2", width, width) | decoder_shapes(text)


def parameters_of(config: dict) -> int:
    """With the two of the front end's norm, which is taken over."""
    return sum(map(prod, shapes_of(config).values())) + 2 * config["audio_encoder_config"]["n_mels"]


def random_tensor(name: str, shape: tuple, generator: torch.Generator) -> torch.Tensor:
    """So small that a signal neither grows nor dies on its way through the layers."""
    if len(shape) == 1:
        return torch.full(shape, float("norm" in name and name.endswith("weight")), dtype=torch.bfloat16)
    tensor = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.bfloat16)
    return tensor.mul_(0.5 / prod(shape[1:]) ** 0.5).cpu()


def write(folder: Path, tensors) -> None:
    """`tensors` yields (name, tensor); they go into files of about BYTES_OF_FILE."""
    places, shard, size = {}, {}, 0

    def flush():
        name = f"model-{len(set(places.values())) + 1:05d}.safetensors"
        save_file(shard, folder / name, {"format": "pt"})
        places.update(dict.fromkeys(shard, name))

    for name, tensor in tensors:
        shard[name] = tensor
        size += tensor.nbytes
        if size > BYTES_OF_FILE:
            flush()
            shard, size = {}, 0
    flush()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("small", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sizes", choices=("7b", "same"), default="7b")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    shutil.copytree(options.small, options.out, ignore=shutil.ignore_patterns("*.safetensors*"))
    config = json.loads((options.small / "config.json").read_text())
    if options.sizes == "7b":
        config = with_sizes_of_7b(config)
    config["dtype"] = config["text_config"]["dtype"] = "bfloat16"
    (options.out / "config.json").write_text(json.dumps(config, indent=1))
    shapes = shapes_of(config)
    generator = torch.Generator(options.device).manual_seed(0)
    with safe_open(options.small / "model.safetensors", "pt") as file:
        taken = {name: file.get_tensor(name) for name in file.keys() if name.startswith(FRONT_END)}
    made = ((name, random_tensor(name, shape, generator)) for name, shape in shapes.items())
    write(options.out, itertools.chain(taken.items(), made))
    print("parameters", parameters_of(config))


if __name__ == "__main__":
    main()

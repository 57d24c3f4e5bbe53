"""A PEFT adapter of random weights on mdl-toolkit's default layers: random_adapter.py MODEL OUT [--rank N] [--alpha N] [--deviation X].

B is not zero, so that every gradient matters from the first step. The shapes come from the checkpoint's headers.
"""

import argparse
import json
import re
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

TARGETS = (
    r"^audio_encoder\.blocks\.\d+\.attn\.(qkv|proj)$|^audio_projector\.net\.(0|2)$"
    r"|^decoder\.model\.layers\.\d+\.(self_attn|mlp)\.(up|gate|down)_proj$"
)


def layers_of(model: Path) -> dict[str, tuple[int, int]]:
    """(outputs, inputs) of each linear layer that gets an adapter."""
    found = {}
    for path in sorted(model.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():
                layer = name.removesuffix(".weight")
                if layer != name and re.match(TARGETS, layer):
                    found[layer] = tuple(file.get_slice(name).get_shape())
    return dict(sorted(found.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--alpha", type=int, default=32)
    parser.add_argument("--deviation", type=float, default=0.01, help="of B (%(default)s)")
    options = parser.parse_args()
    generator = torch.Generator().manual_seed(7)
    tensors = {}
    for layer, (outputs, inputs) in layers_of(options.model).items():
        name = f"base_model.model.{layer}"
        tensors[f"{name}.lora_A.weight"] = (torch.rand(options.rank, inputs, generator=generator) * 2 - 1) / inputs**0.5
        tensors[f"{name}.lora_B.weight"] = torch.randn(outputs, options.rank, generator=generator) * options.deviation
    options.out.mkdir(parents=True)
    save_file(tensors, options.out / "adapter_model.safetensors", {"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": options.rank,
        "lora_alpha": options.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
    }
    config |= {
        "target_modules": TARGETS,
        "exclude_modules": ["lm_head"],
        "base_model_name_or_path": str(options.model),
        "inference_mode": True,
    }
    (options.out / "adapter_config.json").write_text(json.dumps(config))
    print("adapter tensors", len(tensors))


if __name__ == "__main__":
    main()

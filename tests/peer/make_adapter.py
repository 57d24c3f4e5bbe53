"""Writes a random PEFT adapter of rank 8 and alpha 16 on the Python mdl-toolkit's default targets, B not zero."""

import argparse

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

TARGETS = (
    r"^audio_encoder\.blocks\.\d+\.attn\.(qkv|proj)$|^audio_projector\.net\.(0|2)$"
    r"|^decoder\.model\.layers\.\d+\.(self_attn|mlp)\.(up|gate|down)_proj$"
)

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--model", required=True)
parser.add_argument("--output", required=True)
parser.add_argument("--modules-to-save", default="", help="names with commas, trained whole")
arguments = parser.parse_args()

torch.manual_seed(7)
model = AutoModelForCausalLM.from_pretrained(arguments.model, trust_remote_code=True, dtype=torch.float32)
model = get_peft_model(
    model,
    LoraConfig(
        r=8,
        lora_alpha=16,
        task_type="CAUSAL_LM",
        target_modules=TARGETS,
        exclude_modules=["lm_head"],
        modules_to_save=[name for name in arguments.modules_to_save.split(",") if name],
    ),
)
with torch.no_grad():
    for name, tensor in model.named_parameters():
        if "lora_B" in name:
            tensor.normal_(0, 0.02)
model.save_pretrained(arguments.output)

"""Writes a random PEFT adapter of rank 8 and alpha 16 on the Python mdl-toolkit's default targets, B not zero."""

import argparse
import re

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

REST = r"|^audio_projector\.net\.(0|2)$|^decoder\.model\.layers\.\d+\.(self_attn|mlp)\.(up|gate|down)_proj$"

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--model", required=True)
parser.add_argument("--output", required=True)
parser.add_argument("--blocks", default="audio_encoder.blocks", help="of the audio encoder, as the checkpoint calls them")
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
        target_modules=rf"^{re.escape(arguments.blocks)}\.\d+\.attn\.(qkv|proj)$" + REST,
        exclude_modules=["lm_head"],
        modules_to_save=[name for name in arguments.modules_to_save.split(",") if name],
    ),
)
with torch.no_grad():
    for name, tensor in model.named_parameters():
        if "lora_B" in name:
            tensor.normal_(0, 0.02)
model.save_pretrained(arguments.output)

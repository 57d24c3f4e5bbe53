"""Trains as the Python mdl-toolkit does, but from a given adapter: Hugging Face's Trainer over the tool's own collator and arguments.

The tool itself always starts from a fresh random adapter, so its losses cannot be compared step by step with another program's.
Alone or as a worker of torchrun (with ACCELERATE_USE_CPU=1). Rank 0 leaves trainer_state.json in OUTPUT/checkpoint-LAST.
"""

import argparse
import functools
import json
from pathlib import Path

import torch
from datasets import load_from_disk
from mdl_toolkit.convert_dataset import padding
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.trainer import Trainer
from transformers.trainer_callback import EarlyStoppingCallback
from transformers.training_args import TrainingArguments


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--eval", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--batch-norm", choices=["train", "eval"], default="train")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--accumulation", type=int, default=1)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--warmup-steps", type=int, default=0)
    parser.add_argument("--eval-steps", type=float, default=500)
    parser.add_argument("--save-steps", type=float, default=100000)
    parser.add_argument("--resume", help="checkpoint folder to go on from")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--report-to", action="append", default=[])
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--quantization", choices=["4bit", "8bit"])
    parser.add_argument("--arguments", type=json.loads, default={}, help="more of TrainingArguments, as JSON")
    parser.add_argument("--patience", type=int, help="of an EarlyStoppingCallback")
    parser.add_argument("--threshold", type=float, default=0.0)
    arguments = parser.parse_args()

    tokenizer = AutoTokenizer.from_pretrained(arguments.model, trust_remote_code=True)
    dtype = getattr(torch, arguments.dtype)
    quantized = {"4bit": dict(load_in_4bit=True, bnb_4bit_compute_dtype=dtype), "8bit": dict(load_in_8bit=True)}.get(arguments.quantization)
    model = AutoModelForCausalLM.from_pretrained(
        arguments.model,
        trust_remote_code=True,
        dtype=dtype,
        **(dict(quantization_config=BitsAndBytesConfig(**quantized), device_map={"": "cpu"}) if quantized else {}),
    )
    model = PeftModel.from_pretrained(model, arguments.adapter, is_trainable=True)
    model.print_trainable_parameters()
    if arguments.batch_norm == "eval":
        norm = model.get_base_model().audio_encoder.init_bn
        norm.eval()
        norm.train = lambda mode=True: norm

    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            **{
                "output_dir": str(arguments.output),
                "per_device_train_batch_size": arguments.batch_size,
                "per_device_eval_batch_size": arguments.batch_size,
                "gradient_accumulation_steps": arguments.accumulation,
                "learning_rate": arguments.lr,
                "num_train_epochs": arguments.epochs,
                "warmup_steps": arguments.warmup_steps,
                "eval_strategy": "steps" if arguments.eval else "no",
                "eval_steps": arguments.eval_steps,
                "logging_steps": 1,
                "save_steps": arguments.save_steps,
                "seed": arguments.seed,
                "report_to": arguments.report_to,
                "dataloader_pin_memory": False,
                "gradient_checkpointing": True,
                "gradient_checkpointing_kwargs": {"use_reentrant": False},
                **arguments.arguments,
            }
        ),
        callbacks=[EarlyStoppingCallback(arguments.patience, arguments.threshold)] if arguments.patience else None,
        data_collator=functools.partial(padding, tokenizer=tokenizer, dtype=model.dtype, device=model.device),
        train_dataset=load_from_disk(str(arguments.train)),
        eval_dataset=load_from_disk(str(arguments.eval)) if arguments.eval else None,
    )
    trainer.train(resume_from_checkpoint=arguments.resume)
    if arguments.arguments.get("load_best_model_at_end"):
        trainer.save_model(str(arguments.output / "final"))


if __name__ == "__main__":
    main()

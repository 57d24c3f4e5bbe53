"""Hugging Face's Trainer on a dataset folder, from an adapter, with the arguments of the Python mdl-toolkit: what ours is compared with.

The tool itself would need the packages datasets and pydantic, and starts from an adapter of its own. OUTPUT gets log.jsonl.
"""

import argparse
import json
from pathlib import Path

import pyarrow as pa
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.trainer import Trainer
from transformers.trainer_callback import TrainerCallback
from transformers.training_args import TrainingArguments

GIB = 1 << 30


class Rows(torch.utils.data.Dataset):
    def __init__(self, folder: Path):
        files = sorted(folder.glob("data-*.arrow"))
        self.table = pa.concat_tables([pa.ipc.open_stream(pa.memory_map(str(file))).read_all() for file in files])

    def __len__(self):
        return self.table.num_rows

    def __getitem__(self, index):
        return self.table.slice(index, 1).to_pylist()[0]


class Padding:
    """Texts are padded on the left, sounds on the right; the batch is on the model's device and in its type."""

    def __init__(self, tokenizer, model):
        self.pad = tokenizer.pad_token_id or tokenizer.eos_token_id
        self.model = model

    def __call__(self, rows):
        tokens = max(len(row["input_ids"]) for row in rows)
        samples = max(len(row["input_values"]) for row in rows)
        columns = {"audio_length": [row["audio_length"] for row in rows]}
        for name, fill in (("input_ids", self.pad), ("attention_mask", 0), ("labels", -100)):
            columns[name] = [[fill] * (tokens - len(row[name])) + row[name] for row in rows]
        columns["input_values"] = [row["input_values"] + [0.0] * (samples - len(row["input_values"])) for row in rows]
        batch = {name: torch.tensor(values, device=self.model.device) for name, values in columns.items()}
        return {name: each.to(self.model.dtype) if each.is_floating_point() else each for name, each in batch.items()}


class Log(TrainerCallback):
    def __init__(self, file):
        self.file = file

    def on_log(self, args, state, control, logs=None, **rest):
        self.file.write(json.dumps({"step": state.global_step, **logs}) + "\n")
        self.file.flush()


def load_model(options):
    place = {"device_map": "auto"} if torch.cuda.is_available() else {}
    model = AutoModelForCausalLM.from_pretrained(options.model, trust_remote_code=True, dtype=getattr(torch, options.dtype), **place)
    model = PeftModel.from_pretrained(model, options.adapter, is_trainable=True)
    model.print_trainable_parameters()
    return model


def training_arguments(options) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(options.output),
        per_device_train_batch_size=options.batch_size,
        per_device_eval_batch_size=options.batch_size,
        learning_rate=options.lr,
        num_train_epochs=options.num_epochs,
        gradient_checkpointing=True,
        gradient_checkpointing_kwargs={"use_reentrant": False},
        eval_strategy="steps" if options.eval_dataset else "no",
        eval_steps=500,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        disable_tqdm=True,
    )


def tell_peak(phase: str) -> None:
    if torch.cuda.is_available():
        print(f"Peak VRAM during {phase}: {torch.cuda.max_memory_allocated() / GIB:.3f} GiB", flush=True)
        if phase == "training":
            print(f"Reserved VRAM during training: {torch.cuda.max_memory_reserved() / GIB:.3f} GiB", flush=True)
        torch.cuda.reset_peak_memory_stats()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "adapter", "train-dataset", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--eval-dataset", type=Path)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--num-epochs", type=float, default=1)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--cudnn-attention", choices=("on", "off"), default="off", help="ours has it off")
    options = parser.parse_args()
    torch.backends.cuda.enable_cudnn_sdp(options.cudnn_attention == "on")
    model = load_model(options)
    tell_peak("loading")
    options.output.mkdir(parents=True, exist_ok=True)
    with (options.output / "log.jsonl").open("w") as log:
        trainer = Trainer(
            model=model,
            args=training_arguments(options),
            data_collator=Padding(AutoTokenizer.from_pretrained(options.model, trust_remote_code=True), model),
            train_dataset=Rows(options.train_dataset),
            eval_dataset=Rows(options.eval_dataset) if options.eval_dataset else None,
            callbacks=[Log(log)],
        )
        trainer.train()
    tell_peak("training")


if __name__ == "__main__":
    main()

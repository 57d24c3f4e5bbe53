"""Answers by transformers' generate(), all rows in one batch, as the Python mdl-toolkit asks for them. Prints the second call's tokens a second."""

import argparse
import csv
import time
import wave
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoProcessor, AutoTokenizer


def read_sound(path: str) -> np.ndarray:
    with wave.open(path) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768


def inputs_of(rows: list[dict], options, model) -> dict[str, torch.Tensor]:
    tokenizer = AutoTokenizer.from_pretrained(options.model, trust_remote_code=True)
    processor = AutoProcessor.from_pretrained(options.model, trust_remote_code=True)
    texts = []
    for row in rows:
        parts = [{"type": "audio", "audio": row["audio"]}, {"type": "text", "text": row["user_prompt"]}]
        texts.append(tokenizer.apply_chat_template([{"role": "user", "content": parts}], tokenize=False, add_generation_prompt=True))
    batch = processor(text=texts, audio=[read_sound(row["audio"]) for row in rows])
    return {name: each.to(model.device, model.dtype if each.is_floating_point() else None) for name, each in batch.items()}


def without_prompt(answers: torch.Tensor, prompt: torch.Tensor) -> torch.Tensor:
    """Some versions of the model's code give the prompt back, too."""
    length = prompt.shape[1]
    return answers[:, length:] if answers.shape[1] > length and torch.equal(answers[:, :length], prompt) else answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--max-new-tokens", type=int, required=True)
    parser.add_argument("--dtype", default="auto")
    options = parser.parse_args()
    place = {"device_map": "auto"} if torch.cuda.is_available() else {}
    model = AutoModelForCausalLM.from_pretrained(options.model, trust_remote_code=True, dtype=options.dtype, **place).eval()
    rows = list(csv.DictReader(options.rows.open()))
    batch = inputs_of(rows, options, model)
    for _ in range(2):  # the first one also prepares what stays
        begin = time.perf_counter()
        answers = model.generate(**batch, max_new_tokens=options.max_new_tokens, do_sample=False)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds = time.perf_counter() - begin
    answers = without_prompt(answers, batch["input_ids"])
    print(f"tokens per second: {answers.numel() / seconds:.1f}", flush=True)
    texts = AutoTokenizer.from_pretrained(options.model, trust_remote_code=True).batch_decode(answers, skip_special_tokens=True)
    with options.output.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["audio", "prediction"])
        writer.writeheader()
        writer.writerows({"audio": row["audio"], "prediction": text} for row, text in zip(rows, texts, strict=True))


if __name__ == "__main__":
    main()

"""Synthetic sounds: make_rows.py MODEL OUT KIND [--rows N]. A dataset folder as convert-dataset writes it, and sizes.json with what is in it.

KIND: equal (10 s, 300 tokens, 100 of them labels), mixed (2 to 25 s, 80 to 400 tokens), edges (64 and 192 patches, where the tiles of
attention's kernels end), long (one row of ten minutes among others of a second), or sounds (OUT/N.wav of 10 s and OUT/rows.csv, for inference).
"""

import argparse
import json
import wave
from pathlib import Path

import numpy as np
import pyarrow as pa

RATE = 16000
HOP = 160  # samples of a frame of the spectrogram; four frames are a patch, five patches a place in the text
COLUMNS = {
    "input_ids": pa.list_(pa.int32()),
    "attention_mask": pa.list_(pa.int8()),
    "input_values": pa.list_(pa.float32()),
    "audio_length": pa.int64(),
    "labels": pa.list_(pa.int64()),
}


def sound(random: np.random.Generator, samples: int) -> np.ndarray:
    """Noise and four tones whose loudness changes."""
    time = np.arange(samples, dtype=np.float32) / RATE
    tones = [
        np.sin(2 * np.pi * random.uniform(100, 5000) * time) * (1 + np.sin(2 * np.pi * random.uniform(0.3, 4) * time)) / 2 for _ in range(4)
    ]
    return ((0.05 * random.standard_normal(samples) + 0.2 * sum(tones)) * random.uniform(0.1, 0.6)).astype(np.float32)


def lengths(random: np.random.Generator, kind: str, index: int) -> tuple[int, int, int]:
    """Samples, tokens and labels of a row."""
    if kind == "equal":
        return 10 * RATE, 300, 100
    if kind == "edges":
        return (64 if index % 2 else 192) * 4 * HOP, 64, 20
    if kind == "long":
        return (600 if index == 5 else 1) * RATE, 40, 20
    return int(random.uniform(2, 25) * RATE), int(random.integers(80, 401)), int(random.integers(20, 61))


def write_sounds(random: np.random.Generator, out: Path, rows: int) -> None:
    lines = ["audio,user_prompt"]
    for index in range(rows):
        samples = np.clip(sound(random, 10 * RATE), -1, 1) * 32767
        with wave.open(str(out / f"{index}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(samples.astype("<i2").tobytes())
        lines.append(f"{out / f'{index}.wav'},What is this sound? Number {index}.")
    (out / "rows.csv").write_text("\n".join(lines) + "\n")


def make_columns(random: np.random.Generator, kind: str, rows: int, config: dict) -> tuple[dict, dict]:
    """The dataset's columns, and the sums that rates are computed from."""
    columns, sizes = {name: [] for name in COLUMNS}, {"clips": rows, "tokens": 0, "patches": 0, "labels": 0}
    place = config["audio_token_id"]
    words = min(place, config["text_config"]["vocab_size"]) - 10
    for index in range(rows):
        samples, tokens, labels = lengths(random, kind, index)
        patches = (1 + samples // HOP) // 4
        places = max(1, patches // config["subsample_factor"])
        tokens = max(tokens, places + labels + 12)
        ids = [*random.integers(10, words, 4).tolist(), *[place] * places]
        ids += random.integers(10, words, tokens - len(ids)).tolist()
        columns["input_ids"].append(ids)
        columns["attention_mask"].append([1] * tokens)
        columns["input_values"].append(sound(random, samples))
        columns["audio_length"].append(samples)
        columns["labels"].append([-100] * (tokens - labels) + ids[-labels:])
        for name, count in (("tokens", tokens), ("patches", patches), ("labels", labels)):
            sizes[name] += count
    return columns, sizes


def features() -> dict:
    """As the package datasets describes COLUMNS."""

    def of(kind: pa.DataType) -> dict:
        if pa.types.is_list(kind):
            return {"feature": of(kind.value_type), "_type": "List"}
        return {"dtype": {"float": "float32"}.get(str(kind), str(kind)), "_type": "Value"}

    return {name: of(kind) for name, kind in COLUMNS.items()}


def write_dataset(out: Path, columns: dict) -> None:
    schema = pa.schema(list(COLUMNS.items()), {"huggingface": json.dumps({"info": {"features": features()}})})
    table = pa.table({name: pa.array(columns[name], kind) for name, kind in COLUMNS.items()}, schema=schema)
    name = "data-00000-of-00001.arrow"
    with pa.OSFile(str(out / name), "wb") as file, pa.ipc.new_stream(file, schema) as stream:
        stream.write_table(table, max_chunksize=16)
    state = {"_data_files": [{"filename": name}], "_fingerprint": "00", "_format_type": None, "_split": "train"}
    (out / "state.json").write_text(json.dumps(state))
    (out / "dataset_info.json").write_text(json.dumps({"features": features()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("kind", choices=("equal", "mixed", "edges", "long", "sounds"))
    parser.add_argument("--rows", type=int, default=64)
    options = parser.parse_args()
    random = np.random.default_rng(5)
    options.out.mkdir(parents=True)
    if options.kind == "sounds":
        write_sounds(random, options.out, options.rows)
        return
    config = json.loads((options.model / "config.json").read_text())
    columns, sizes = make_columns(random, options.kind, options.rows, config)
    write_dataset(options.out, columns)
    (options.out / "sizes.json").write_text(json.dumps(sizes))


if __name__ == "__main__":
    main()

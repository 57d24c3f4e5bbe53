"""docs/gpu.md's table of memory, by `mdl-toolkit plan`: memory_table.py MDL_TOOLKIT CHECKPOINT. Any small checkpoint lends its configuration."""

import argparse
import json
import re
import subprocess
import tempfile
from pathlib import Path

from make_model import with_sizes_of_7b

ROWS = ("--seconds", "10", "--tokens", "300", "--labels", "50")
SETTINGS = {
    "bf16, with checkpointing": (),
    "bf16, without": ("--gradient-checkpointing", "false"),
    "8 bits": ("--quantization", "8bit"),
    "4 bits (nf4)": ("--quantization", "4bit", "--quantization-type", "nf4"),
    "4 bits, without checkpointing": ("--quantization", "4bit", "--quantization-type", "nf4", "--gradient-checkpointing", "false"),
}
BATCHES = (1, 8, 32)
CARDS = (24, 80)  # GiB


def plan(toolkit: Path, model: Path, *options: str) -> str:
    command = [toolkit, "plan", "--model-name", model, *ROWS, "--bf16", "true", *options]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout


def cells(toolkit: Path, model: Path, options: tuple[str, ...]) -> list[str]:
    """GiB at the peak of a training step for each of BATCHES, and the largest batch on each of CARDS."""
    found = []
    for batch in BATCHES:
        planned = json.loads(plan(toolkit, model, *options, "--batch-size", str(batch), "--json", "true"))
        found.append(f"{planned['device_training'] / (1 << 30):.1f}")
    for card in CARDS:
        told = re.search(
            r"largest --batch-size that does is (\d+)", plan(toolkit, model, *options, "--batch-size", "1", "--memory", f"{card}GiB")
        )
        found.append(told[1] if told else "none")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("toolkit", type=Path)
    parser.add_argument("checkpoint", type=Path)
    options = parser.parse_args()
    config = with_sizes_of_7b(json.loads((options.checkpoint / "config.json").read_text()))
    with tempfile.TemporaryDirectory() as folder:
        for path in options.checkpoint.iterdir():
            if path.name != "config.json" and not path.name.startswith("model."):
                (Path(folder) / path.name).symlink_to(path.resolve())
        (Path(folder) / "config.json").write_text(json.dumps(config))
        titles = ["7B", *(f"batch {batch}" for batch in BATCHES), *(f"largest in {card} GiB" for card in CARDS)]
        lines = [titles, ["---"] * len(titles)]
        lines += [[setting, *cells(options.toolkit, Path(folder), words)] for setting, words in SETTINGS.items()]
    print("\n".join(f"| {' | '.join(line)} |" for line in lines))


if __name__ == "__main__":
    main()

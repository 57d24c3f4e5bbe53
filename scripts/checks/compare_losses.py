"""compare_losses.py FOLDER VERSION…: the losses of FOLDER/VERSION/log.jsonl side by side; ends with 1 where they differ by more than rounding."""

import json
import math
import sys
from pathlib import Path

# Of the loss. Each version's kernels add in another order, and forty steps of AdamW carry that on.
ALLOWED = 1e-5
SHOWN = 5  # every fifth step


def losses_of(log: Path) -> dict[str, float]:
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    steps = {f"step {row['step']}": row["loss"] for row in rows if "loss" in row}
    return steps | {f"evaluation after {row['step']}": row["eval_loss"] for row in rows if "eval_loss" in row}


def main(folder: Path, versions: list[str]) -> int:
    losses = {version: losses_of(folder / version / "log.jsonl") for version in versions}
    first = losses[versions[0]]
    if any(each.keys() != first.keys() for each in losses.values()):
        missing = [name for each in losses.values() for name in first.keys() ^ each.keys()]
        print(f"compare_losses.py: not all versions have {', '.join(sorted(set(missing)))}", file=sys.stderr)
        return 1
    worst = 0.0
    print("| |", " | ".join(versions), "| differ by |\n|" + "---|" * (len(versions) + 2))
    for index, name in enumerate(first):
        values = [losses[version][name] for version in versions]
        apart = (max(values) - min(values)) / abs(values[0]) if all(map(math.isfinite, values)) else math.inf
        worst = max(worst, apart)
        if index % SHOWN == 0 or "evaluation" in name or apart > ALLOWED:
            print(f"| {name} |", " | ".join(f"{value:.6f}" for value in values), f"| {apart:.1e} |")
    print(f"\n{len(first)} losses, at most {worst:.1e} of their value apart")
    if not first or worst > ALLOWED:
        print(f"compare_losses.py: that is more than {ALLOWED:g}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))

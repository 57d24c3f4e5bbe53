"""table.py FOLDER: the table of scripts/journey.sh from what evaluate has left there. Ends with 1 where nothing was learned."""

import json
import sys
from pathlib import Path

LEAST_TRAINED = 0.8
LEAST_HELD_OUT = 0.4  # of 50 answers; five classes are 0.2 by chance, and one in 10,000 guessers comes so far


def main():
    folder = Path(sys.argv[1])
    told = {
        name: json.loads((folder / name / "metrics.json").read_text())
        for name in ("before-train", "after-train", "before-test", "after-test")
    }
    print(f"\n{'clips':<16}{'rows':>5}{'':4}{'accuracy':^18}{'':4}{'loss':^18}{'':4}{'token-accuracy':^18}")
    for name, words in {"train": "trained on", "test": "held out"}.items():
        before, after = told[f"before-{name}"], told[f"after-{name}"]
        cells = [f"{before[metric]:.3f} -> {after[metric]:.3f}" for metric in ("accuracy", "loss", "token-accuracy")]
        print(f"{words:<16}{after['rows']:>5}" + "".join(f"{'':4}{cell:^18}" for cell in cells))
    trained, held_out = told["after-train"]["accuracy"], told["after-test"]["accuracy"]
    if trained < LEAST_TRAINED or held_out < LEAST_HELD_OUT:
        sys.exit(
            f"journey.sh: accuracy {trained:.3f} and {held_out:.3f} after training; at least {LEAST_TRAINED} and {LEAST_HELD_OUT} are expected"
        )


if __name__ == "__main__":
    main()

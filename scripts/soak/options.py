"""The command line of scripts/soak.sh. As a program it only looks whether it is a good one: before anything is built."""

import argparse
from pathlib import Path

from resources import BOUNDS

FAILURES = 8  # of each peer's worker: so many rounds without a change of nodes for each change


def options():
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="scripts/soak.sh",
        description=(
            "One launcher on loopback hosts a job of two nodes, while the other node's worker fails again and again, and that node is killed, "
            "ended and replaced, by a new one or by one that stood by. What the launcher, its store and its temporary folder hold is measured "
            "between; a straight line is fitted to each. Ends with 1 when one rises by more than its bound: "
            + ", ".join(f"{name} {bound}" for name, bound in BOUNDS.items())
            + "."
        ),
    )
    parser.add_argument("--rounds", type=int, default=3000, help="rendezvous rounds after the first (3000)")
    parser.add_argument("--samples", type=int, default=60, help="measurements (60)")
    parser.add_argument("--results", type=Path, help="JSON lines, one a measurement")
    parser.add_argument("--bin-dir", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--sabotage", action="store_true", help="leave a key in the store and a file in the folder with each peer")
    args = parser.parse_args()
    if args.rounds < 10 * FAILURES or args.samples < 5:
        parser.error(f"a trend needs at least {10 * FAILURES} rounds and 5 samples")
    return args


if __name__ == "__main__":
    options()

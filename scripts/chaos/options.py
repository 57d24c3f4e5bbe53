"""The command line of scripts/chaos.sh. As a program it only looks whether it is a good one: before anything is built."""

import argparse
import re
from pathlib import Path

from scenario import BOUND, KINDS

MOST_SPARES = 3


def spares(text):
    """(least, most) of "N" or "N..M"."""
    numbers = re.fullmatch(r"(\d)(?:\.\.(\d))?", text)
    least, most = (int(numbers[1]), int(numbers[2] or numbers[1])) if numbers else (1, 0)
    if not least <= most <= MOST_SPARES:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to {MOST_SPARES}, and no range of such (1..3)")
    return least, most


def options():
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="scripts/chaos.sh",
        description=(
            "Trains on three hosts made of network namespaces while faults drawn from a seed happen to them. Each episode must reach the last "
            "step with the weights and losses of an undisturbed run from the same checkpoints, or stop with one clear error within "
            f"{BOUND:.0f} s of the last event; and leave nothing behind. Ends with 1 when one did not."
        ),
        epilog="faults: " + "; ".join(f"{kind}: {what}" for kind, what in KINDS.items()),
    )
    parser.add_argument("--minutes", type=float, default=5, help="begin no further episode after so many (5)")
    parser.add_argument("--seed", type=int, help="a number; the same one gives the same scenarios (drawn)")
    parser.add_argument("--episode", type=int, help="only this one of the seed's")
    parser.add_argument("--episodes", type=int, help="at most so many")
    parser.add_argument("--kinds", default=",".join(KINDS), help="draw only these faults, with commas")
    parser.add_argument(
        "--spares",
        type=spares,
        default=(0, 0),
        metavar="N[..M]",
        help="nodes beyond the three, up to 3; of a range each episode draws one (0)",
    )
    parser.add_argument("--launcher", choices=["mdl-launch", "torchrun"], default="mdl-launch", help="whose agents; the worker is ours")
    parser.add_argument("--results", type=Path, help="JSON lines, one an episode; appended (build/chaos/results.jsonl)")
    parser.add_argument("--bin-dir", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--sabotage", action="store_true", help="do harm that no fault does, to see that it is found")
    args = parser.parse_args()
    if args.minutes <= 0 or (args.episodes is not None and args.episodes < 1) or (args.episode or 0) < 0:
        parser.error("--minutes and --episodes must be above 0, and --episode not below")
    if unknown := set(args.kinds.split(",")) - KINDS.keys():
        parser.error(f"no fault {', '.join(sorted(unknown))}; there are: {', '.join(KINDS)}")
    return args


if __name__ == "__main__":
    options()

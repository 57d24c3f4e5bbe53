"""The command line of scripts/check_7b.sh. As a program it only looks whether it is a good one: before anything is built."""

import argparse
from pathlib import Path


def options():
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="scripts/check_7b.sh",
        description=(
            "MiDashengLM 7B at its true size on this machine's CPUs: makes a checkpoint of random float32 weights in the published sizes, names and "
            "shards without ever holding it, then info, convert-dataset, two steps of train --bf16 true with the merge at its end, and inference "
            "of two rows, and merge of the adapter into the float32 weights. Prints seconds and peak memory of each; ends with 1 when training or merging needs more memory than its bound. About 15 minutes on 2 "
            "cores; 24 GB of memory; the disk that it needs is told first."
        ),
    )
    parser.add_argument("--work", type=Path, help="where to write (build/check_7b)")
    parser.add_argument(
        "--keep", action="store_true", help="leave the checkpoint and the results there; a checkpoint that is there is taken"
    )
    parser.add_argument("--only", choices=["make", "train", "inference", "merge"], help="the checkpoint, and no more than this part")
    parser.add_argument("--bin-dir", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    options()

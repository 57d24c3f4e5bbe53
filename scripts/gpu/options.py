"""The command line of accept.sh."""

import argparse
import itertools
import os
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
PACKED = (HERE / "toolkit/bin", HERE / "inputs")
BUILT = (CHECKOUT / "build/release/bin", CHECKOUT / "build/demo")
HOW_TO_GET_THEM = "in a checkout scripts/demo.sh makes programs and inputs, for a machine with a GPU scripts/gpu/pack.sh packs them"
# The 7B's checkpoint of 16.6 GB is written and read several times: memory is the best place for it, where there is so much.
NEEDED_FOR_MODEL = 40 << 30
TEXT = """Each stage has a time limit of its own; when the seconds are used up, the stages that are left are named as skipped. The status is 0 when
all stages passed, 1 when one failed, 3 when none failed but one was skipped, 2 for a mistake on the command line, and 128 and its number for a signal that
ended it."""


def default_places() -> tuple[Path, Path]:
    """Of programs and inputs: what pack.sh has packed beside this file, or else what demo.sh has made in the checkout."""
    return PACKED if any(place.exists() for place in PACKED) else BUILT


def rows_in(inputs: Path, part: str) -> Path:
    """The dataset folder `part`, which demo.sh calls otherwise than pack.sh."""
    made = inputs / f"{part}-converted"
    return made if made.exists() else inputs / part


def without_results(folder: Path) -> Path:
    """A run must not write over another's results: folder, folder-2, folder-3 …"""
    numbered = (folder.with_name(f"{folder.name}-{number}") for number in itertools.count(2))
    return next(place for place in itertools.chain([folder], numbered) if not (place / "log.txt").exists())


def work_folder(parent: Path | None) -> Path:
    """A temporary one."""
    memory = Path("/dev/shm")
    if parent:
        parent.mkdir(parents=True, exist_ok=True)
    elif memory.is_dir() and shutil.disk_usage(memory).free > NEEDED_FOR_MODEL:
        parent = memory
    return Path(tempfile.mkdtemp(prefix="mdl-accept-", dir=parent))


def read(arguments: list[str], stages: list[str]) -> argparse.Namespace:
    bin_dir, inputs = default_places()
    parser = argparse.ArgumentParser(prog="accept.sh", description="Acceptance of mdl-toolkit on one GPU.", epilog=TEXT)
    parser.add_argument("--dry-run", action="store_true", help="on the CPU, with a small model instead of the 7B: tests the script")
    parser.add_argument("--seconds", type=float, default=600, help="for everything (600)")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("gpu-results"),
        help="folder of results.json, table.txt and log.txt (%(default)s); where it has results already, FOLDER-2, FOLDER-3 … is taken",
    )
    parser.add_argument(
        "--work", type=Path, help="where a folder for the 7B's checkpoint and the trainings is made, 20 GB (memory, or TMPDIR)"
    )
    parser.add_argument("--only", help=f"stages with commas, to which `start` and what they need are added: {', '.join(stages)} (all)")
    parser.add_argument("--bin-dir", type=Path, default=bin_dir, help="folder of mdl-toolkit (%(default)s)")
    parser.add_argument("--launcher", type=Path, help="mdl-launch (the one beside mdl-toolkit)")
    parser.add_argument(
        "--inputs", type=Path, default=inputs, help="folder with checkpoint, train, test and, if you like, vocabulary (%(default)s)"
    )
    parser.add_argument("--python", default=sys.executable, help="that has transformers and peft (the one that runs this)")
    options = parser.parse_args(arguments)
    options.launcher = options.launcher or options.bin_dir / "mdl-launch"
    options.stages = options.only.split(",") if options.only else list(stages)
    if unknown := [name for name in options.stages if name not in stages]:
        parser.error(f"there is no stage {', '.join(unknown)}; there are {', '.join(stages)}")
    for name in ("output", "bin_dir", "launcher", "inputs"):
        setattr(options, name, Path(os.path.abspath(getattr(options, name))))
    options.train_rows, options.test_rows = (rows_in(options.inputs, part) for part in ("train", "test"))
    for place, what in (
        (options.bin_dir / "mdl-toolkit", "--bin-dir"),
        (options.launcher, "--launcher"),
        (options.inputs / "checkpoint", "--inputs"),
        (options.train_rows, "--inputs"),
        (options.test_rows, "--inputs"),
    ):
        if not place.exists():
            parser.error(f"there is no {place}; {what} names its place ({HOW_TO_GET_THEM})")
    options.output = without_results(options.output)
    options.work = Path(os.path.abspath(work_folder(options.work)))
    return options

"""The command line of accept.sh."""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The 7B's checkpoint of 16.6 GB is written and read several times: memory is the best place for it, where there is so much.
NEEDED_FOR_MODEL = 40 << 30
TEXT = """Each stage has a time limit of its own; when the seconds are used up, the stages that are left are named as skipped. The status is 0 when
all stages passed, 1 when one failed, 3 when none failed but one was skipped, 2 for a mistake on the command line."""


def work_folder() -> Path:
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > NEEDED_FOR_MODEL
    return Path(tempfile.mkdtemp(prefix="mdl-accept-", dir=memory if roomy else None))


def read(arguments: list[str], stages: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="accept.sh", description="Acceptance of mdl-toolkit on one GPU.", epilog=TEXT)
    parser.add_argument("--dry-run", action="store_true", help="on the CPU, with a small model instead of the 7B: tests the script")
    parser.add_argument("--seconds", type=float, default=600, help="for everything (600)")
    parser.add_argument(
        "--output", type=Path, default=Path("gpu-acceptance"), help="folder of results.json, table.txt and log.txt (%(default)s)"
    )
    parser.add_argument("--work", type=Path, help="folder for the 7B's checkpoint and the trainings (a temporary one, removed at the end)")
    parser.add_argument("--only", help=f"stages with commas, to which `start` and what they need are added: {', '.join(stages)} (all)")
    parser.add_argument("--bin-dir", type=Path, default=HERE / "toolkit/bin", help="folder of mdl-toolkit (%(default)s)")
    parser.add_argument("--launcher", type=Path, help="mdl-launch (the one beside mdl-toolkit)")
    parser.add_argument(
        "--inputs", type=Path, default=HERE / "inputs", help="folder with checkpoint, train, test and, if you like, vocabulary"
    )
    parser.add_argument("--python", default=sys.executable, help="that has transformers and peft (the one that runs this)")
    options = parser.parse_args(arguments)
    options.launcher = options.launcher or options.bin_dir / "mdl-launch"
    options.stages = options.only.split(",") if options.only else list(stages)
    if unknown := [name for name in options.stages if name not in stages]:
        parser.error(f"there is no stage {', '.join(unknown)}; there are {', '.join(stages)}")
    for place, what in (
        (options.bin_dir / "mdl-toolkit", "--bin-dir"),
        (options.launcher, "--launcher"),
        (options.inputs / "checkpoint", "--inputs"),
    ):
        if not place.exists():
            parser.error(f"there is no {place}; {what} names its place (scripts/gpu/pack.sh packs all that is needed)")
    options.remove_work = options.work is None
    options.work = options.work or work_folder()
    for name in ("output", "work", "bin_dir", "launcher", "inputs"):
        setattr(options, name, Path(os.path.abspath(getattr(options, name))))
    return options

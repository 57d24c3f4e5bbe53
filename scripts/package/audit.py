#!/usr/bin/env python3
"""Whether auditwheel agrees with the tags of wheels: the system that a name promises is enough for what lies in the wheel.

usage: audit.py AUDITWHEEL WHEEL…

AUDITWHEEL is the program of PyPI's package. The libraries of torch, of what it requires, and of pyarrow may lie outside of a wheel: pip brings
them. Prints a line for each wheel, and ends with 1 where auditwheel says otherwise.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import bundled


def promised(wheel: Path) -> tuple[int, ...]:
    """The C library of the name's last part: (2, 34) of "…-manylinux_2_34_x86_64.whl"."""
    return tuple(int(part) for part in re.search(r"-manylinux_(\d+)_(\d+)_\w+\.whl$", wheel.name).groups())


def disagreement(wheel: Path, told: dict) -> str | None:
    """What speaks against the name, of what auditwheel told; None where nothing does."""
    tag = re.fullmatch(r"manylinux_(\d+)_(\d+)_\w+", told["sym_tag"])
    if not tag or (int(tag[1]), int(tag[2])) > promised(wheel):
        return f"its symbols are those of {told['sym_tag']}"
    outside = [name for name in told["external_libs"] if not name.startswith(bundled.OF_PACKAGES)]
    return f"it needs {', '.join(outside)}" if outside else None


def main(arguments: list[str]) -> int:
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    auditwheel, *wheels = arguments
    good = True
    for wheel in map(Path, wheels):
        told = json.loads(subprocess.run([auditwheel, "show", "--json", wheel], check=True, capture_output=True, text=True).stdout)
        wrong = disagreement(wheel, told)
        print(f"{wheel.name}: auditwheel {'says otherwise: ' + wrong if wrong else 'agrees'}")
        good = good and not wrong
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

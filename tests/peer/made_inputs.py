"""Inputs that tests make once for all tests of a build, and what they are made of."""

import contextlib
import functools
import hashlib
import subprocess
from pathlib import Path

import filelock

REPOSITORY = Path(__file__).resolve().parents[2]


def short_hash(*files):
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:8]


@functools.cache
def remote_code():
    """A short name of the peer model's code, which is part of every checkpoint: one that was made with older code is not taken."""
    return short_hash(*sorted((REPOSITORY / "scripts/peer/midashenglm").glob("*.py")))


@functools.cache
def adapter_code():
    return short_hash(REPOSITORY / "tests/peer/make_adapter.py")


@contextlib.contextmanager
def made_once(target):
    """Yields a folder to fill when `target` is not there yet, else None. Tests run side by side, so the first one to come makes it."""
    with filelock.FileLock(f"{target}.lock"):
        if target.exists():
            yield None
            return
        unfinished = target.with_name(target.name + ".unfinished")
        subprocess.run(["rm", "-rf", str(unfinished)], check=True)
        yield unfinished
        unfinished.rename(target)

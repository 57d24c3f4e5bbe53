"""Fixtures that the tests against the real Python programs share."""

import contextlib
import functools
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session")
def bin_dir():
    """The folder of the built mdl-launch, mdl-toolkit and test programs."""
    return Path(os.environ.get("MDL_BIN_DIR", REPOSITORY / "build" / "release" / "bin"))


@pytest.fixture(scope="session")
def venv_bin():
    """The folder of the real torchrun, accelerate and Python mdl-toolkit."""
    return Path(sys.executable).parent


@pytest.fixture(scope="session")
def data_dir():
    """A cache of made inputs, shared by all test programs of one build."""
    path = Path(os.environ.get("MDL_TEST_DATA", REPOSITORY / "build" / "test-data"))
    path.mkdir(parents=True, exist_ok=True)
    return path


@functools.cache
def remote_code():
    """A short name of the peer model's code, which is part of every checkpoint: one that was made with older code is not taken."""
    code = b"".join(path.read_bytes() for path in sorted((REPOSITORY / "scripts/peer/midashenglm").glob("*.py")))
    return hashlib.sha256(code).hexdigest()[:8]


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


def run(command, **options):
    """Runs to the end with the output captured; a failure shows the output in the test's report."""
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=options.pop("timeout", 240),
        **options,
    )
    assert done.returncode == 0, f"{command} exited with {done.returncode}:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="session")
def checkpoint(data_dir):
    """checkpoint("qwen2", "--hidden", "64") -> folder of a small random checkpoint with those options, made once."""

    def make(decoder="qwen2", *options):
        target = data_dir / "-".join(["checkpoint", remote_code(), decoder, *[o.strip("-") for o in options]])
        with made_once(target) as folder:
            if folder:
                run([sys.executable, REPOSITORY / "scripts/peer/make_checkpoint.py", "--out", folder, "--decoder", decoder, *options])
        return target

    return make


@pytest.fixture(scope="session")
def dataset(data_dir, venv_bin, checkpoint):
    """dataset(checkpoint_folder) -> (train, test): dataset folders that the real Python mdl-toolkit wrote for its tokenizer.

    35 clips to train on, 9 to test on; of spoken words and desktop sounds.
    """

    def make(model=None):
        model = model or checkpoint()
        target = data_dir / f"dataset-{model.name}"
        with made_once(target) as folder:
            if folder:
                run([sys.executable, REPOSITORY / "scripts/peer/make_dataset.py", "--out", folder])
                for part in ("train", "test"):
                    run(
                        [
                            venv_bin / "mdl-toolkit",
                            "convert-dataset",
                            folder / f"{part}.csv",
                            "--model-name",
                            model,
                            "--output",
                            folder / part,
                        ],
                        input="y\n",
                    )
        return target / "train", target / "test"

    return make

"""Fixtures that the tests against the real Python programs share."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from made_inputs import adapter_code, made_once, remote_code
from programs import run, run_python_tool

PEER = Path(__file__).resolve().parent
REPOSITORY = PEER.parents[1]
sys.path.append(str(REPOSITORY / "scripts/peer"))  # make_checkpoint.py knows the decoders
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
                    options = ["--model-name", model, "--output", folder / part]
                    run_python_tool(venv_bin, "convert-dataset", folder / f"{part}.csv", *options, answers="y\n")
        return target / "train", target / "test"

    return make


@pytest.fixture(scope="session")
def toolkit(bin_dir):
    return bin_dir / "mdl-toolkit"


@pytest.fixture(scope="session")
def data(checkpoint, dataset):
    """(checkpoint, train, test): what a small run trains on."""
    model = checkpoint()
    return model, *dataset(model)


@pytest.fixture(scope="session")
def made_adapter(data_dir, tmp_path_factory):
    """made_adapter(checkpoint_folder, *options of make_adapter.py) -> folder of a PEFT adapter, the test program's own.

    Its B is not zero, so that every gradient matters from the first step.
    """

    def make(model, *options):
        target = data_dir / "-".join(["adapter", adapter_code(), model.name, *[o.strip("-") for o in options]])
        with made_once(target) as folder:
            if folder:
                env = {**os.environ, "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"}
                run([sys.executable, PEER / "make_adapter.py", "--model", model, "--output", folder, *options], env=env)
        return shutil.copytree(target, tmp_path_factory.mktemp("adapter") / "adapter")

    return make


@pytest.fixture(scope="session")
def adapter(data, made_adapter):
    return made_adapter(data[0])

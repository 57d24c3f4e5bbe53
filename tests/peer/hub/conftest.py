"""Fixtures of the tests with a hub on loopback."""

import random
import shutil

import pytest

from certificates import Authority
from hub_server import HubServer


@pytest.fixture(scope="session")
def hub():
    """One hub of plain http for all tests; each publishes its own repositories there."""
    with HubServer() as server:
        yield server


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def published(checkpoint, tmp_path_factory):
    """The folder of a small checkpoint as it is published: with files that nobody here wants, and one in a folder."""
    folder = tmp_path_factory.mktemp("published") / "model"
    shutil.copytree(checkpoint(), folder)
    (folder / "README.md").write_text("# A small model\n")
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs diff=lfs merge=lfs -text\n")
    (folder / "pytorch_model.bin").write_bytes(b"not wanted")
    (folder / "fig").mkdir()
    (folder / "fig/one.png").write_bytes(b"no picture")
    (folder / "extra").mkdir()
    for name in ("notes.json", "twin.json", "n\u00e4me with 50% + #1?&.json"):
        (folder / "extra" / name).write_text("{}\n")
    (folder / "extra/empty.txt").touch()
    shutil.copy(folder / "tokenizer.json", folder / "extra/tokenizer.json")
    return folder


@pytest.fixture(scope="session")
def large(tmp_path_factory):
    """A repository's folder whose weights, 72 MB of noise, come in ranges."""
    folder = tmp_path_factory.mktemp("large") / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}\n")
    (folder / "tokenizer.json").write_text('{"version": "1.0"}\n')
    (folder / "model.safetensors").write_bytes(random.Random(1).randbytes(72 << 20))
    return folder

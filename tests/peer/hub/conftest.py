"""Fixtures of the tests with a hub on loopback."""

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
    (folder / "extra/notes.json").write_text("{}\n")
    return folder

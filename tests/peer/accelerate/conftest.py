"""Fixtures that the tests of accelerate's files share."""

import pytest

from accelerate_answers import SETUPS
from terminal import Terminal


@pytest.fixture(scope="session")
def real_config(venv_bin, tmp_path_factory):
    """real_config(kind) -> a file that the real `accelerate config` wrote, answered through a terminal; made once a session."""
    made = {}

    def make(kind):
        if kind not in made:
            path = tmp_path_factory.mktemp("real") / f"{kind}.yaml"
            with Terminal([venv_bin / "accelerate", "config", "--config_file", path], timeout=120) as terminal:
                for question, _, keys in SETUPS[kind]:
                    terminal.answer(question, keys)
                assert terminal.finish() == 0, terminal.text
            made[kind] = path
        return made[kind]

    return make

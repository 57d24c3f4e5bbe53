"""scripts/soak.sh in short: a hundred rounds, and whether a leak is found."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).resolve().parents[2] / "scripts/soak"
sys.path.insert(0, str(SOAK))

from trend import rise, settled  # noqa: E402


@pytest.fixture
def soak(bin_dir, tmp_path):
    if os.environ.get("MDL_TEST_SANITIZE"):
        pytest.skip("a sanitizer's own memory grows")

    def run(*options):
        return subprocess.run(
            [sys.executable, SOAK / "main.py", "--bin-dir", bin_dir, "--work", tmp_path, "--rounds", "100", "--samples", "8", *options],
            capture_output=True,
            text=True,
            timeout=300,
            env=dict(os.environ),
        )

    return run


def test_nothing_grows_with_restarts_and_rounds(soak):
    done = soak()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| descriptors |" in done.stdout and "| keys in the store |" in done.stdout


def test_what_is_left_in_each_round_is_found(soak):
    done = soak("--sabotage")
    assert done.returncode == 1
    assert "not flat: keys in the store, temporary files" in done.stderr


@pytest.mark.parametrize(
    "command, complaint",
    [
        ("soak.sh --rounds few", "--rounds: invalid int value"),
        ("soak.sh --rounds 3", "at least 80"),
        ("chaos.sh --minutes 5 --sed 3", "--sed 3"),
        ("chaos.sh --kinds rain", "no fault rain"),
        ("chaos.sh --episodes 0", "above 0"),
        ("chaos.sh --spares 3..1", "no number from 0 to 3"),
    ],
)
def test_a_mistake_in_the_command_is_told_before_anything_is_built(command, complaint):
    program, *options = command.split()
    env = {**os.environ, "MDL_VENV": "/nowhere"}
    done = subprocess.run([SOAK.parent / program, *options], capture_output=True, text=True, timeout=60, env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr


@pytest.mark.parametrize("program", ["soak.sh", "chaos.sh"])
def test_a_machine_without_python_is_told_why_there_is_no_help(program, tmp_path):
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(shutil.which(name))
    done = subprocess.run(
        [tmp_path / "bash", SOAK.parent / program, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": str(tmp_path), "MDL_VENV": "/nowhere"},
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{program}: " in done.stderr and "there is no python3" in done.stderr


def test_a_trend_is_how_far_the_fitted_line_rises():
    assert rise([(0, 5), (10, 5), (30, 5)]) == 0
    assert rise([(0, 5), (10, 6), (30, 8)]) == pytest.approx(3)
    noisy = [(x, 100 + (-1) ** x * 7) for x in range(100)]
    assert abs(rise(noisy)) < 1 and rise([(x, y + x / 10) for x, y in noisy]) == pytest.approx(9.9, abs=1)


def test_the_first_part_of_a_series_does_not_count():
    warming = [(x, min(x, 10)) for x in range(0, 101, 5)]
    assert rise(warming) > 2 and rise(settled(warming)) == 0


def test_too_few_points_are_no_trend():
    with pytest.raises(ValueError):
        rise([(0, 1), (1, 1)])

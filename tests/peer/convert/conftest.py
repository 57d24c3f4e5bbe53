"""Fixtures of the tests of convert-dataset."""

from pathlib import Path

import pytest

from conversions import sound
from csv_files import write_csv
from made_inputs import made_once
from programs import run

TEXTS = [
    "a bell",
    "Zu\u0308rich, \u201cquoted\u201d",
    "\u6f22\u5b57\u306e\u30c6\u30b9\u30c8",
    "two\nlines",
    "\u0645\u0631\u062d\u0628\u0627",
    "x" * 300,
    "5 o'clock",
    "\U0001f600 ok",
]


@pytest.fixture(scope="module")
def sounds(data_dir):
    """A folder with all.csv: every format, rate and number of channels, and a few of Debian's real sounds."""
    target = data_dir / "convert-sounds"
    with made_once(target) as folder:
        if folder:
            folder.mkdir()
            rows = []
            for kind in ("wav", "flac", "ogg", "mp3", "opus"):
                for rate in (8000, 16000, 44100, 48000):
                    if kind == "opus" and rate == 44100:
                        continue  # Opus has no such rate
                    for channels in (1, 2):
                        seed = len(rows)
                        name = f"{kind}-{rate}-{channels}.{kind}"
                        sound(folder / name, rate, channels, 0.15 + 0.21 * seed % 2, seed)
                        rows.append({"audio": name})
            real = sorted(Path("/usr/share/sounds/alsa").glob("*.wav")) + sorted(Path("/usr/share/sounds/freedesktop/stereo").glob("*.oga"))
            rows += [{"audio": str(path)} for path in real[::6]]
            for i, row in enumerate(rows):
                row["prediction"] = TEXTS[i % len(TEXTS)]
                row["system_prompt"] = "Be brief." if i % 3 == 0 else ""
                row["user_prompt"] = f"What is it, no. {i}?" if i % 4 else ""
                row["unused"] = i
            write_csv(folder / "all.csv", rows)
    return target


@pytest.fixture
def ours(bin_dir):
    """ours(*arguments) -> what our convert-dataset printed; a failure fails the test."""
    return lambda *arguments: run([bin_dir / "mdl-toolkit", "convert-dataset", *arguments])

"""The prompts that the tests of inference answer."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from csv_files import write_csv
from made_inputs import made_once

os.environ["OMP_NUM_THREADS"] = "1"  # the model is too small for more
QUESTIONS = [
    "What is this sound?",
    "",
    "Was h\u00f6rst du, \u201egenau\u201c?",
    "\u3053\u308c\u306f\u4f55?",
    'Describe it\nin two lines, "please".',
]


@pytest.fixture(scope="module")
def prompts(data_dir):
    """A CSV file of 50 prompts: Debian's real sounds, one of 13 s, and questions in several scripts."""
    target = data_dir / "inference-prompts"
    with made_once(target) as folder:
        if folder:
            folder.mkdir()
            sounds = sorted(Path("/usr/share/sounds/alsa").glob("*.wav")) + sorted(
                Path("/usr/share/sounds/freedesktop/stereo").glob("*.oga")
            )
            spoken = np.concatenate(
                [soundfile.read(path, dtype="float32")[0] for path in sounds if path.suffix == ".wav" and "Noise" not in path.name]
            )
            soundfile.write(folder / "long.wav", spoken, 48000)
            audio = [str(target / "long.wav"), *map(str, sounds)]
            write_csv(
                folder / "rows.csv",
                [
                    {
                        "id": f"r{i}",
                        "audio": audio[i % len(audio)],
                        "user_prompt": QUESTIONS[i % 5],
                        "system_prompt": "Be brief." if i % 7 == 0 else "",
                        "note": 'kept, "as is"',
                    }
                    for i in range(50)
                ],
            )
    return target / "rows.csv"

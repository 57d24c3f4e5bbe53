"""Sounds for convert-dataset, and its runs that must fail."""

import subprocess

import numpy as np
import soundfile

from csv_files import write_csv


def sound(path, rate, channels, seconds, seed):
    rng = np.random.default_rng(seed)
    time = np.arange(int(rate * seconds)) / rate
    waves = [0.4 * np.sin(2 * np.pi * (200 + 150 * c) * time * (1 + time)) + 0.05 * rng.standard_normal(len(time)) for c in range(channels)]
    subtype = {"format": "OGG", "subtype": "OPUS"} if path.suffix == ".opus" else {}
    soundfile.write(path, np.stack(waves, 1).astype(np.float32), rate, **subtype)


def fails(bin_dir, *arguments):
    """The message and exit code of a run of ours that must fail."""
    done = subprocess.run([bin_dir / "mdl-toolkit", "convert-dataset", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode != 0, done.stdout
    return done.stderr, done.returncode


def many_rows(folder, count, seconds):
    sound(folder / "clip.wav", 16000, 1, seconds, 1)
    write_csv(folder / "many.csv", [{"audio": str(folder / "clip.wav"), "prediction": f"answer {i}"} for i in range(count)])
    return folder / "many.csv"

"""rows.py SOUNDS FOLDER: train.csv and test.csv in FOLDER, of SOUNDS, which has a folder for each class."""

import csv
import random
import sys
from pathlib import Path

import soundfile

LANGUAGES = {"en": "English", "es": "Spanish", "fr": "French", "it": "Italian", "ru": "Russian"}
WORDS = ("phonetic", "digits", "letters")
TRAINED, HELD_OUT = 24, 10
QUESTION = "Which language is spoken?"


def clips(folder):
    """Of one class, in an order that is no one's choice: each is a word, so that no two parts share one."""
    found = sorted(path for words in WORDS for path in (folder / words).glob("*.wav") if 0.4 < soundfile.info(path).duration < 2)
    random.Random(0).shuffle(found)
    if len(found) < TRAINED + HELD_OUT:
        sys.exit(f"rows.py: {folder} has {len(found)} clips, and {TRAINED + HELD_OUT} are needed")
    return found[:TRAINED], found[TRAINED : TRAINED + HELD_OUT]


def main():
    sounds, output = map(Path, sys.argv[1:])
    rows = {"train": [], "test": []}
    for folder in sorted(path for path in sounds.iterdir() if path.name[:2] in LANGUAGES and path.is_dir()):
        for part, found in zip(rows, clips(folder), strict=True):
            rows[part] += [[path.resolve(), QUESTION, LANGUAGES[folder.name[:2]]] for path in found]
    for part, lines in rows.items():
        with (output / f"{part}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["audio", "user_prompt", "prediction"])
            writer.writerows(lines)
        print(f"{part}.csv: {len(lines)} clips in {len({line[2] for line in lines})} classes")


if __name__ == "__main__":
    main()

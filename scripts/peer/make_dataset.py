"""Lists Debian's real sounds as a training set: train.csv and test.csv with the columns audio, user_prompt, prediction.

44 clips: the desktop events of sound-theme-freedesktop and the spoken words of alsa-utils. A clip's answer is its file's name.
"""

import argparse
import csv
import sys
from pathlib import Path

FOLDERS = {"/usr/share/sounds/freedesktop/stereo": "*.oga", "/usr/share/sounds/alsa": "*.wav"}
QUESTION = "What is this sound?"


def clips():
    for folder, pattern in FOLDERS.items():
        for path in sorted(Path(folder).glob(pattern)):
            yield {"audio": str(path), "user_prompt": QUESTION, "prediction": path.stem.replace("-", " ").replace("_", " ").lower()}


def write(path, rows):
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=["audio", "user_prompt", "prediction"])
        writer.writeheader()
        writer.writerows(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repeat", type=int, default=1, help="how often train.csv lists its clips")
    parser.add_argument("--test-every", type=int, default=5, help="every n-th clip goes to test.csv instead")
    args = parser.parse_args()
    rows = list(clips())
    if not rows:
        sys.exit("make_dataset.py: no sounds found; run scripts/setup.sh, which installs sound-theme-freedesktop and alsa-utils")
    args.out.mkdir(parents=True, exist_ok=True)
    train = [row for i, row in enumerate(rows) if i % args.test_every != 0]
    test = rows[:: args.test_every]
    write(args.out / "train.csv", train * args.repeat)
    write(args.out / "test.csv", test)
    print(f"{args.out}: {len(train) * args.repeat} training clips, {len(test)} test clips")


if __name__ == "__main__":
    main()

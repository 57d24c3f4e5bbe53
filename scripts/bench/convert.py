#!/usr/bin/env python3
"""Turns a CSV file of sounds into a dataset folder: our convert-dataset beside the Python tool's, in one run on one machine.

Prints a JSON line a case: bench, case, ours, theirs, ratio (theirs / ours, larger is better), unit.
  wall time    from the command's start to its end, with the same options; the median of the repetitions, ours and theirs in turn.
               Debian's desktop sounds and spoken words, listed once and --repeat times; every program starts afresh, so the
               Python tool's cache (HF_HOME) is emptied before each run: with it, a second run converts nothing.
  from cache   ours, which always converts, beside the Python tool when the same command's result lies in that cache.
  throughput   rows a second beyond the start: the rows that the long list has more, by the time that it takes more.
  peak memory  largest resident set of the command's process on the long list, as wait4() reports it.
Both folders are compared before anything is printed: the same columns and token ids.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
VENV_BIN = Path(sys.executable).parent


def run_once(command, answer):
    """Seconds and peak resident set in KiB of a command that must succeed."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=log, stderr=log)
        try:
            process.stdin.write(answer)
            process.stdin.close()
        except BrokenPipeError:
            pass  # ours asks nothing
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            log.seek(0)
            sys.exit(f"{command[0]} exited with {process.returncode}:\n{log.read().decode()}")
    return time.perf_counter() - started, usage.ru_maxrss


def measure(programs, csv, checkpoint, work, repetitions):
    """{name: (median seconds, peak KiB)}; the programs take turns."""
    results = {name: [] for name in programs}
    for _ in range(repetitions):
        for name, program in programs.items():
            output = work / f"out-{name}-{csv.stem}"
            subprocess.run(["rm", "-rf", output, os.environ["HF_HOME"]], check=True)
            results[name].append(run_once([program, "convert-dataset", csv, "--model-name", checkpoint, "--output", output], b"y\n"))
    return {name: (statistics.median(seconds for seconds, _ in runs), max(peak for _, peak in runs)) for name, runs in results.items()}


def rows_of(csv):
    return sum(1 for _ in csv.open()) - 1


def check_equal(work, csv):
    code = (
        "import sys; from datasets import load_from_disk\n"
        "a, b = (load_from_disk(path).remove_columns('input_values') for path in sys.argv[1:])\n"
        "assert a.features == b.features and len(a) == len(b) and all(x == y for x, y in zip(a, b)), 'the two folders differ'"
    )
    subprocess.run([VENV_BIN / "python", "-c", code, work / f"out-ours-{csv.stem}", work / f"out-theirs-{csv.stem}"], check=True)


def report(case, ours, theirs, unit, ratio):
    print(
        json.dumps(
            {"bench": "convert", "case": case, "ours": round(ours, 4), "theirs": round(theirs, 4), "ratio": round(ratio, 1), "unit": unit}
        ),
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin-dir", type=Path, required=True)
    parser.add_argument("--repeat", type=int, default=40, help="how often the long list holds each sound")
    parser.add_argument("--repetitions", type=int, default=3)
    args = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    programs = {"ours": args.bin_dir / "mdl-toolkit", "theirs": VENV_BIN / "mdl-toolkit"}
    with tempfile.TemporaryDirectory(prefix="mdl-bench-") as folder:
        work = Path(folder)
        os.environ["HF_HOME"] = str(work / "huggingface")
        checkpoint = work / "checkpoint"
        for script, *options in (
            ["make_checkpoint.py", "--out", checkpoint, "--full-vocab"],
            ["make_dataset.py", "--out", work],
            ["make_dataset.py", "--out", work / "long", "--repeat", str(args.repeat)],
        ):
            subprocess.run(
                [VENV_BIN / "python", SCRIPTS / "peer" / script, *options], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        short, long = work / "train.csv", work / "long.csv"
        (work / "long" / "train.csv").rename(long)
        short_runs = measure(programs, short, checkpoint, work, args.repetitions)
        long_runs = measure(programs, long, checkpoint, work, args.repetitions)
        check_equal(work, long)
        output = work / f"out-theirs-{long.stem}"  # the very same command as before, else its cache does not count
        subprocess.run(["rm", "-rf", output], check=True)
        cached, _ = run_once([programs["theirs"], "convert-dataset", long, "--model-name", checkpoint, "--output", output], b"y\n")
        ours, theirs = short_runs["ours"], short_runs["theirs"]
        report(f"{rows_of(short)} sounds, wall time", ours[0], theirs[0], "s", theirs[0] / ours[0])
        ours, theirs = long_runs["ours"], long_runs["theirs"]
        report(f"{rows_of(long)} sounds, wall time", ours[0], theirs[0], "s", theirs[0] / ours[0])
        report(f"{rows_of(long)} sounds, theirs from its cache", ours[0], cached, "s", cached / ours[0])
        rates = [(rows_of(long) - rows_of(short)) / (long_runs[name][0] - short_runs[name][0]) for name in programs]
        report("beyond the start", rates[0], rates[1], "sounds/s", rates[0] / rates[1])
        report(f"{rows_of(long)} sounds, peak memory", ours[1] / 1024, theirs[1] / 1024, "MiB", theirs[1] / ours[1])


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Starts 8 processes of /bin/true on one node: mdl-launch beside the real torchrun, in one run on one machine.

Prints a JSON line a case: bench, case, ours, theirs, ratio (theirs / ours, larger is better), unit.
  wall time    from the launcher's start to its end; the median of the repetitions, ours and theirs taken in turn.
  peak memory  largest sum of the proportional set sizes (PSS, /proc/PID/smaps_rollup: shared pages are divided among
               those who share them) of the launcher and its helper processes, workers left out, looked at every
               millisecond while 8 workers sleep for two seconds.
  process      largest resident set of the launcher process itself (VmHWM) in the same run. (wait4()'s number would be
               that of this Python program, from which the launcher is forked.)
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

VENV_BIN = Path(os.environ.get("MDL_VENV", Path(__file__).resolve().parents[2] / "build" / "venv")) / "bin"


def run_once(launcher):
    """Seconds from start to end of 8 workers that end at once."""
    started = time.perf_counter()
    subprocess.run([launcher, "--standalone", "--nproc-per-node", "8", "--no-python", "/bin/true"], stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def children_of(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        children = task / "children"
        if children.exists():
            found += map(int, children.read_text().split())
    return found


def kib(pid, file, field):
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    return 0


def is_worker(pid):
    return Path(f"/proc/{pid}/comm").read_text().strip() == "sleep"


def memory_kib(launcher):
    """Peaks of the launcher's own processes together, and of its main process alone, while 8 workers run."""
    process = subprocess.Popen([launcher, "--standalone", "--nproc-per-node", "8", "--no-python", "sleep", "2"], stderr=subprocess.DEVNULL)
    peak = main_peak = 0
    while process.poll() is None:
        total, pids = 0, [process.pid]
        try:
            for pid in pids:
                if pid == process.pid or not is_worker(pid):
                    total += kib(pid, "smaps_rollup", "Pss:")
                    pids += children_of(pid)
            main_peak = max(main_peak, kib(process.pid, "status", "VmHWM:"))
        except (FileNotFoundError, ProcessLookupError):
            pass  # a process ended while it was looked at
        peak = max(peak, total)
        time.sleep(0.001)
    if process.returncode != 0:
        sys.exit(f"{launcher} exited with {process.returncode}")
    return peak, main_peak


def report(case, ours, theirs, unit):
    print(
        json.dumps(
            {
                "bench": "launch",
                "case": case,
                "ours": round(ours, 4),
                "theirs": round(theirs, 4),
                "ratio": round(theirs / ours, 1),
                "unit": unit,
            }
        ),
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin-dir", type=Path, default=Path("build/release/bin"), help="folder of mdl-launch")
    parser.add_argument("--torchrun", type=Path, default=VENV_BIN / "torchrun")
    parser.add_argument("--repetitions", type=int, default=7)
    arguments = parser.parse_args()
    ours, theirs = str(arguments.bin_dir / "mdl-launch"), str(arguments.torchrun)

    for launcher in (ours, theirs):  # warm the page cache
        run_once(launcher)
    runs = [(run_once(ours), run_once(theirs)) for _ in range(arguments.repetitions)]
    report(
        "8 processes of /bin/true, wall time", statistics.median(our for our, _ in runs), statistics.median(their for _, their in runs), "s"
    )
    our_memory, their_memory = memory_kib(ours), memory_kib(theirs)
    report("8 sleeping workers, launcher process, peak resident set", our_memory[1] / 1024, their_memory[1] / 1024, "MiB")
    report(
        "8 sleeping workers, all of the launcher's processes, peak proportional set", our_memory[0] / 1024, their_memory[0] / 1024, "MiB"
    )


if __name__ == "__main__":
    main()

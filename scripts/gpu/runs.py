"""A program's run: what it printed and when, how it ended, and what a training said of itself."""

import ast
import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

VARIABLE = "MDL_ACCEPTANCE_RUN"
COUNTER = itertools.count()
PATIENCE = 10  # seconds for what was killed to go: a GPU's memory takes a moment
PEAK = re.compile(r"^(Peak|Reserved) VRAM during (loading|training): ([\d.]+) GiB$")


@dataclass
class Run:
    """Times are seconds since the program's start."""

    name: str
    command: list[str]
    expected: int = 0
    status: int | None = None
    timed_out: bool = False
    seconds: float = 0
    loaded: float | None = None  # the model is there, and training is about to begin
    steps: list[float] = field(default_factory=list)  # when each was done
    losses: dict[int, float] = field(default_factory=dict)  # by step
    norms: dict[int, float] = field(default_factory=dict)
    evaluations: list[float] = field(default_factory=list)
    peaks: dict[str, float] = field(default_factory=dict)  # GiB of loading, training, reserved
    lines: list[tuple[float, str]] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.status == self.expected and not self.timed_out

    def text(self) -> str:
        return "\n".join(line for _, line in self.lines)

    def as_json(self) -> dict:
        return {name: value for name, value in asdict(self).items() if name != "lines"}


def numbers_of(line: str) -> dict[str, float]:
    """Of a line such as "{'loss': '7.71', 'epoch': '0.2'}", which both programs print; empty for another one."""
    with contextlib.suppress(ValueError, SyntaxError):
        return {key: float(value) for key, value in ast.literal_eval(line[line.index("{'") :]).items()}
    return {}


def read_line(run: Run, seconds: float, line: str) -> None:
    run.lines.append((seconds, line))
    numbers = numbers_of(line)
    if "grad_norm" in numbers and "loss" in numbers:
        run.steps.append(seconds)
    if "trainable params" in line:
        run.loaded = seconds
    if peak := PEAK.match(line):
        run.peaks["reserved" if peak[1] == "Reserved" else peak[2]] = float(peak[3])


def read_log(run: Run, log: Path) -> None:
    """The numbers in full, which the lines round."""
    for row in map(json.loads, log.read_text().splitlines() if log.exists() else []):
        if "loss" in row:
            run.losses[row["step"]], run.norms[row["step"]] = row["loss"], row["grad_norm"]
        if "eval_loss" in row:
            run.evaluations.append(row["eval_loss"])


def mark_of_all() -> str:
    """What the marks of all programs begin with that this process starts."""
    return f"{os.getpid()}-"


def kill_marked(mark: str) -> None:
    """Whoever has VARIABLE, which begins so, in the environment that it was started with: a program's workers are in sessions of their own."""
    beginning = f"{VARIABLE}={mark}".encode()
    found, end = True, time.monotonic() + PATIENCE
    while found and time.monotonic() < end:  # one that died may have started another just before
        found = False
        for place in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if any(variable.startswith(beginning) for variable in place.read_bytes().split(b"\0")):
                    os.kill(int(place.parent.name), signal.SIGKILL)
                    found = True


def read_output(process: subprocess.Popen, run: Run, begin: float, watch: Callable | None) -> None:
    with process.stdout:
        for line in process.stdout:
            read_line(run, round(time.monotonic() - begin, 4), line.rstrip("\n"))
            if watch:
                watch(process, run)


def follow(run: Run, environment: dict[str, str], limit: float, log: Path | None, watch: Callable | None) -> Run:
    """Runs run.command to its end, or kills it at `limit` seconds. Nothing that it started stays. `watch(process, run)` is called behind each line."""
    begin = time.monotonic()
    mark = f"{mark_of_all()}{next(COUNTER)}-"
    process = subprocess.Popen(
        run.command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**environment, VARIABLE: mark},
        start_new_session=True,
    )
    reader = threading.Thread(target=read_output, args=(process, run, begin, watch), daemon=True)
    reader.start()
    try:
        run.status = process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        run.timed_out = True
    finally:
        kill_marked(mark)
        run.status = process.wait()
        reader.join(PATIENCE)
    run.seconds = round(time.monotonic() - begin, 3)
    if log:
        read_log(run, log)
    return run

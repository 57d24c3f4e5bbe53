"""What the stages work with: how programs are started, the time that is left, and what was found wrong."""

import json
import math
import os
import subprocess
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from runs import VARIABLE, Run, follow, kill_marked, mark_of_all

HERE = Path(__file__).resolve().parent
LEAST = 5.0  # seconds; with less no program is started
LAST_LINES = 8


class NoTimeLeft(Exception):
    """Nothing failed, but what comes next does not fit into the time."""


class Failed(Exception):
    """What comes next in this stage would mean nothing."""


@dataclass
class Stage:
    name: str
    limit: float
    result: str = "skipped"  # or passed, failed
    why: str = ""
    seconds: float = 0
    problems: list[str] = field(default_factory=list)


class Acceptance:
    def __init__(self, options):
        self.options = options
        self.dry = options.dry_run
        self.end = time.monotonic() + options.seconds
        self.end_of_stage = self.end
        self.runs: dict[str, Run] = {}
        self.facts: dict = {}  # for results.json: versions, rates
        self.stage = Stage("none", 0)
        self.lock = threading.Lock()
        self.making_model: subprocess.Popen | None = None
        self.threads = ThreadPoolExecutor(2 if self.dry else 6)
        self.calls: list[Future] = []  # of together()
        self.closed = False
        options.output.mkdir(parents=True, exist_ok=True)
        options.work.mkdir(parents=True, exist_ok=True)
        self.log = (options.output / "log.txt").open("w")

    def close(self) -> None:
        """Nothing goes on behind the end, wherever that comes."""
        self.closed = True
        self.threads.shutdown(wait=False, cancel_futures=True)
        kill_marked(mark_of_all())
        while not all(call.done() for call in self.calls):  # one may have been about to start a program
            time.sleep(0.05)
            kill_marked(mark_of_all())
        self.log.close()

    # Places.
    @property
    def checkpoint(self) -> Path:
        return self.options.inputs / "checkpoint"

    @property
    def vocabulary(self) -> Path:
        """The small files of a checkpoint with all words, for the 7B; in a dry run the small checkpoint's own do."""
        full = self.options.inputs / "vocabulary"
        return full if full.is_dir() and not self.dry else self.checkpoint

    def work(self, *names: str) -> Path:
        return self.options.work.joinpath(*names)

    # What is wrong.
    def check(self, good: bool, problem: str) -> bool:
        if not good:
            with self.lock:
                self.stage.problems.append(problem)
        return good

    def require(self, name: str) -> Run:
        """A run that this stage compares with or goes on from."""
        run = self.runs.get(name)
        if run is None or not run.passed:
            raise Failed(f"it needs the run {name}, which {'was not made' if run is None else 'failed'}")
        return run

    def same(self, name: str, other: str, tolerance: float, *, norms: float | None = None, steps: int | None = None) -> None:
        """Losses (and norms of gradients) of two runs, step by step; evaluations at the end. Relative tolerances."""
        mine, theirs = self.runs[name], self.runs[other]
        if not mine.passed or not theirs.passed:
            return  # told already
        common = [step for step in mine.losses if step in theirs.losses][:steps]
        if not self.check(len(common) >= min(2, len(theirs.losses)), f"{name} and {other} have no steps in common"):
            return
        for what, a, b, allowed in (("loss", mine.losses, theirs.losses, tolerance), ("grad_norm", mine.norms, theirs.norms, norms)):
            if allowed is None:
                continue
            worst = max(common, key=lambda step: distance(a[step], b[step]))
            self.check(
                distance(a[worst], b[worst]) <= allowed,
                f"{what} of step {worst} is {a[worst]:.7g} in {name} and {b[worst]:.7g} in {other}: more than {allowed:g} of it apart",
            )
        if steps is None and mine.evaluations and theirs.evaluations:
            a, b = mine.evaluations[-1], theirs.evaluations[-1]
            self.check(
                distance(a, b) <= tolerance, f"eval_loss is {a:.7g} in {name} and {b:.7g} in {other}: more than {tolerance:g} of it apart"
            )

    # Programs.
    def left(self) -> float:
        return min(self.end, self.end_of_stage) - time.monotonic()

    def environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        programs = os.pathsep.join([str(Path(self.options.python).parent), os.environ.get("PATH", "")])
        ours = {
            VARIABLE: mark_of_all(),
            "PATH": programs,
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "PYTHONUNBUFFERED": "1",
        }
        quantizers = self.options.bin_dir.parent / "bitsandbytes"
        if quantizers.is_dir():
            ours["MDL_BITSANDBYTES"] = str(quantizers)
        if self.dry:
            ours |= {"CUDA_VISIBLE_DEVICES": "", "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"}
        elif "CUDA_VISIBLE_DEVICES" not in os.environ:
            ours["CUDA_VISIBLE_DEVICES"] = "0"  # transformers would spread a model over several
        return {**os.environ, **ours, **(more or {})}

    def run(self, name: str, command: list, *, expected: int = 0, environment=None, output: Path | None = None, watch=None):
        """Runs a program to its end, which is the stage's at the latest; a bad end is a problem of this stage. May raise NoTimeLeft."""
        left = 0 if self.closed else self.left()
        if left < LEAST:
            raise NoTimeLeft(f"no time left for {name}")
        run = Run(name, [str(part) for part in command], expected)
        log = output / "log.jsonl" if output else None
        follow(run, self.environment(environment), left, log, watch)
        with self.lock:
            self.runs[name] = run
            self.log.write(f"\n== {name}: status {run.status}, {run.seconds} s: {' '.join(run.command)}\n")
            self.log.writelines(f"{seconds:9.3f} {line}\n" for seconds, line in run.lines)
            self.log.flush()
        if run.timed_out and time.monotonic() >= self.end:
            raise NoTimeLeft(f"the time was over while {name} ran")
        last = "\n".join(f"      {line}" for _, line in run.lines[-LAST_LINES:])
        ended = f"was killed after {run.seconds:.0f} s" if run.timed_out else f"ended with {run.status} instead of {expected}"
        self.check(run.passed, f"{name} {ended}:\n{last}")
        broken = [step for step, loss in run.losses.items() if not math.isfinite(loss)]
        self.check(not broken, f"{name} has no finite loss at step {broken[:1]}")
        return run

    def python(self, name: str, program: str, *arguments, **rest) -> Run:
        return self.run(name, [self.options.python, HERE / program, *arguments], **rest)

    def device(self, environment: dict[str, str] | None = None) -> list[str]:
        """The options of a run that must not compute on the CPU by accident."""
        on_cpu = self.dry or (environment or {}).get("CUDA_VISIBLE_DEVICES") == ""
        return [] if on_cpu else ["--device", "cuda"]

    def train(self, name: str, data: list, *arguments, launcher=(), output: str | None = None, environment=None, **rest) -> Run:
        """`data`: the options that say what is trained on."""
        folder = self.work("out", output or name)
        command = [*launcher, self.options.bin_dir / "mdl-toolkit", "train", *data, "--output", folder, "--report-to", "json"]
        command += ["--merge-lora", "false", *self.device(environment), *arguments]
        return self.run(name, command, output=folder, environment=environment, **rest)

    def together(self, *calls) -> None:
        """Several runs at once: calls without arguments."""
        begun = [self.threads.submit(call) for call in calls]
        self.calls += begun  # those behind one that fails may outlive the stage
        for each in begun:
            each.result()

    def plan(self, data: list, *arguments) -> dict:
        """What `mdl-toolkit plan` says that a training takes, in bytes."""
        command = [self.options.bin_dir / "mdl-toolkit", "plan", *data, "--json", "true", *arguments]
        run = self.run(f"{self.stage.name}-plan", command)
        text = run.text()
        if not run.passed or "{" not in text:
            raise Failed("there is no plan of its memory")
        return json.loads(text[text.index("{") : text.rindex("}") + 1])


def distance(a: float, b: float) -> float:
    """Relative; of what is no number, infinite."""
    if not (math.isfinite(a) and math.isfinite(b)):
        return math.inf
    return abs(a - b) / max(abs(b), 1e-12)

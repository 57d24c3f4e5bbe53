"""Is every checkpoint that a disturbed run wrote what an undisturbed run writes from the checkpoint before it?

With --save-steps 1 each step leaves a checkpoint, so that each one must follow from one of the step before (or from nothing)
by one step of as many ranks as it says it was written by. Undisturbed runs are made as they are needed: one from the start for
each number of ranks, and one from each checkpoint where a run went on after a restart and left the others' path.
"""

import json
import os
import shutil
import subprocess
import zipfile

import numpy
from safetensors.numpy import load_file

import job

# Ranks may change places at a restart, and then floats are added in another order. Adam divides by what is rounded, so that the
# smallest gradients differ most. A batch that is left out or comes twice changes the loss of a step by percents.
LOSS_TOLERANCE = 1e-3
WEIGHT_TOLERANCE = 2e-4  # a step moves a weight by the learning rate, 1e-3 at first
FILES = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json", "mdl_progress.json", "batch_norm.safetensors")


def fault_of(folder):
    """What makes a checkpoint less than whole; empty when nothing does."""
    for name in FILES:
        if not (folder / name).exists():
            return f"{folder.name} has no {name}"
    for name in ("optimizer.pt", "scheduler.pt"):
        if not zipfile.is_zipfile(folder / name) or zipfile.ZipFile(folder / name).testzip():
            return f"{folder.name}/{name} is cut off"
    try:
        Checkpoint(folder)
    except Exception as error:  # noqa: BLE001 whatever a reader stumbles over
        return f"{folder.name}: {error!r}"
    return ""


class Checkpoint:
    """A checkpoint's folder: step, ranks that wrote it, weights, and the loss of its last step."""

    def __init__(self, folder):
        self.folder = folder
        state = json.loads((folder / "trainer_state.json").read_text())
        self.step, self.last_step = state["global_step"], state["max_steps"]
        self.loss = next(entry["loss"] for entry in reversed(state["log_history"]) if "loss" in entry)
        self.steps = [entry["step"] for entry in state["log_history"] if "loss" in entry]
        self.ranks = json.loads((folder / "mdl_progress.json").read_text())["world_size"]
        self.weights = load_file(folder / "adapter_model.safetensors")

    def difference(self, other):
        """Why `other` is not the same; empty when it is."""
        if self.weights.keys() != other.weights.keys():
            return "other tensors"
        if abs(self.loss - other.loss) > LOSS_TOLERANCE * abs(other.loss):
            return f"loss {self.loss} instead of {other.loss}"
        worst = max(float(numpy.abs(self.weights[name] - other.weights[name]).max()) for name in self.weights)
        return f"a weight differs by {worst:.2g}" if not worst <= WEIGHT_TOLERANCE else ""


class Snapshots:
    """Copies of all checkpoints of a folder in the order in which they came, also of those that are replaced later."""

    def __init__(self, output, folder):
        self.output, self.folder = output, folder
        self.folders = []
        self._seen = set()

    def look(self):
        try:
            names = [entry for entry in os.scandir(self.output) if entry.name.startswith("checkpoint-") and entry.name[11:].isdigit()]
        except FileNotFoundError:
            return
        for entry in sorted(names, key=lambda entry: int(entry.name[11:])):
            try:
                status = entry.stat()
                key = (entry.name, status.st_ino, status.st_ctime_ns)
                if key in self._seen:
                    continue
                target = self.folder / f"{len(self.folders)}-{entry.name}"
                shutil.copytree(entry.path, target)
            except (OSError, shutil.Error):
                # Replaced meanwhile: the next look sees what came instead.
                shutil.rmtree(target, ignore_errors=True)
                continue
            self._seen.add(key)
            self.folders.append(target)


class UndisturbedRuns:
    """Runs of the training on this host alone, kept: from the start, and from checkpoints."""

    def __init__(self, training, folder):
        self.training, self.folder = training, folder
        self.made = 0
        self._from_start = {}

    def from_start(self, ranks):
        if ranks not in self._from_start:
            self._from_start[ranks] = self._run(ranks, None)
        return self._from_start[ranks]

    def from_checkpoint(self, folder, ranks):
        return self._run(ranks, folder)

    def forget(self):
        """Drops the runs from checkpoints, which no other episode has."""
        kept = {run.output for run in self._from_start.values()}
        for folder in self.folder.iterdir():
            if folder not in kept:
                shutil.rmtree(folder)

    def _run(self, ranks, checkpoint):
        output = self.folder / f"run{self.made}"
        self.made += 1
        options = self.training.options(output)
        if checkpoint:
            options += ["--resume-from-checkpoint", str(checkpoint)]
        # Always under our launcher: what is undisturbed needs no other.
        command = [
            self.training.programs.toolkit.with_name("mdl-launch"),
            "--standalone",
            "--nproc-per-node",
            ranks,
            "--no-python",
            self.training.programs.toolkit,
            "train",
            *options,
        ]
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, timeout=300, env={**os.environ, **job.ENVIRONMENT}
        )
        assert done.returncode == 0, f"the undisturbed run failed:\n{done.stdout}\n{done.stderr}"
        return Run(output, ranks)


class Run:
    """What an undisturbed run left: its checkpoints by step."""

    def __init__(self, output, ranks):
        self.output, self.ranks = output, ranks
        self._read = {}

    def at(self, step):
        """The checkpoint of a step; None when the run has none."""
        if step not in self._read:
            folder = self.output / f"checkpoint-{step}"
            self._read[step] = Checkpoint(folder) if folder.is_dir() else None
        return self._read[step]


def check(folders, runs):
    """Checks the copies `folders`, in the order in which they came. Returns what is wrong, as texts."""
    wrong = []
    known = {}  # step -> checkpoints that are right, each with the runs that pass through it
    used = []
    for folder in folders:
        if fault := fault_of(folder):
            wrong.append(fault)
            continue
        mine = Checkpoint(folder)
        if mine.steps != list(range(1, mine.step + 1)):
            wrong.append(f"{folder.name}: its log has the steps {mine.steps}")
            continue
        before = [None] if mine.step == 1 else known.get(mine.step - 1, [])
        if not before:
            wrong.append(f"{folder.name}: there was no checkpoint of step {mine.step - 1}")
            continue
        through, differences = [], []
        candidates = [run for run in used if run.ranks == mine.ranks and any(p is None or run in p[1] for p in before)]
        for run in candidates or [None]:
            if run and (expected := run.at(mine.step)) and not (difference := mine.difference(expected)):
                through.append(run)
        if not through:
            for predecessor in before:
                run = runs.from_start(mine.ranks) if predecessor is None else runs.from_checkpoint(predecessor[0].folder, mine.ranks)
                used.append(run)
                expected = run.at(mine.step)
                difference = mine.difference(expected) if expected else f"an undisturbed run has no step {mine.step}"
                if not difference:
                    through.append(run)
                    if predecessor:
                        predecessor[1].append(run)
                    break
                differences.append(difference)
        if not through:
            wrong.append(
                f"{folder.name} ({mine.ranks} ranks) follows from none of {len(before)} checkpoints of the step before: "
                + "; ".join(differences)
            )
            continue
        known.setdefault(mine.step, []).append((mine, through))
    return wrong


def is_same_adapter(final, checkpoint):
    theirs, mine = load_file(final / "adapter_model.safetensors"), load_file(checkpoint / "adapter_model.safetensors")
    return theirs.keys() == mine.keys() and all(numpy.array_equal(theirs[name], mine[name]) for name in mine)


def newest(output):
    """The checkpoint of the highest step; None when there is none."""
    folders = [path for path in output.glob("checkpoint-*") if path.name[11:].isdigit()] if output.is_dir() else []
    return max(folders, key=lambda path: int(path.name[11:]), default=None)

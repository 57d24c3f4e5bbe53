"""scripts/chaos.sh in short: a few of its episodes, and whether its judge can find anything."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from network import why_not

CHAOS = Path(__file__).resolve().parents[2] / "scripts/chaos"
sys.path.insert(0, str(CHAOS))

import lineage  # noqa: E402
import rounds  # noqa: E402
from scenario import FOREVER, HOSTS, KINDS, MAY_STAY, draw  # noqa: E402

needs_hosts = pytest.mark.skipif(bool(why_not()), reason=f"needs network namespaces: {why_not()}")


@pytest.fixture
def chaos(bin_dir, data_dir, tmp_path):
    """chaos(options...) -> (exit code, output, results)."""

    def run(*options):
        results = tmp_path / "results.jsonl"
        done = subprocess.run(
            [
                sys.executable,
                CHAOS / "main.py",
                "--bin-dir",
                bin_dir,
                "--work",
                data_dir / "chaos",
                "--results",
                results,
                "--minutes",
                "10",
                *options,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        return done.returncode, done.stdout, [json.loads(line) for line in results.read_text().splitlines()]

    return run


@needs_hosts
def test_a_training_survives_faults_on_its_hosts_with_the_weights_of_an_undisturbed_run(chaos):
    code, output, results = chaos("--seed", "5", "--episodes", "3", "--kinds", "kill-agent,break-connections,full-disk")
    assert code == 0, output
    assert [result["result"] for result in results] == ["survived"] * 3, output
    # On a fast machine a training may be over before its last fault is due.
    done = {kind for result in results for kind in result["done"]}
    assert done and done <= {"kill-agent", "break-connections", "full-disk"}, output


@needs_hosts
def test_harm_that_is_done_on_purpose_is_found(chaos):
    code, output, results = chaos("--seed", "3", "--episode", "0", "--kinds", "clock-step", "--sabotage")
    assert code == 1 and results[0]["result"] == "broken"
    for words in ("node1: processes", "a weight differs by 0.001", "optimizer.pt is cut off", "final is not the adapter"):
        assert words in output
    assert "again: scripts/chaos.sh --launcher mdl-launch --seed 3 --episode 0 --kinds clock-step" in output


def test_a_seed_gives_the_same_scenarios_and_as_many_episodes_as_there_are_kinds_meet_each():
    scenarios = [draw(5, episode) for episode in range(len(KINDS))]
    assert scenarios == [draw(5, episode) for episode in range(len(KINDS))] != [draw(6, episode) for episode in range(len(KINDS))]
    assert {fault.kind for scenario in scenarios for fault in scenario.faults} == set(KINDS)


def test_what_stays_for_good_is_only_drawn_where_nobody_starts_agents_again():
    faults = [(scenario, fault) for episode in range(500) for scenario in [draw(1, episode)] for fault in scenario.faults]
    staying = [(scenario, fault) for scenario, fault in faults if fault.seconds == FOREVER]
    assert len(staying) > 10 and {fault.kind for _, fault in staying} == MAY_STAY
    assert not any(scenario.restarting or scenario.must_survive for scenario, _ in staying)


def test_spare_nodes_are_hosts_that_faults_meet_too():
    with_spares = [draw(5, episode, spares=(1, 3)) for episode in range(60)]
    assert {scenario.spares for scenario in with_spares} == {1, 2, 3}
    assert max(fault.host for scenario in with_spares for fault in scenario.faults) == 5
    assert not any(fault.host >= HOSTS + scenario.spares for scenario in with_spares for fault in scenario.faults)


class Said:
    """What an agent has said, and when."""

    def __init__(self, *said):
        self.times, self.lines = zip(*said, strict=True)


CHANGED = "[mdl-launch] W1128 03:00:00.000 the nodes of the job have changed. Restarting all workers"
FAILED = "[mdl-launch] W1128 03:00:00.000 worker rank 1 (pid 5) failed with exit code 1. Restarting all workers: restart 1 of 100"
STEP = "[default0]:{'loss': '1.0'}"


def test_the_judge_counts_rounds_in_which_no_step_was_made():
    first = Said((1, STEP), (2, CHANGED), (4, CHANGED), (5, CHANGED), (7, FAILED), (8, CHANGED))
    second = Said((2, CHANGED), (3, STEP), (5, FAILED))
    # Of the first one's six rounds those that ended at 5 and 8 for a change: the others made a step, or failed.
    assert rounds.idle_rounds([first, second]) == (2, 1)
    spinning = Said(*[(when, CHANGED) for when in range(12)])
    assert rounds.idle_rounds([second, spinning]) == (11, 8)
    assert rounds.too_many(4, 3, events=2) == ""
    assert "5 rounds without work after 2 events" in rounds.too_many(5, 3, events=2)
    assert "10 rounds in a row" in rounds.too_many(10, 10, events=20)


class Runs:
    """Undisturbed runs that leave what `weights` says of a step."""

    def __init__(self, folder, write, weights):
        self.folder, self.write, self.weights = folder, write, weights

    def from_start(self, ranks):
        output = self.folder / f"undisturbed-{ranks}"
        for step in range(1, 5):
            self.write(output / f"checkpoint-{step}", step, ranks, self.weights(step))
        return lineage.Run(output, ranks)

    def from_checkpoint(self, folder, ranks):
        return self.from_start(ranks)


@pytest.fixture
def write_checkpoint():
    from zipfile import ZipFile

    import numpy
    from safetensors.numpy import save_file

    def write(folder, step, ranks, weight, loss=1.0):
        folder.mkdir(parents=True, exist_ok=True)
        save_file({"a": numpy.full(3, weight, dtype="float32")}, folder / "adapter_model.safetensors")
        save_file({"b": numpy.zeros(1, dtype="float32")}, folder / "batch_norm.safetensors")
        for name in ("optimizer.pt", "scheduler.pt"):
            with ZipFile(folder / name, "w") as file:
                file.writestr("data", "x")
        log = [{"step": number, "loss": loss} for number in range(1, step + 1)]
        (folder / "trainer_state.json").write_text(json.dumps({"global_step": step, "max_steps": 4, "log_history": log}))
        (folder / "mdl_progress.json").write_text(json.dumps({"world_size": ranks}))
        return folder

    return write


def test_the_judge_follows_a_run_that_restarts_from_an_older_checkpoint(tmp_path, write_checkpoint):
    steps = [1, 2, 3, 2, 3, 4]
    folders = [write_checkpoint(tmp_path / f"{count}-checkpoint-{step}", step, 3, step / 10) for count, step in enumerate(steps)]
    assert lineage.check(folders, Runs(tmp_path, write_checkpoint, lambda step: step / 10)) == []


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda write, path: write(path, 3, 3, 0.31), "a weight differs by 0.01"),
        (lambda write, path: write(path, 3, 3, 0.3, loss=1.01), "loss 1.01 instead of 1.0"),
        (lambda write, path: write(path, 4, 3, 0.4), "there was no checkpoint of step 3"),
        (lambda write, path: (write(path, 3, 3, 0.3) / "scheduler.pt").write_bytes(b"PK"), "scheduler.pt is cut off"),
        (lambda write, path: (write(path, 3, 3, 0.3) / "optimizer.pt").unlink(), "has no optimizer.pt"),
        (lambda write, path: (write(path, 3, 3, 0.3) / "adapter_model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0"), "Error"),
    ],
)
def test_the_judge_finds_a_checkpoint_that_does_not_follow_from_those_before(tmp_path, write_checkpoint, spoil, words):
    folders = [write_checkpoint(tmp_path / f"{step}-checkpoint-{step}", step, 3, step / 10) for step in (1, 2)]
    folders.append(tmp_path / "3-checkpoint-x")
    spoil(write_checkpoint, folders[-1])
    wrong = lineage.check(folders, Runs(tmp_path, write_checkpoint, lambda step: step / 10))
    assert len(wrong) == 1 and words in wrong[0]

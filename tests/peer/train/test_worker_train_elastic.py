"""Training goes on with another number of ranks: from the newest checkpoint, with the samples of the epoch that are left, none twice.

LOGLEVEL=DEBUG makes each rank tell the rows of every step that it has done; that is what is counted here.
"""

import collections
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch

from launching import free_port
from training_runs import assert_same, history, python, reference, run, train_command, two

DEBUG = {"LOGLEVEL": "DEBUG", "OMP_NUM_THREADS": "1"}
DONE = re.compile(r"step (\d+) is done; rank (\d+): rows ([\d, ]+) of")


def rows_by_step(stderr):
    """{step: rows of all ranks}."""
    steps = collections.defaultdict(list)
    for step, _, rows in DONE.findall(stderr):
        steps[int(step)] += [int(row) for row in rows.split(",")]
    return steps


@pytest.fixture(scope="module")
def even(data, tmp_path_factory):
    """32 clips: they divide evenly by one and two ranks, so that no batch is filled up with rows that come twice."""
    folder = tmp_path_factory.mktemp("even") / "train"
    script = "import sys, datasets; datasets.load_from_disk(sys.argv[1]).select(range(32)).save_to_disk(sys.argv[2])"
    python("-c", script, data[1], folder)
    return data[0], folder, data[2]


def launch(bin_dir, ranks):
    return [bin_dir / "mdl-launch", "--standalone", "--nproc-per-node", ranks, "--no-python"]


@pytest.mark.parametrize("before, after", [(2, 1), (1, 2)])
def test_the_rest_of_the_epoch_is_trained_on_and_nothing_twice(toolkit, bin_dir, even, adapter, tmp_path, before, after):
    options = ["--batch-size", "2", "--lr", "1e-3", "--save-steps", "4", "--num-epochs", "2"]
    first = run([*launch(bin_dir, before), *train_command(toolkit, even, tmp_path, "--initial-adapter", adapter, *options)], env=DEBUG)
    taken = [row for step, rows in rows_by_step(first.stderr).items() if step <= 4 for row in rows]
    assert len(taken) == 4 * 2 * before

    second = run(
        [
            *launch(bin_dir, after),
            *train_command(toolkit, even, tmp_path / "on", *options, "--resume-from-checkpoint", tmp_path / "checkpoint-4"),
        ],
        env=DEBUG,
    )
    assert f"written by {before} processes, now {after}" in second.stderr
    steps = rows_by_step(second.stderr)
    rest_of_epoch = (32 - len(taken)) // (2 * after)
    first_epoch = taken + [row for step in range(5, 5 + rest_of_epoch) for row in steps[step]]
    assert sorted(first_epoch) == list(range(32))
    last = max(steps)
    assert last == 4 + rest_of_epoch + 32 // (2 * after)
    assert sorted(row for step in range(5 + rest_of_epoch, last + 1) for row in steps[step]) == list(range(32))

    # The learning rate goes on where it was and falls to zero at the end of the data.
    rates = [entry["learning_rate"] for entry in history(tmp_path / "on")[0]]
    planned = 2 * 32 // (2 * before)
    fall = (1e-3 * (planned - 4) / planned) / (last - 4)
    assert rates[3] == pytest.approx(1e-3 * (planned - 3) / planned)
    assert rates[4:] == pytest.approx([1e-3 * (planned - 4) / planned - fall * i for i in range(last - 4)])
    assert history(tmp_path / "on")[0][-1]["epoch"] == 2


def test_a_checkpoint_of_two_python_ranks_goes_on_with_one_of_ours_and_the_reverse(toolkit, bin_dir, venv_bin, even, adapter, tmp_path):
    """The Python tool's checkpoint tells the number of ranks by its rng_state_N.pth. Two of its ranks also go on from two of ours."""
    launcher = two("torchrun", bin_dir, venv_bin)
    reference(even, adapter, tmp_path / "theirs", "--batch-size", 2, "--lr", 1e-3, "--save-steps", 4, launcher=launcher)
    options = ["--batch-size", "2", "--lr", "1e-3", "--save-steps", "4"]
    done = run(
        [
            *launch(bin_dir, 1),
            *train_command(toolkit, even, tmp_path / "one", *options, "--resume-from-checkpoint", tmp_path / "theirs" / "checkpoint-4"),
        ],
        env=DEBUG,
    )
    assert "written by 2 processes, now 1" in done.stderr
    order = torch.randperm(32, generator=torch.Generator().manual_seed(42)).tolist()
    steps = rows_by_step(done.stderr)
    assert [row for step in sorted(steps) for row in steps[step]] == order[4 * 2 * 2 :]

    run([*launcher, *train_command(toolkit, even, tmp_path / "ours", "--initial-adapter", adapter, *options)])
    reference(
        even,
        adapter,
        tmp_path / "resumed",
        "--batch-size",
        2,
        "--lr",
        1e-3,
        "--save-steps",
        4,
        "--resume",
        tmp_path / "ours" / "checkpoint-4",
        launcher=launcher,
    )
    assert_same(history(tmp_path / "resumed")[0], history(tmp_path / "ours")[0])
    assert_same(history(tmp_path / "ours")[0], history(tmp_path / "theirs")[0])


def agent(bin_dir, port, command, log):
    """An agent of one worker of a job for one to two nodes."""
    return subprocess.Popen(
        [
            str(part)
            for part in (
                bin_dir / "mdl-launch",
                "--nnodes",
                "1:2",
                "--nproc-per-node",
                "1",
                "--rdzv-backend",
                "c10d",
                "--rdzv-id",
                "elastic",
                "--rdzv-endpoint",
                f"127.0.0.1:{port}",
                "--rdzv-conf",
                "last_call_timeout=1",
                "--max-restarts",
                "3",
                "--no-python",
                *command,
            )
        ],
        stdout=log,
        stderr=log,
        env={**os.environ, **DEBUG},
        start_new_session=True,
    )


def wait_for(log, pattern, *agents):
    """Follows a log until a line matches."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        text = log.read_text()
        if re.search(pattern, text):
            return
        assert all(process.poll() is None for process in agents), text
        time.sleep(0.05)
    raise AssertionError(f"{pattern} did not come:\n{log.read_text()}")


def test_a_job_that_loses_a_node_goes_on_by_itself_with_what_is_left(toolkit, bin_dir, even, adapter, tmp_path):
    if not (bin_dir / "mdl-launch").exists():
        pytest.skip("mdl-launch is not built")
    # No --resume-from-checkpoint: the checkpoint is known as this job's.
    command = train_command(
        toolkit, even, tmp_path / "out", "--initial-adapter", adapter, "--batch-size", "1", "--num-epochs", "8", "--save-steps", "4"
    )
    port, agents = free_port(), []
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    try:
        for log in logs:
            with log.open("w") as file:
                agents.append(agent(bin_dir, port, command, file))
        wait_for(logs[0], r"'loss'", *agents)
        wait_for(logs[0], r"step 6 is done", *agents)
        agents[1].send_signal(signal.SIGTERM)  # this node leaves
        agents[1].wait(timeout=60)
        assert agents[0].wait(timeout=150) == 0, logs[0].read_text()
    finally:
        for process in agents:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    text = "".join(log.read_text() for log in logs)
    assert "written by 2 processes, now 1" in text
    resumed = int(re.search(r"resuming from \S+checkpoint-(\d+): ", text).group(1))
    steps, done = collections.defaultdict(list), DONE.findall(text)
    for step, _, rows in done:
        steps[int(step)] += [int(row) for row in rows.split(",")]
    counts = collections.Counter(row for rows in steps.values() for row in rows)
    assert resumed >= 4 and counts == {row: 8 for row in range(32)}
    state = json.loads(
        max((tmp_path / "out").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
        .joinpath("trainer_state.json")
        .read_text()
    )
    assert state["epoch"] == 8 and state["global_step"] == resumed + (8 * 32 - 2 * resumed)


def worker_of_rank(rank, output):
    """The process of a rank of the run that writes to `output`."""
    for process in Path("/proc").iterdir():
        try:
            if (
                process.name.isdigit()
                and str(output).encode() in (process / "cmdline").read_bytes()
                and f"RANK={rank}".encode() in (process / "environ").read_bytes().split(b"\0")
            ):
                return int(process.name)
        except OSError:
            continue
    raise AssertionError(f"no process of rank {rank}")


def run_with_signal_to_rank_1(signo, command, output, log):
    """Runs a job of two workers that must succeed although rank 1 gets a signal once it has done step 6."""
    with log.open("w") as file:
        job = subprocess.Popen(
            [str(part) for part in command], stdout=file, stderr=file, env={**os.environ, **DEBUG}, start_new_session=True
        )
    try:
        wait_for(log, r"step 6 is done; rank 1", job)
        os.kill(worker_of_rank(1, output), signo)
        assert job.wait(timeout=150) == 0, log.read_text()
    finally:
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()


def test_a_worker_killed_with_sigkill_costs_no_step_that_the_first_rank_had_done(toolkit, bin_dir, even, adapter, tmp_path):
    output, log = tmp_path / "out", tmp_path / "log"
    command = train_command(
        toolkit, even, output, "--initial-adapter", adapter, "--batch-size", "1", "--num-epochs", "4", "--save-steps", "1000"
    )
    launch_two = [bin_dir / "mdl-launch", "--standalone", "--nproc-per-node", "2", "--max-restarts", "1", "--no-python"]
    run_with_signal_to_rank_1(signal.SIGKILL, [*launch_two, *command], output, log)
    text = log.read_text()
    first_try = text[: text.index("resuming from")]
    done = max(int(step) for step, rank, _ in DONE.findall(first_try) if rank == "0")
    assert int(re.search(r"resuming from \S+checkpoint-(\d+): ", text).group(1)) == done >= 6
    assert [entry["step"] for entry in history(output)[0]] == list(range(1, 65))
    assert collections.Counter(row for _, rank, rows in DONE.findall(text) if rank == "0" for row in rows.split(",")).total() == 64


def test_a_rank_that_hangs_ends_the_others_after_the_timeout(toolkit, bin_dir, even, tmp_path):
    output, log = tmp_path / "out", tmp_path / "log"
    command = train_command(toolkit, even, output, "--batch-size", "1", "--num-epochs", "2", "--save-steps", "1", "--ddp-timeout", "3")
    launch_two = [
        bin_dir / "mdl-launch",
        "--standalone",
        "--nproc-per-node",
        "2",
        "--max-restarts",
        "1",
        "--shutdown-timeout",
        "2",
        "--no-python",
    ]
    run_with_signal_to_rank_1(signal.SIGSTOP, [*launch_two, *command], output, log)
    assert re.search(r"worker rank 0 .*Restarting all workers: restart 1 of 1", log.read_text())
    assert [entry["step"] for entry in history(output)[0]] == list(range(1, 33))


def test_an_older_runs_checkpoint_is_not_taken_for_this_jobs(toolkit, bin_dir, even, adapter, tmp_path):
    command = train_command(toolkit, even, tmp_path, "--initial-adapter", adapter, "--batch-size", "8", "--save-steps", "2")
    run([*launch(bin_dir, 1), *command])
    done = run([*launch(bin_dir, 1), *command])
    assert "resuming" not in done.stderr and done.stdout.count("'grad_norm'") == 4

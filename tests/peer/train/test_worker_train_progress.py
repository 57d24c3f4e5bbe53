"""A training tells its launcher how it gets on: docs/watching.md's datagrams, rank by rank, and who waits for whom."""

import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from launching import free_port
from training_runs import history


class Listener:
    """What one worker says, as it comes: (time, message)."""

    def __init__(self, path):
        self.path, self.told, self.over = str(path), [], False
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(0.2)
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def listen(self):
        while not self.over:
            try:
                datagram = self.socket.recv(65536)
            except TimeoutError:
                continue
            assert len(datagram) <= 1024
            self.told.append((time.monotonic(), json.loads(datagram)))

    def end(self):
        self.over = True
        self.thread.join()
        self.socket.close()

    def steps(self):
        return [message for _, message in self.told if "step" in message]


@pytest.fixture
def listener(tmp_path):
    made = []

    def make(name):
        made.append(Listener(tmp_path / name))
        return made[-1]

    yield make
    for each in made:
        each.end()


def train(toolkit, data, output, listener, *options, **variables):
    words = [
        "--model-name",
        data[0],
        "--train-dataset",
        data[1],
        "--output",
        output,
        "--batch-size",
        "2",
        "--merge-lora",
        "false",
        *options,
    ]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "MDL_PROGRESS": listener.path, **variables}
    return subprocess.Popen(
        [str(word) for word in (toolkit, "train", *words)], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def test_steps_and_sections_are_told_as_they_come(toolkit, data, listener, tmp_path):
    ear = listener("ear")
    process = train(
        toolkit, data, tmp_path / "run", ear, "--eval-dataset", data[2], "--max-steps", "12", "--logging-steps", "1", "--eval-steps", "6"
    )
    assert process.wait(240) == 0, process.stderr.read()
    ear.end()
    steps, (logged, evaluations) = ear.steps(), history(tmp_path / "run")
    assert steps[-1]["step"] == 12 and all(message["total"] == 12 for message in steps)
    of_step = {entry["step"]: entry for entry in logged}
    assert steps[0]["step"] == 1 and len(steps) >= 2  # of those within 20 ms the first
    for message in steps:
        assert message["samples"] == 2 * message["step"]
        for name in ("loss", "learning_rate", "grad_norm"):
            assert message[name] == pytest.approx(of_step[message["step"]][name], rel=1e-3)
    assert [message["eval_loss"] for _, message in ear.told if "eval_loss" in message] == [entry["eval_loss"] for entry in evaluations]
    for one, next_ in zip(steps, steps[1:], strict=False):
        assert one["step"] < next_["step"] and one["own"] < next_["own"]
    assert steps[-1]["waiting"] < 0.05 * steps[-1]["own"]  # there is nobody to wait for
    sections = [message["section"] for _, message in ear.told if "section" in message]
    assert sections[1::2] == [None] * (len(sections) // 2)  # each is left again
    names = sections[0::2]
    assert names[:2] == ["reading the data", "loading the model"] and names[-1] == "writing the model"
    assert names.count("evaluation") == len(evaluations) == 2 and "checkpoint" in names
    limits = [message.get("section_seconds") for _, message in ear.told if message.get("section") == "evaluation"]
    assert limits[0] is None and all(limit >= 60 for limit in limits[1:])


def test_the_rank_that_is_held_up_is_the_one_that_does_not_wait(toolkit, data, listener, tmp_path):
    ears = [listener(f"ear{rank}") for rank in range(2)]
    job = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    ranks = [
        train(
            toolkit, data, tmp_path / "run", ear, "--max-steps", "80", "--save-strategy", "no", RANK=str(rank), LOCAL_RANK=str(rank), **job
        )
        for rank, ear in enumerate(ears)
    ]
    deadline = time.monotonic() + 120
    while not ears[1].steps() and time.monotonic() < deadline and ranks[1].poll() is None:
        time.sleep(0.01)
    # From now on rank 1 runs for a sixth of the time, whatever it does just then.
    while ranks[1].poll() is None and time.monotonic() < deadline:
        ranks[1].send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        ranks[1].send_signal(signal.SIGCONT)
        time.sleep(0.02)
    for rank in ranks:
        assert rank.wait(240) == 0, rank.stderr.read()
    ends = [ear.steps()[-1] for ear in ears]
    assert [end["step"] for end in ends] == [80, 80]
    assert ends[1]["own"] > 1.5 * ends[0]["own"] and ends[0]["waiting"] > 1.5 * ends[1]["waiting"]

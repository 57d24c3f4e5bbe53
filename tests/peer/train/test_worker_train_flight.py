"""A training's collectives are recorded, and who watches it can ask for them."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from flight_dumps import dumps, probe, torchfrtrace, verdict
from launching import environment, running, wait_until
from test_worker_train_lost_peers import process_of, text_until
from test_worker_train_stops import ENDLESS
from training_runs import train_command


@pytest.fixture
def job(toolkit, data, tmp_path):
    """Two ranks that have made some steps, and would go on for long."""
    command = ["--standalone", "--nproc-per-node", "2", "--no-python", *train_command(toolkit, data, tmp_path, *ENDLESS)]
    with running(*command, env=environment(OMP_NUM_THREADS=1), stderr=subprocess.STDOUT) as launcher:
        launcher.told = text_until(launcher, r"'epoch': '0\.1\d*'")
        yield launcher


def socket_of(pid):
    variables = dict(entry.split(b"=", 1) for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if b"=" in entry)
    return variables[b"TORCH_WORKER_SERVER_SOCKET"].decode()


def test_a_rank_that_is_stopped_is_the_one_without_a_record(job, tmp_path):
    pids = [process_of(rank, job) for rank in (0, 1)]
    sockets = [socket_of(pid) for pid in pids]
    # While it goes on: the gradients' all-reduces are there, under names that torchfrtrace finds by itself.
    dump = json.loads(dumps(sockets[:1])[0])
    assert dump["pg_config"] == {"mdl": {"name": "mdl", "desc": "", "ranks": "[0, 1]"}}
    assert all(entry["process_group"] == ["mdl", "default_pg"] for entry in dump["entries"])
    sums = [entry for entry in dump["entries"] if entry["profiling_name"] == "gloo:all_reduce"]
    assert any(entry["retired"] for entry in sums) and max(entry["input_sizes"][0][0] for entry in sums) > 1000

    os.kill(pids[1], signal.SIGSTOP)

    def waits():
        texts = [*dumps(sockets[:1]), None]
        told = verdict(tmp_path, texts)
        return told["finding"] == "unrecorded" and told

    told = wait_until(waits)
    assert told["headline"].startswith("rank 0 waits in all-reduce ") and told["headline"].endswith("; there is no record of rank 1")
    assert probe("ask", sockets[1], 0.5)[2] == "it does not answer within 0.5 s\n"
    os.kill(pids[1], signal.SIGCONT)
    assert "Server listening" not in job.told  # torch's own lines
    missing, different = torchfrtrace(tmp_path, dumps(sockets), mend=False)
    assert different == {} and all(len(ranks) < 2 for ranks in missing.values())

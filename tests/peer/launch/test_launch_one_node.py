"""A job of one node that names where it meets: a second agent of it, of either launcher, does not do its work again."""

import itertools
import json

import pytest

from launching import MDL_LAUNCH, TORCHRUN, environment, free_port, launch, running, wait_until

PAIRS = [pair for pair in itertools.product([MDL_LAUNCH, TORCHRUN], repeat=2) if MDL_LAUNCH in pair]
SCRIPT = 'echo >> "$STARTED"; until [ -e "$END" ]; do sleep 0.05; done'


def job_of_one_node(port, name):
    meeting = ["--nnodes", "1", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{port}", "--rdzv-id", name]
    return [*meeting, "--no-python", "sh", "-c", SCRIPT]


def spare_agents(port):
    told = launch("status", "--rdzv-endpoint", f"localhost:{port}", "--rdzv-id", "j", "--json")
    return len(json.loads(told.stdout)["redundancy_list"]) if told.returncode == 0 else 0


@pytest.mark.parametrize(("host", "guest"), PAIRS, ids=[f"{guest.name} at {host.name}" for host, guest in PAIRS])
def test_a_second_agent_of_a_job_of_one_node_waits_and_fails_and_the_script_runs_once(host, guest, tmp_path):
    port, started, end = free_port(), tmp_path / "started", tmp_path / "end"
    env = environment(STARTED=started, END=end)
    with running(*job_of_one_node(port, "j"), launcher=host, env=env) as first:
        wait_until(started.exists)
        with running(*job_of_one_node(port, "j"), launcher=guest, env=env) as second:
            wait_until(lambda: spare_agents(port) == 1)
            end.touch()
            _, errors = first.communicate(timeout=100)
            assert first.returncode == 0, errors
            _, errors = second.communicate(timeout=100)
            assert second.returncode == 1, errors
            assert TORCHRUN in (host, guest) or "this one has run nothing\n  If this is another job, give it another --rdzv-id" in errors
    assert started.read_text() == "\n"


@pytest.mark.parametrize("host", [MDL_LAUNCH, TORCHRUN], ids=["our store", "torchrun's store"])
def test_a_job_of_one_node_does_not_start_again_when_another_jobs_agent_takes_the_store_along(host, tmp_path):
    port, log = free_port(), tmp_path / "log"
    stages = [environment(STARTED=tmp_path / f"started {job}", END=tmp_path / f"end {job}") for job in "ab"]
    with running(*job_of_one_node(port, "a"), launcher=host, env=stages[0]) as first:
        wait_until((tmp_path / "started a").exists)
        with open(log, "w") as errors, running(*job_of_one_node(port, "b"), env=stages[1], stderr=errors) as second:
            wait_until((tmp_path / "started b").exists)
            (tmp_path / "end a").touch()
            assert first.wait(timeout=100) == 0
            wait_until(lambda: "this job of one node goes on without it" in log.read_text())
            (tmp_path / "end b").touch()
            assert second.wait(timeout=100) == 0, log.read_text()
    assert (tmp_path / "started b").read_text() == "\n"


def test_an_address_of_another_machine_is_warned_of_where_workers_are_told_it():
    elsewhere = "203.0.113.7"
    for meeting, told in ((["--master-addr", elsewhere], False), (["--master-addr", elsewhere, "--master-port", free_port()], True)):
        done = launch("--nnodes", "1", *meeting, "--no-python", "sh", "-c", "echo $MASTER_ADDR")
        assert (done.returncode, done.stdout == f"{elsewhere}\n") == (0, told)
        assert (f"endpoint owner: this is the machine of rank 0, but {elsewhere}" in done.stderr) == told

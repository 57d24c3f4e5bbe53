"""A job of one node that names where it meets: a second agent of it, of either launcher, does not do its work again."""

import itertools
import json

import pytest

from launching import MDL_LAUNCH, TORCHRUN, environment, free_port, launch, running, wait_until

PAIRS = [pair for pair in itertools.product([MDL_LAUNCH, TORCHRUN], repeat=2) if MDL_LAUNCH in pair]


def spare_agents(port):
    told = launch("status", "--rdzv-endpoint", f"localhost:{port}", "--rdzv-id", "j", "--json")
    return len(json.loads(told.stdout)["redundancy_list"]) if told.returncode == 0 else 0


@pytest.mark.parametrize(("host", "guest"), PAIRS, ids=[f"{guest.name} at {host.name}" for host, guest in PAIRS])
def test_a_second_agent_of_a_job_of_one_node_is_a_spare_and_the_script_runs_once(host, guest, tmp_path):
    port, started, end = free_port(), tmp_path / "started", tmp_path / "end"
    script = 'echo >> "$STARTED"; until [ -e "$END" ]; do sleep 0.05; done'
    job = ["--nnodes", "1", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{port}", "--rdzv-id", "j"]
    job += ["--no-python", "sh", "-c", script]
    env = environment(STARTED=started, END=end)
    with running(*job, launcher=host, env=env) as first:
        wait_until(started.exists)
        with running(*job, launcher=guest, env=env) as second:
            wait_until(lambda: spare_agents(port) == 1)
            end.touch()
            _, errors = first.communicate(timeout=100)
            assert first.returncode == 0, errors
            _, errors = second.communicate(timeout=100)
            # Where torchrun has a part in it the spare loses the store with its host, and cannot tell how the job has ended.
            assert TORCHRUN in (host, guest) or second.returncode == 0, errors
    assert started.read_text() == "\n"


def test_an_address_of_another_machine_is_warned_of_where_workers_are_told_it():
    elsewhere = "203.0.113.7"
    for meeting, told in ((["--master-addr", elsewhere], False), (["--master-addr", elsewhere, "--master-port", free_port()], True)):
        done = launch("--nnodes", "1", *meeting, "--no-python", "sh", "-c", "echo $MASTER_ADDR")
        assert (done.returncode, done.stdout == f"{elsewhere}\n") == (0, told)
        assert (f"endpoint owner: this is the machine of rank 0, but {elsewhere}" in done.stderr) == told

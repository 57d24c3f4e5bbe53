"""A job on one node of a network."""

import subprocess

import pytest

CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"


def test_a_standalone_job_needs_no_names_and_its_store_cannot_be_reached_from_other_hosts(job):
    agent = job.start(0, "1", "--standalone", backend=None, workers=2)
    world = job.stage.wait_for_world(2)
    # The workers' store, and the one for those who watch.
    ports = job.hosts[0].ports()
    assert int(world[0].environment["MASTER_PORT"]) in ports and len(ports) == 2
    for port in map(str, ports):
        for number, address, reachable in [(0, "localhost", True), (0, job.hosts[0].address, False), (1, job.hosts[0].address, False)]:
            tried = subprocess.run(job.hosts[number].command(["python3", "-SEc", CONNECT, address, port]), capture_output=True, text=True)
            assert (tried.returncode == 0) == reachable, tried.stderr
    for worker in world:
        worker.succeed()
    assert agent.wait() == 0


@pytest.mark.parametrize("way", ["SIGKILL", "SIGTERM"])
def test_no_worker_outlives_its_agent(job, way):
    agent = job.start(0, "1", "--standalone", backend=None, workers=2)
    world = job.stage.wait_for_world(2)
    agent.kill() if way == "SIGKILL" else agent.signal(15)
    job.stage.wait_for_end(world, 2)
    agent.wait()


def test_workers_that_start_again_find_nothing_in_the_store_of_those_before_them(job):
    agent = job.start(0, "1", "--standalone", "--max-restarts", "1", backend=None, workers=2)
    before = job.stage.wait_for_world(2)
    before[0].set_in_store("address/of/rank0")
    assert "address/of/rank0" in before[1].keys_in_store()
    before[1].fail(1, "once")
    after = job.stage.wait_for_world(2, after=before)
    assert "address/of/rank0" not in after[0].keys_in_store()
    for worker in after:
        worker.succeed()
    assert agent.wait() == 0

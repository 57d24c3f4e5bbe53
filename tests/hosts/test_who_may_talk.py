"""The stores of a job can be reached where its other nodes come from, and nowhere else."""

import subprocess

import pytest

CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"


def reachable(job, host, address, port):
    return subprocess.run(job.hosts[host].command(["python3", "-SEc", CONNECT, address, str(port)]), capture_output=True).returncode == 0


def listening(host):
    """The addresses and ports that somebody listens on."""
    lines = subprocess.run(["ip", "netns", "exec", host.namespace, "ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
    return {line.split()[3] for line in lines.splitlines()}


def check_stores(job, ports, everywhere):
    host = job.hosts[0]
    for port in ports:
        assert reachable(job, 1, host.address, port)
        assert reachable(job, 0, "localhost", port)
        assert reachable(job, 0, host.inner_address, port) == everywhere
        assert (f"{host.address}:{port}" in listening(host)) != everywhere


@pytest.mark.parametrize("everywhere", [False, True])
def test_both_stores_of_a_c10d_job_are_open_to_the_endpoints_interface_only(everywhere, job):
    agents = [job.start(number, "2", conf="listen=any" if everywhere else "") for number in (0, 1)]
    world = job.stage.wait_for_world(2)
    assert {worker.environment["MASTER_ADDR"] for worker in world} == {job.hosts[0].address}
    check_stores(job, [29400, world[0].environment["MASTER_PORT"]], everywhere)
    for worker in world:
        worker.succeed()
    assert [agent.wait() for agent in agents] == [0, 0]


@pytest.mark.parametrize("everywhere", [False, True])
def test_the_store_of_a_static_job_is_open_to_its_masters_interface_only(everywhere, job):
    for number in (0, 1):
        job.start(number, "2", "--node-rank", number, "--master-addr", job.hosts[0].address, "--master-port", 29500, backend="static",
                  environment={"PET_RDZV_CONF": "listen=any"} if everywhere else None)
    world = job.stage.wait_for_world(2)
    check_stores(job, [29500], everywhere)
    for worker in world:
        worker.succeed()
    assert job.wait() == [0, 0]


def test_an_ipv6_endpoint_opens_ipv6_only(job):
    job.endpoint = f"[{job.hosts[0].address6}]:29400"
    for number in (0, 1):
        job.start(number, "2")
    world = job.stage.wait_for_world(2)
    assert reachable(job, 1, job.hosts[0].address6, 29400)
    assert not reachable(job, 1, job.hosts[0].address, 29400)
    for worker in world:
        worker.succeed()
    assert job.wait() == [0, 0]

"""The stores of a job can be reached where its other nodes come from: an address is that one, a name may be any of its owner's."""

import subprocess

import pytest

CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"
PUBLIC = "203.0.113.7"
# How the endpoint is given, --rdzv-conf, and whether the stores are open to all interfaces then.
OPENNESS = [("address", "", False), ("address", "listen=any", True), ("name", "", True), ("name", "listen=endpoint", False)]


def reachable(job, host, address, port):
    return subprocess.run(job.hosts[host].command(["python3", "-SEc", CONNECT, address, str(port)]), capture_output=True).returncode == 0


def listening(host):
    """The addresses and ports that somebody listens on."""
    lines = subprocess.run(["ip", "netns", "exec", host.namespace, "ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
    return {line.split()[3] for line in lines.splitlines()}


def name_hosts(job, given):
    """One of the hosts has a public address as well, and all know the others' names; returns how the first is called."""
    subprocess.run(["ip", "-n", job.hosts[0].namespace, "address", "add", f"{PUBLIC}/32", "dev", "inner0"], check=True)
    for host in job.hosts:
        for other in job.hosts:
            host.call(other.name, other.address)
    return job.hosts[0].name if given == "name" else job.hosts[0].address


def check_store(job, number, port, everywhere):
    host = job.hosts[number]
    assert reachable(job, 1 - number, host.address, port)
    assert reachable(job, number, "localhost", port)
    assert reachable(job, number, host.inner_address, port) == everywhere
    assert (f"{host.address}:{port}" in listening(host)) != everywhere


def check_warning(job, expected):
    """Once for all stores of a node, where it has a public address that they are open to, to everybody."""
    said = [line for line in job.agents[0].lines if PUBLIC in line]
    assert len(said) == expected and all("secret_file" in line and " W" in line for line in said), job.agents[0].output
    assert not [line for line in job.agents[1].lines if "public" in line]


def finish(job, world):
    for worker in world:
        worker.succeed()
    assert not any(job.wait())


@pytest.mark.parametrize("given, conf, everywhere", [*OPENNESS, ("name", "secret_file={}", True)])
def test_both_stores_of_a_c10d_job_are_as_open_as_the_endpoint_is_given(given, conf, everywhere, job, tmp_path):
    job.endpoint = f"{name_hosts(job, given)}:29400"
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("known to the job's nodes alone")
    for number in (0, 1):
        job.start(number, "2", conf=conf.format(secret))
    world = job.stage.wait_for_world(2)
    check_store(job, 0, 29400, everywhere)
    master = world[0].environment["MASTER_ADDR"]
    check_store(
        job, next(i for i in (0, 1) if master in (job.hosts[i].address, job.hosts[i].name)), world[0].environment["MASTER_PORT"], everywhere
    )
    check_warning(job, everywhere and "secret" not in conf)
    finish(job, world)


@pytest.mark.parametrize("given, conf, everywhere", OPENNESS)
def test_the_store_of_a_static_job_is_as_open_as_its_master_is_given(given, conf, everywhere, job):
    master = name_hosts(job, given)
    for number in (0, 1):
        job.start(
            number,
            "2",
            "--node-rank",
            number,
            "--master-addr",
            master,
            "--master-port",
            29500,
            backend="static",
            environment={"PET_RDZV_CONF": conf} if conf else None,
        )
    world = job.stage.wait_for_world(2)
    check_store(job, 0, 29500, everywhere)
    check_warning(job, everywhere)
    finish(job, world)


def test_an_ipv6_endpoint_opens_ipv6_only(job):
    job.endpoint = f"[{job.hosts[0].address6}]:29400"
    for number in (0, 1):
        job.start(number, "2")
    world = job.stage.wait_for_world(2)
    assert reachable(job, 1, job.hosts[0].address6, 29400)
    assert not reachable(job, 1, job.hosts[0].address, 29400)
    finish(job, world)


def on_two_networks(job):
    """The first two hosts have two networks in common: the name of the first is its own address of one on itself, of the other elsewhere."""
    for number, host in enumerate(job.hosts[:2]):
        host.plug("ib0", f"10.78.0.{10 + number}")
        host.call("master", job.hosts[0].address if number == 0 else "10.78.0.10")


def start_at_master(job, backend, number, conf=""):
    options = [] if backend == "c10d" else ["--node-rank", number, "--rdzv-endpoint", "master:29400"]
    if backend == "static" and conf:
        options += ["--rdzv-conf", conf]
    return job.start(number, "2", *options, backend=backend, endpoint="master:29400", conf=conf)


@pytest.mark.parametrize("backend", ["c10d", "static"])
def test_a_name_may_mean_another_address_of_its_owner_on_each_node(backend, job):
    on_two_networks(job)
    agents = [start_at_master(job, backend, number) for number in (0, 1)]
    world = job.stage.wait_for_world(2)
    for worker in world:
        worker.set_in_store(f"of {worker.rank}")
    finish(job, world)
    assert not [line for agent in agents for line in agent.lines if "public" in line]


@pytest.mark.parametrize("backend", ["c10d", "static"])
def test_a_node_that_is_refused_names_the_address_it_tried_and_what_opens_it(backend, job):
    on_two_networks(job)
    short = "join_timeout=3,read_timeout=2" if backend == "c10d" else "timeout=2"
    start_at_master(job, backend, 0, f"listen=endpoint,{short}")
    refused = start_at_master(job, backend, 1, short)
    assert job.wait(15) == [1, 1]
    refused.wait_for_line(r"error: .*cannot reach the store at master:29400 \(10\.78\.0\.10\) after 2 s \(connection refused\)", 1)
    refused.wait_for_line("listen=any", 1)
    assert "is_host" not in refused.output


@pytest.mark.parametrize("backend", ["c10d", "static", "standalone"])
def test_hosts_may_lack_ipv4_altogether(backend, job):
    hosts = job.hosts[:1] if backend == "standalone" else job.hosts[:2]
    for number, host in enumerate(hosts):
        host.forget_ipv4()
        host.call("master", job.hosts[0].address6)
        if backend == "standalone":
            job.start(number, "1", "--standalone", backend=None)
        else:
            start_at_master(job, backend, number)
    world = job.stage.wait_for_world(len(hosts))
    for worker in world:
        worker.set_in_store(f"of {worker.rank}")
    finish(job, world)

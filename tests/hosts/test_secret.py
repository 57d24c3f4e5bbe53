"""A job with --rdzv-conf secret_file: its nodes and their workers talk, a stranger on the network does not."""

import json
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from launchers import LAUNCHERS
from store_client import MAGIC, PING, SET, VALIDATE

SUM = Path(__file__).parent / "harness/sum_of_ranks.py"
# What PyTorch's own client can do at (address, port): prints "in" when it is let in.
TORCH_CLIENT = """
import datetime, sys
from torch.distributed import TCPStore
store = TCPStore(sys.argv[1], int(sys.argv[2]), is_master=False, wait_for_workers=False, timeout=datetime.timedelta(seconds=5))
store.set("stolen", "x")
print("in", store.num_keys())
"""
# All that raw sockets can try: each line of the output is the number of bytes that came back after the stranger's first ones.
RAW_CLIENT = f"""
import socket, struct, sys
text = lambda value: struct.pack("<Q", len(value)) + value
magic = struct.pack("<BI", {VALIDATE}, {MAGIC})
setting = struct.pack("<B", {SET}) + text(b"/stolen") + text(b"x")
secret = magic + struct.pack("<BI", {PING}, 0xFE4C444D)
for attempt in (magic + setting, magic + struct.pack("<BI", {PING}, 7) + setting, setting, secret + setting, b"GET / HTTP/1.1\\r\\n\\r\\n",
                secret + b"\\1" + bytes(64)):
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as stranger:
        stranger.settimeout(30)
        stranger.sendall(attempt)
        stranger.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while part := stranger.recv(4096):
                received += part
        except ConnectionResetError:
            pass
        print(len(received))
"""


@pytest.fixture
def secret(tmp_path):
    """Makes a secret file of this name."""

    def make(name="secret", contents=None):
        path = tmp_path / name
        path.touch(0o600)
        path.write_text((contents or secrets.token_hex(32)) + "\n")
        return path

    return make


def on(host, *command, **more):
    return subprocess.run(host.command(command), capture_output=True, text=True, timeout=60, **more)


def status(job, host, *options):
    return on(job.hosts[host], LAUNCHERS["mdl-launch"], "status", "--rdzv-endpoint", job.endpoint, "--rdzv-id", job.id, "--json", *options)


def check_stranger_is_kept_out(job, address, port):
    stranger = job.hosts[2]
    torch = on(stranger, sys.executable, "-c", TORCH_CLIENT, address, port)
    assert torch.returncode != 0 and "in" not in torch.stdout.split(), torch.stdout + torch.stderr
    raw = on(stranger, sys.executable, "-SEc", RAW_CLIENT, address, port)
    assert raw.returncode == 0, raw.stderr
    # A client that introduces itself is told that a secret is wanted (4 bytes), who asks for a challenge gets it (36) and, once it
    # has answered it wrongly, a refusal (1).
    assert raw.stdout.split() == ["0", "4", "0", "36", "0", "37"]


def test_a_stranger_can_neither_read_nor_write_nor_join_and_the_job_goes_on(job, secret):
    if job.default_launcher != "mdl-launch":
        pytest.skip("torchrun knows no secret")
    path = secret()
    conf = f"secret_file={path}"
    agents = [job.start(number, "2", conf=conf, workers=2) for number in (0, 1)]
    world = job.stage.wait_for_world(4)
    # The workers of both hosts reach their store.
    for worker in world:
        worker.set_in_store(f"of rank {worker.rank}")
    before = set(world[0].keys_in_store())

    check_stranger_is_kept_out(job, job.hosts[0].address, 29400)
    check_stranger_is_kept_out(job, world[0].environment["MASTER_ADDR"], world[0].environment["MASTER_PORT"])
    without = job.start(2, "2")
    other = job.start(2, "2", conf=f"secret_file={secret('other')}")
    assert [without.wait(15), other.wait(15)] == [1, 1]
    assert re.search(r"error: the store at \S+ wants a secret, and this side has none\n  .*secret_file", without.output), without.output
    assert re.search(r"error: the store at \S+ refuses the secret of this side", other.output), other.output
    assert without.output.count("error") == other.output.count("error") == 1

    assert set(world[0].keys_in_store()) == before
    assert job.stage.alive() == world
    seen = json.loads(status(job, 1, "--rdzv-conf", conf).stdout)
    assert seen["round"] == 0 and len(seen["nodes"]) == 2
    assert "wants a secret" in status(job, 1).stderr
    for worker in world:
        worker.succeed()
    assert [agent.wait() for agent in agents] == [0, 0]
    refusals = [line for agent in agents for line in agent.lines if "refusing" in line]
    assert refusals and len(refusals) < 10, refusals
    everything = "".join(agent.output for agent in job.agents)
    assert path.read_text().strip() not in everything


def test_the_secret_is_in_no_workers_environment(job, secret):
    path = secret()
    job.start(0, "1:2", conf=f"secret_file={path}")
    (worker,) = job.stage.wait_for_world(1)
    assert path.read_text().strip() not in Path(f"/proc/{worker.pid}/environ").read_text()
    worker.succeed()
    assert job.wait() == [0]


@pytest.mark.parametrize("backend", ["c10d", "static"])
def test_a_gloo_sum_over_the_workers_of_two_hosts(backend, job, secret):
    conf = f"secret_file={secret()}"
    for number in (0, 1):
        options = [] if backend == "c10d" else ["--node-rank", number, "--master-addr", job.hosts[0].address, "--rdzv-conf", conf]
        job.start(
            number,
            "2",
            *options,
            conf=conf,
            backend=backend,
            workers=2,
            program=[sys.executable, "-u", SUM],
            environment={"GLOO_SOCKET_IFNAME": "eth0"},
        )
    assert job.wait(90) == [0, 0], [agent.output for agent in job.agents]
    assert sum("sum 6" in line for agent in job.agents for line in agent.lines) == 4


def test_the_store_of_a_static_job_keeps_strangers_out_as_well(job, secret):
    conf = f"secret_file={secret()}"

    def start(number, conf):
        environment = {"PET_RDZV_CONF": conf} if conf else None
        options = ["--node-rank", min(number, 1), "--master-addr", job.hosts[0].address]
        return job.start(number, "2", *options, backend="static", environment=environment)

    start(0, conf), start(1, conf)
    world = job.stage.wait_for_world(2)
    check_stranger_is_kept_out(job, job.hosts[0].address, 29500)
    stranger = start(2, None)
    assert stranger.wait(15) == 1 and "wants a secret" in stranger.output
    assert job.stage.alive() == world
    for worker in world:
        worker.set_in_store("x")
        worker.succeed()
    assert [agent.wait() for agent in job.agents[:2]] == [0, 0]


def test_plain_clients_from_a_range_that_is_named_are_let_in(job, secret):
    agents = [
        job.start(number, "2", conf=f"secret_file={secret()},plain_clients={job.hosts[2].address}/32+fd00:99::/32") for number in (0, 1)
    ]
    world = job.stage.wait_for_world(2)
    torch = on(job.hosts[2], sys.executable, "-c", TORCH_CLIENT, job.hosts[0].address, 29400)
    assert torch.stdout.startswith("in "), torch.stderr
    for worker in world:
        worker.succeed()
    assert [agent.wait() for agent in agents] == [0, 0]


def test_a_restart_and_a_lost_node_and_a_lost_host_change_nothing(job, secret):
    conf = f"secret_file={secret()}"
    agents = [job.start(number, "1:3", "--max-restarts", 3, conf=conf) for number in range(3)]
    world = job.stage.wait_for_world(3)
    world[1].fail(1, "once")
    world = job.stage.wait_for_world(3, after=world)
    lost = 1
    agents[lost].kill()
    smaller = job.stage.wait_for_world(2, after=world)
    for worker in smaller:
        worker.set_in_store(f"of {worker.rank}")
    # And the host of the rendezvous, which is started again.
    agents[0].kill()
    job.start(0, "1:3", "--max-restarts", 3, conf=conf)
    again = job.stage.wait_for_world(2, after=smaller)
    for worker in again:
        worker.set_in_store(f"of {worker.rank}")
        worker.succeed()
    assert [agents[3 - lost].wait(), job.agents[-1].wait()] == [0, 0]


def test_where_torchrun_hosts_the_store_a_secret_is_an_error(job, secret):
    host = job.start(0, "2", launcher="torchrun")
    connect = "import socket, sys; socket.create_connection((sys.argv[1], 29400), 1)"
    while on(job.hosts[1], sys.executable, "-c", connect, job.hosts[0].address).returncode != 0:
        assert not host.ended, host.output
    agent = job.start(1, "2", launcher="mdl-launch", conf=f"secret_file={secret()}")
    assert agent.wait(15) == 1
    assert "has no secret, and this side has one" in agent.output and "torchrun" in agent.output
    host.signal(15)
    host.wait()


def test_a_node_with_a_secret_is_told_that_the_others_have_none(job, secret):
    host = job.start(0, "2")
    job.wait_for_state("a node waits", lambda state: state is not None)
    agent = job.start(1, "2", conf=f"secret_file={secret()}")
    assert agent.wait(15) == 1
    assert "has no secret, and this side has one" in agent.output
    host.signal(15)
    host.wait()

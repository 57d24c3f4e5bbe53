"""Fixtures of the tests on several hosts. MDL_TEST_LAUNCHER=torchrun runs the same scenarios with the real torchrun's agents."""

import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peer"))  # what its conftest.py imports
sys.path.insert(0, str(Path(__file__).resolve().with_name("harness")))

from agent import Agent
from launchers import LAUNCHERS
from network import Network, why_not
from stage import Stage

HARNESS = Path(__file__).resolve().with_name("harness")
PEER = HARNESS.parents[1] / "peer"
# Run on a host with the folder of store_client.py, an address and a port.
READ_STORE = """
import sys
sys.path.insert(0, sys.argv[1])
from store_client import StoreClient
store = StoreClient(sys.argv[2], sys.argv[3])
for key in store.keys():
    print(key, store.get(key).decode(errors="replace").replace("\\n", " "))
"""


def load_peer_fixtures():
    """The fixtures of tests/peer: checkpoint, dataset, bin_dir."""
    spec = importlib.util.spec_from_file_location("peer_fixtures", PEER / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_peer = load_peer_fixtures()
bin_dir, venv_bin, data_dir, checkpoint, dataset = _peer.bin_dir, _peer.venv_bin, _peer.data_dir, _peer.checkpoint, _peer.dataset


def pytest_collection_modifyitems(items):
    reason = why_not()
    for item in items:
        if reason and {"job", "tmp_path"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.skip(reason=f"needs network namespaces: {reason}"))


class Job:
    """One job on three hosts. What it started is ended, and what it left behind is an error, when the test is over."""

    def __init__(self, network, stage):
        self.hosts = network.hosts
        self.stage = stage
        self.id = "job"
        self.default_launcher = os.environ.get("MDL_TEST_LAUNCHER", "mdl-launch")
        self.endpoint = f"{self.hosts[0].address}:29400"
        self.agents = []

    def start(
        self,
        host,
        nodes="3",
        *options,
        launcher=None,
        endpoint=None,
        id=None,
        workers=1,
        conf="",
        backend="c10d",
        program=None,
        environment=None,
    ):
        """Starts an agent on hosts[host]. Timeouts are short: a last call of 1 s, and 3 s of silence is death."""
        machine = self.hosts[host]
        launcher = launcher or self.default_launcher
        endpoint = endpoint or self.endpoint
        command = [LAUNCHERS[launcher], "--nnodes", nodes, "--nproc-per-node", workers, "--no-python"]
        if backend == "c10d":
            conf = "join_timeout=20,last_call_timeout=1,keep_alive_interval=1,keep_alive_max_attempt=3,read_timeout=20" + (
                conf and f",{conf}"
            )
            if launcher == "torchrun":
                # It looks its own name up to learn whether the endpoint is this host, and takes the name for its address.
                address = machine.address6 if endpoint.startswith("[") else machine.address
                conf += f",is_host={int(endpoint.rpartition(':')[0].strip('[]') == address)}"
                command += ["--local-addr", address]
            command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", endpoint, "--rdzv-id", id or self.id, "--rdzv-conf", conf]
        return self.run(host, [*command, *options, *(program or self.stage.command)], environment)

    def run(self, host, command, environment=None):
        """Starts any command line on hosts[host] as one of the job's agents."""
        agent = Agent(self.hosts[host], [str(part) for part in command], {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})})
        self.agents.append(agent)
        return agent

    def start_all(self, nodes="3", *options, **more):
        return [self.start(number, nodes, *options, **more) for number in range(len(self.hosts))]

    def wait_for_state(self, what, condition, seconds=20):
        """Waits until condition(state) holds for what the store says of the rendezvous (see state_reader.py); returns that state."""
        host, _, port = self.endpoint.rpartition(":")
        reader = subprocess.Popen(
            self.hosts[0].command(["python3", "-SE", HARNESS / "state_reader.py", host.strip("[]"), port, self.id]),
            stdout=subprocess.PIPE,
            text=True,
        )
        # Without an answer the loop below would not end.
        watchdog = threading.Timer(seconds, reader.kill)
        watchdog.start()
        seen = []
        try:
            for line in reader.stdout:
                seen.append(json.loads(line))
                if condition(seen[-1]):
                    return seen[-1]
        finally:
            watchdog.cancel()
            reader.kill()
            reader.wait()
        raise AssertionError(f"not within {seconds} s: {what}; states: {seen}")

    def store(self, host=0):
        """What lies in the rendezvous' store, by keys, as seen from hosts[host]."""
        address, _, port = self.endpoint.rpartition(":")
        read = subprocess.run(
            self.hosts[host].command(["python3", "-SEc", READ_STORE, HARNESS, address, port]), capture_output=True, text=True, check=True
        )
        return dict(line.split(" ", 1) for line in read.stdout.splitlines())

    def wait_until_done(self, nodes, round=0, seconds=30):
        """Waits until so many agents have seen that all their workers have succeeded, and wait for the others."""
        arrived = f"torch.rendezvous.{self.id}.{round}/torchelastic/agent/terminal_state/num_members"
        deadline = time.monotonic() + seconds
        while self.store().get(arrived) != str(nodes):
            assert time.monotonic() < deadline, f"not within {seconds} s: {nodes} nodes at the exit barrier"

    def wait(self, seconds=30):
        """Waits until every agent has ended; returns their exit codes."""
        return [agent.wait(seconds) for agent in self.agents]

    def check_nothing_is_left(self):
        """Every agent has ended, and a moment later no process and no port of this job is left on any host."""
        assert not (running := [agent for agent in self.agents if not agent.ended]), f"still running: {running}"
        for host in self.hosts:
            assert host.wait_until_empty(2), f"left behind on {host.name}: {host.describe_processes()}"
            assert not host.ports(), f"ports still open on {host.name}: {host.ports()}"


@pytest.fixture
def job(tmp_path):
    with Network(tmp_path) as network, Stage(tmp_path / "stage") as stage:
        job = Job(network, stage)
        yield job
        job.check_nothing_is_left()

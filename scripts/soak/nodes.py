"""A job of two nodes on loopback: one that hosts the store and lives as long as the soak, and peers that come and go."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/hosts/harness"))
from agent import Agent  # noqa: E402

TIMES = "join_timeout=60,last_call_timeout=1,close_timeout=5,keep_alive_interval=1,keep_alive_max_attempt=3,read_timeout=20"
# Fails so often in one agent's life; then says so, and works on until it is ended.
WORKER = 'if [ "$TORCHELASTIC_RESTART_COUNT" -lt "$0" ]; then exit 1; fi; echo settled; exec sleep 86400'


class Here:
    """This machine, for Agent."""

    name = "here"

    @staticmethod
    def command(command):
        return command


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nodes:
    """`with Nodes(launcher, folder) as nodes:`; nodes.host is the one that stays."""

    def __init__(self, launcher, folder):
        self.launcher, self.folder = launcher, folder
        self.port = free_port()
        self.agents = []

    def __enter__(self):
        self.temporary = self.folder / "tmp-host"
        self.temporary.mkdir(parents=True)
        (self.folder / "tmp-peers").mkdir()
        self.host = self.start(0, self.temporary)
        return self

    def __exit__(self, *_):
        for agent in self.agents:
            if not agent.ended:
                agent.kill()
                agent.wait(10)

    def start(self, failures, temporary=None):
        """An agent whose worker fails `failures` times before it settles."""
        command = [
            self.launcher,
            "--nnodes",
            "2",
            "--nproc-per-node",
            "1",
            "--max-restarts",
            "1000000",
            "--rdzv-backend",
            "c10d",
            "--rdzv-endpoint",
            f"127.0.0.1:{self.port}",
            "--rdzv-id",
            "soak",
            "--rdzv-conf",
            TIMES,
            "--shutdown-timeout",
            "5",
            "--no-python",
            "sh",
            "-c",
            WORKER,
            failures,
        ]
        agent = Agent(
            Here,
            [str(part) for part in command],
            {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary or self.folder / "tmp-peers")},
        )
        self.agents.append(agent)
        return agent

    def rounds(self):
        """Rounds that the host has been in after its first."""
        return sum("Restarting all workers" in line for line in list(self.host.lines))

    def wait_for_host(self, seconds):
        """Until the host's worker has started in the round that the host is in: before, that round's keys are still there."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            last = next((line for line in reversed(list(self.host.lines)) if "settled" in line or "Restarting all workers" in line), "")
            if "settled" in last:
                return
            time.sleep(0.01)
        raise TimeoutError(f"the host has no worker after {seconds} s:\n" + "\n".join(list(self.host.lines)[-20:]))

    def end(self, peer, way):
        """By SIGKILL, or by SIGTERM as an operator would."""
        peer.signal(signal.SIGKILL if way == "killed" else signal.SIGTERM)
        peer.wait(20)
        self.agents.remove(peer)

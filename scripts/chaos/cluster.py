"""The three hosts of one episode: their agents, which a scheduler may start again, their network, disk and clocks."""

import contextlib
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import job

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/hosts/harness"))
from agent import Agent  # noqa: E402
from network import Network  # noqa: E402
from proxy import MARK  # noqa: E402
from scenario import HOSTS  # noqa: E402

PROXY_PORT = 5555
LINK_RATE = "10mbit"  # so that a step takes a fifth of a second without using a processor
DISK_BYTES = 256 << 20
MOST_RESTARTS = 8  # of one host's agent by the scheduler
REDIRECT = f"""
table ip chaos {{
  chain out {{
    type nat hook output priority -100;
    meta mark {MARK} accept
    ip daddr 10.77.0.0/24 tcp dport 1-65535 redirect to :{PROXY_PORT}
  }}
}}
"""


class Cluster:
    """`with Cluster(training, scenario, folder) as cluster:`; what it made is gone afterwards."""

    def __init__(self, training, scenario, folder, proxied=(), clocked=()):
        self.training, self.scenario, self.folder = training, scenario, folder
        self.output, self.pids = folder / "disk/output", folder / "pids"
        self.started = {}  # host -> all its agents so far
        self.to_restart = {}  # host -> when
        self.killed = set()  # agents that a fault has killed
        self.log = []
        self._proxied, self._clocked = set(proxied), set(clocked)
        self._proxies = {}
        self._undo = contextlib.ExitStack()

    def __enter__(self):
        try:
            self.pids.mkdir(parents=True)
            self._mount_disk()
            self.network = self._undo.enter_context(Network(self.folder, HOSTS + self.scenario.spares))
            self.hosts = self.network.hosts
            for number in range(len(self.hosts)):
                (self.folder / f"tmp{number}").mkdir()
                self.throttle(number)
            for number in self._clocked:
                self.clock_file(number).write_bytes(struct.pack("<q", 0))
            for number in self._proxied:
                self._start_proxy(number)
            self.training.write_program(self.folder / "train.sh", self.output, self.pids)
        except BaseException:
            self._undo.close()
            raise
        self.began = time.monotonic()
        return self

    def __exit__(self, *_):
        self._undo.close()

    def _mount_disk(self):
        disk = self.folder / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "chaos", disk], check=True)
        self._undo.callback(subprocess.run, ["umount", disk], check=True)

    def _start_proxy(self, number):
        host = self.hosts[number]
        proxy = subprocess.Popen(
            ["ip", "netns", "exec", host.namespace, sys.executable, "-SE", Path(__file__).with_name("proxy.py"), str(PROXY_PORT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._undo.callback(self._end, proxy)
        assert proxy.stdout.readline() == "listening\n"
        subprocess.run(["ip", "netns", "exec", host.namespace, "nft", "-f", "-"], input=REDIRECT, text=True, check=True)
        self._proxies[number] = proxy

    @staticmethod
    def _end(process):
        process.kill()
        process.communicate()

    def tell_proxy(self, number, words):
        self._proxies[number].stdin.write(words + "\n")
        self._proxies[number].stdin.flush()

    @property
    def proxy_pids(self):
        return {proxy.pid for proxy in self._proxies.values()}

    def proxy_port(self, number):
        return PROXY_PORT if number in self._proxies else None

    def throttle(self, number):
        subprocess.run(
            [
                "tc",
                "-n",
                self.network.hub,
                "qdisc",
                "add",
                "dev",
                f"port{number}",
                "root",
                "tbf",
                "rate",
                LINK_RATE,
                "burst",
                "64kb",
                "latency",
                "2s",
            ],
            check=True,
        )

    def clock_file(self, number):
        return self.folder / f"clock{number}"

    def set_clock(self, number, seconds):
        # In place: it is mapped.
        with self.clock_file(number).open("r+b") as file:
            file.write(struct.pack("<q", int(seconds)))

    def say(self, what):
        self.log.append(f"{time.monotonic() - self.began:6.2f} {what}")

    # Agents.

    def start(self, number):
        host = self.hosts[number]
        command = job.agent_command(
            self.training,
            host,
            self.hosts[0],
            self.scenario.nodes,
            self.folder / "train.sh",
            self.output,
            self.folder / f"disk/logs{number}",
        )
        environment = job.agent_environment(self.training, host, self.clock_file(number) if number in self._clocked else None)
        environment["TMPDIR"] = str(self.folder / f"tmp{number}")
        agent = Agent(host, [str(part) for part in command], environment)
        self.started.setdefault(number, []).append(agent)

    def agent(self, number):
        return self.started[number][-1]

    @property
    def agents(self):
        return [agent for agents in self.started.values() for agent in agents]

    @property
    def running(self):
        return [number for number, agents in self.started.items() if not agents[-1].ended]

    @property
    def is_done(self):
        """Some agent has ended well: the job is over, and nobody is started again."""
        return any(agent.ended and agent.process.returncode == 0 for agent in self.agents)

    def schedule(self, now):
        """What a scheduler does: starts agents again that have ended with an error. True when it started one."""
        if not self.scenario.restarting or self.is_done:
            self.to_restart.clear()
            return False
        acted = False
        for number, agents in self.started.items():
            if not agents[-1].ended or len(agents) > MOST_RESTARTS:
                continue
            if number not in self.to_restart:
                self.to_restart[number] = now + self.scenario.restart_after
            elif now >= self.to_restart[number]:
                del self.to_restart[number]
                self.say(f"node{number}: agent ended with {agents[-1].process.returncode}; started again")
                self.start(number)
                acted = True
        return acted

    @property
    def waits_for_restart(self):
        return bool(self.to_restart)

    def worker(self, number):
        """The process of the host's worker as it was last started; None when there is none."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.pids / self.hosts[number].name).read_text())
            if pid in self.processes(number):
                return pid
        return None

    def processes(self, number):
        return [pid for pid in self.hosts[number].processes() if pid not in self.proxy_pids]

    def signal(self, pids, number):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill_all(self):
        """The operator ends what is still there."""
        for number in range(len(self.hosts)):
            self.signal(self.processes(number), signal.SIGKILL)
        for agent in self.agents:
            agent.wait(10)

"""How each kind of fault is done to a cluster, and undone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from job import ENDPOINT_PORT

SLOW_READER = Path(__file__).with_name("slow_store_reader.py")


class NothingToDo(Exception):
    """What it is about is not there at this moment."""


def do(cluster, fault):
    """Does it; returns what undoes it, or None when there is nothing to undo. Throws NothingToDo."""
    return KINDS[fault.kind](cluster, fault)


def kill_agent(cluster, fault):
    agent = cluster.agent(fault.host)
    if agent.ended:
        raise NothingToDo
    cluster.killed.add(agent)
    agent.kill()


def kill_worker(cluster, fault):
    worker = cluster.worker(fault.host)
    if not worker:
        raise NothingToDo
    cluster.signal([worker], signal.SIGKILL)


def stopping(choose):
    def stop(cluster, fault):
        pids = choose(cluster, fault.host)
        if not pids:
            raise NothingToDo
        cluster.signal(pids, signal.SIGSTOP)
        return lambda: cluster.signal(pids, signal.SIGCONT)

    return stop


def launcher_of(cluster, host):
    agent = cluster.agent(host)
    return [] if agent.ended else [agent.process.pid]


def worker_of(cluster, host):
    return [pid for pid in [cluster.worker(host)] if pid]


def cut_link(cluster, fault):
    cluster.hosts[fault.host].cut()
    return cluster.hosts[fault.host].heal


def slow_link(cluster, fault):
    cluster.tell_proxy(fault.host, f"rate {fault.amount}")
    return lambda: cluster.tell_proxy(fault.host, "rate 0")


def break_connections(cluster, fault):
    cluster.tell_proxy(fault.host, "break")


def full_disk(cluster, fault):
    filler = cluster.folder / f"disk/filler-{fault.at}"
    with filler.open("wb") as file:
        disk = os.statvfs(filler.parent)
        while disk.f_bavail:
            try:
                os.posix_fallocate(file.fileno(), file.seek(0, 2), disk.f_bavail * disk.f_frsize)
            except OSError:  # somebody else was quicker
                pass
            disk = os.statvfs(filler.parent)
    return lambda: filler.unlink(missing_ok=True)


def clock_step(cluster, fault):
    cluster.set_clock(fault.host, fault.amount)


def slow_store_reader(cluster, fault):
    """From another host than the store's."""
    endpoint = cluster.hosts[fault.host]
    reader = subprocess.Popen(
        cluster.hosts[2].command([sys.executable, "-SE", SLOW_READER, endpoint.address, ENDPOINT_PORT]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def undo():
        reader.kill()
        reader.wait()

    return undo


def slow_output_reader(cluster, fault):
    """An agent's output goes into a pipe that holds a page, and whose reader sleeps."""
    agent = cluster.agent(fault.host)
    agent.pause_reading()
    return agent.resume_reading


KINDS = {
    "kill-agent": kill_agent,
    "kill-store-host": kill_agent,
    "kill-worker": kill_worker,
    "stop-agent": stopping(launcher_of),
    "stop-host": stopping(lambda cluster, host: cluster.processes(host)),
    "stop-worker": stopping(worker_of),
    "cut-link": cut_link,
    "slow-link": slow_link,
    "break-connections": break_connections,
    "full-disk": full_disk,
    "clock-step": clock_step,
    "slow-store-reader": slow_store_reader,
    "slow-output-reader": slow_output_reader,
}

#!/usr/bin/env python3
"""How long N nodes take to find each other through the c10d rendezvous, on one host: ours beside the real torchrun.

Prints JSON lines: bench, case, ours, theirs, ratio (above 1: ours is better), unit.
  agents of N     N launcher processes, started together: seconds until the worker of each has started. Theirs is mostly the
                  start of Python, and growing with N.
  joining of N    without the start of processes: N agents in one process (ours: coroutines of mdl-bench, theirs: threads with
                  torch's own handlers), each with a connection of its own, and a host in a process of its own. Seconds until all
                  know their ranks; beside it the bytes that all have sent, and the largest resident set of the host. "workers' ranks" goes on
                  until each agent also has the ranks of its workers and the address at which they meet (ours alone).
"""

import argparse
import json
import os
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 180

THEIR_HOST = """
import sys
from torch.distributed import TCPStore
store = TCPStore("127.0.0.1", int(sys.argv[1]), is_master=True, wait_for_workers=False)
print("ready", flush=True)
sys.stdin.read()
"""

THEIR_AGENTS = """
import json, os, sys, threading, time
from torch.distributed.elastic.rendezvous import RendezvousParameters
from torch.distributed.elastic.rendezvous.registry import get_rendezvous_handler
import torch.distributed.elastic.rendezvous.registry
port, count = map(int, sys.argv[1:])
results, handlers = [], []
def join():
    parameters = RendezvousParameters("c10d", f"127.0.0.1:{port}", "bench", count, count, "127.0.0.1", is_host="0", read_timeout="300")
    handlers.append(get_rendezvous_handler(parameters))
    results.append(handlers[-1].next_rendezvous().rank)
start = time.monotonic()
threads = [threading.Thread(target=join) for _ in range(count)]
for thread in threads: thread.start()
for thread in threads: thread.join()
elapsed = time.monotonic() - start
assert sorted(results) == list(range(count)), results
print(json.dumps({"seconds": elapsed}), flush=True)
os._exit(0)
"""


def report(case, ours, theirs, unit):
    ratio = round(theirs / ours, 2) if ours and theirs else None
    print(
        json.dumps(
            {
                "bench": "rendezvous",
                "case": case,
                "ours": ours and round(ours, 4),
                "theirs": theirs and round(theirs, 4),
                "ratio": ratio,
                "unit": unit,
            }
        ),
        flush=True,
    )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def agents(launcher, count):
    """Seconds until `count` agents that start together have each started their worker."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        fifo = Path(folder, "started")
        os.mkfifo(fifo)
        # Both ends, so that neither side waits for the other to open.
        reader = os.open(fifo, os.O_RDWR)
        command = [
            launcher,
            "--nnodes",
            count,
            "--nproc-per-node",
            1,
            "--rdzv-backend",
            "c10d",
            "--rdzv-endpoint",
            f"127.0.0.1:{port}",
            "--rdzv-id",
            "bench",
            "--local-addr",
            "127.0.0.1",
            "--no-python",
            "sh",
            "-c",
            f"printf x >'{fifo}'",
        ]
        start = time.monotonic()
        running = [subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL) for _ in range(count)]
        try:
            arrived = 0
            while arrived < count:
                if not select.select([reader], [], [], LIMIT)[0]:
                    return None
                arrived += len(os.read(reader, count))
            elapsed = time.monotonic() - start
            for process in running:
                process.wait()
            return elapsed
        finally:
            os.close(reader)
            for process in running:
                process.kill()
                process.wait()


def enter_own_network():
    """Goes on in a network namespace with nothing but loopback in it."""
    os.environ["MDL_BENCH_NETWORK"] = "own"
    os.execvp("unshare", ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", sys.executable, *sys.argv])


def bytes_on_the_wire():
    """What loopback has carried so far, headers included; None where others use it as well."""
    if os.environ.get("MDL_BENCH_NETWORK") != "own":
        return None
    line = next(line for line in Path("/proc/self/net/dev").read_text().splitlines() if line.strip().startswith("lo:"))
    return int(line.split()[9])


def peak_memory(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


def joining(host_command, agents_command, count):
    """{seconds, sent, host_memory} of `count` agents that join at the same time; empty when they take too long."""
    port = free_port()
    host = subprocess.Popen([*host_command, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert host.stdout.readline() == "ready\n"
        before = bytes_on_the_wire()
        done = subprocess.run(
            [*agents_command, str(port), str(count)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=LIMIT,
            check=True,
        )
        sent = None if before is None else bytes_on_the_wire() - before
        return {**json.loads(done.stdout.splitlines()[-1]), "sent": sent, "memory": peak_memory(host)}
    except subprocess.TimeoutExpired:
        return {}
    finally:
        host.stdin.close()
        host.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin-dir", type=Path, required=True)
    parser.add_argument("--agents", type=int, nargs="*", default=[2, 4, 8])
    parser.add_argument("--ours", type=int, nargs="*", default=[10, 100, 1000, 4000], help="how many simulated agents of ours join")
    parser.add_argument("--theirs", type=int, nargs="*", default=[2, 4, 8, 10], help="for which of these torch's are measured as well")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if os.geteuid() == 0 and "MDL_BENCH_NETWORK" not in os.environ:
        enter_own_network()

    torchrun = Path(sys.executable).parent / "torchrun"
    for count in options.agents:
        report(f"agents of {count}", agents(options.bin_dir / "mdl-launch", count), agents(torchrun, count), "s")
    bench = str(options.bin_dir / "mdl-bench")
    for count in sorted({*options.ours, *options.theirs}):
        ours = joining([bench, "rendezvous-host"], [bench, "rendezvous-agents"], count)
        theirs = {}
        if count in options.theirs:
            theirs = joining([sys.executable, "-c", THEIR_HOST], [sys.executable, "-c", THEIR_AGENTS], count)
        report(f"joining of {count}", ours.get("seconds"), theirs.get("seconds"), "s")
        report(f"joining of {count}, with workers' ranks", ours.get("with_worker_ranks"), None, "s")
        report(f"bytes on the wire, joining of {count}", ours.get("sent"), theirs.get("sent"), "B")
        report(
            f"host's peak memory, joining of {count}",
            ours.get("memory") and ours["memory"] / 1e6,
            theirs.get("memory") and theirs["memory"] / 1e6,
            "MB",
        )


main()

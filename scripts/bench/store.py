#!/usr/bin/env python3
"""Our TCPStore server beside torch's own (libuv), both under the same C++ load generator, on loopback.

Prints JSON lines: bench, case, ours, theirs, ratio (above 1: ours is better), unit. Torch's server looks up the name of each
client; so its numbers depend on how fast a name server answers. Rows with "names" say how they were measured: "as here" is
this machine as it is, "at once" gives torch's server a resolver that fails at once (needs root; its best case). The load
generator is one thread that costs more than either server, so the rows of operations compare what a client sees of them.
"""

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

REAL_SERVER = """
import sys
import torch.distributed as dist
store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, use_libuv=True)
print(store.port, flush=True)
sys.stdin.read()
"""
# Longer than any row takes, save for a server that waits for a name server once for each client.
LIMIT = 60


@contextlib.contextmanager
def running(command):
    """A server that prints its port and ends with its stdin -> (port, process)."""
    # Torch's server complains about each client whose name it can't find.
    process = subprocess.Popen(
        [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield int(process.stdout.readline()), process
    finally:
        process.stdin.close()
        process.wait()


def memory(process):
    """Resident bytes of a process."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024


def measure(generator, verb, port, clients):
    """{case: (value, unit)}; empty when it takes too long."""
    try:
        done = subprocess.run([generator, verb, str(port), str(clients)], stdout=subprocess.PIPE, text=True, timeout=LIMIT, check=True)
    except subprocess.TimeoutExpired:
        return {}
    rows = map(json.loads, done.stdout.splitlines())
    return {row["case"]: (row["value"], row["unit"]) for row in rows}


def measure_memory(generator, port, server, clients):
    """Resident memory before, and what each of `clients` idle connections adds."""
    before = memory(server)
    holder = subprocess.Popen([generator, "hold", str(port), str(clients)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        after = memory(server)
    finally:
        holder.stdin.close()
        holder.wait()
    return {
        "memory idle": (before / 1e6, "MB"),
        f"memory with {clients} connections": (after / 1e6, "MB"),
        f"memory of one connection of {clients}": ((after - before) / clients / 1e3, "kB"),
    }


def best(rows):
    """Of several measurements of the same cases the best: what disturbs a run makes it slower and never faster."""
    result = {}
    for case, unit in {(case, unit) for row in rows for case, (_, unit) in row.items()}:
        values = [row[case][0] for row in rows if case in row]
        result[case] = (max(values) if unit == "1/s" else min(values), unit)
    return result


def measure_all(generator, commands, connects, clients, waiters, held, repeats):
    """One result for each of the servers, whose runs take turns: both see the same load of the machine."""
    plan = [("connect", n) for n in connects] + [("operations", n) for n in clients] + [("waiting", n) for n in waiters]
    results = [{} for _ in commands]
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(running(command))[0] for command in commands]
        for verb, count in plan:
            rows = [[measure(generator, verb, port, count) for port in ports] for _ in range(repeats)]
            for result, of_server in zip(results, zip(*rows, strict=True), strict=True):
                result |= {case: value for case, value in sorted(best(of_server).items())}
    if held:
        # Fresh servers: what earlier clients made them allocate would hide what these cost.
        for result, command in zip(results, commands, strict=True):
            with running(command) as (port, server):
                result |= measure_memory(generator, port, server, held)
    return results


def report(ours, theirs, names):
    for case, (value, unit) in ours.items():
        other = theirs.get(case, (None,))[0]
        better = None if other is None else value / other if unit == "1/s" else other / value
        print(
            json.dumps(
                {
                    "bench": "store",
                    "case": case,
                    "ours": round(value, 3),
                    "theirs": other and round(other, 3),
                    "ratio": better and round(better, 2),
                    "unit": unit,
                    "names": names,
                }
            ),
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", type=Path, required=True)
    parser.add_argument("--hold", type=int, default=5000, help="idle connections whose memory is measured (default 5000)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each row, in turns; the best counts (default 5)")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    generator = str(options.bin_dir / "mdl-bench")
    ours = [generator, "serve-store"]
    theirs = [sys.executable, "-c", REAL_SERVER]
    # Once: torch's server takes ten seconds for a hundred clients where no name server answers.
    report(*measure_all(generator, [ours, theirs], [10, 100], [], [], 0, 1), "as here")
    if os.geteuid() != 0:
        print("not root: torch's server can't be given a resolver of its own, so the rows with more clients are left out", file=sys.stderr)
        return
    with tempfile.NamedTemporaryFile() as empty:
        unshared = ["unshare", "--mount", "sh", "-c", f'mount --bind {empty.name} /etc/resolv.conf; exec "$@"', "sh"]
        rows = ([100, 1000], [1, 16, 256], [100, 1000], options.hold, options.repeats)
        report(*measure_all(generator, [unshared + ours, unshared + theirs], *rows), "at once")


if __name__ == "__main__":
    main()

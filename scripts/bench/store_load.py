#!/usr/bin/env python3
"""Our TCPStore server beside torch's own (libuv) with hostile clients on them, on loopback.

For each kind of hostile client: a fresh server, sixteen honest clients alone ("quiet"), the same with the hostile ones ("loaded"), the
server's peak of resident memory, and whether it answers afterwards. Prints JSON lines, and a table on stderr. The hostile clients run in
Python on the same machine and take a share of it, for both servers the same; only the ratio of loaded to quiet says something. Of clients
that keep a processor busy "beside" tells what that costs alone: there they are on another server of the same kind.
Needs root, to give torch's server a resolver that fails at once.
"""

import argparse
import contextlib
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from hostile_clients import HELLO, KINDS
from store import REAL_SERVER, measure

# Above this a server is stopped: this machine is for others as well.
MOST_MEMORY = 3 << 30
HOSTILE_CLIENTS = Path(__file__).with_name("hostile_clients.py")


class Server:
    """A server in a process of its own, whose memory is watched."""

    def __init__(self, command, descriptors):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, preexec_fn=limit
        )
        self.port = int(self.process.stdout.readline())
        self.too_large = False
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()

    def _status(self, name):
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
            return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024
        return 0

    def _look(self):
        while not self._over.wait(0.05):
            if self.memory() > MOST_MEMORY:
                self.too_large = True
                self.process.kill()
                return

    def cpu(self):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0.0

    def memory(self):
        return self._status("VmRSS")

    def peak(self):
        return self._status("VmHWM")

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as client:
                client.sendall(HELLO)
                return client.recv(4) == HELLO[-4:]
        except OSError:
            return False

    def close(self):
        self._over.set()
        self.process.kill()
        self.process.wait()


def connections_taken():
    """How many TCP connections this machine's servers have taken since it started."""
    names, values = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Tcp:")]
    return int(values[names.index("PassiveOpens")])


def honest(generator, port, repeats):
    """(p50, p99) in µs: the best of several runs of one second, as other programs on this machine make a run slower and never faster; None
    when the server does not answer."""
    rows = []
    for _ in range(repeats):
        try:
            row = measure(generator, "operations", port, 16)
        except subprocess.CalledProcessError:
            row = {}
        if not row:
            return None
        rows.append((row["p50 of 16"][0], row["p99 of 16"][0]))
    return tuple(map(min, zip(*rows, strict=True)))


@contextlib.contextmanager
def hostile_clients(name, port):
    """Runs them for at most a minute; gives whether they came to be at it."""
    process = subprocess.Popen([sys.executable, HOSTILE_CLIENTS, name, str(port)], stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        yield process.stdout.readline() == "ready\n"
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()


def beside(name, command, generator, port, repeats):
    """What honest clients see of a server while the hostile ones have another one: the cost of sharing the machine with them."""
    other = Server(command, 20_000)
    try:
        with hostile_clients(name, other.port):
            return honest(generator, port, repeats)
    finally:
        other.close()


def try_kind(name, command, generator, repeats):
    server = Server(command, 200 if name == "descriptors" else 20_000)
    result = {}
    try:
        result["before"] = server.memory()
        result["quiet"] = honest(generator, server.port, repeats)
        if KINDS[name].busy:
            result["beside"] = beside(name, command, generator, server.port, repeats)
        with hostile_clients(name, server.port) as ready:
            if name == "descriptors":
                time.sleep(1.5)  # the time that it takes until the server may tell strangers from slow clients
            taken, began = connections_taken(), time.monotonic()
            result["loaded"] = honest(generator, server.port, repeats) if ready and not server.too_large else None
            result["taken"] = (connections_taken() - taken) / (time.monotonic() - began)
            before = server.cpu()
            if result["loaded"]:
                time.sleep(1)
                result["cpu_idle"] = round(server.cpu() - before, 2)
            result["peak"] = MOST_MEMORY if server.too_large else server.peak()
        result["answers"] = server.answers()
        result["too_large"] = server.too_large
    finally:
        server.close()
    return result


def row_of(name, who, result):
    quiet, loaded, beside = result["quiet"], result.get("loaded"), result.get("beside")
    return {
        "bench": "store-load",
        "case": name,
        "server": who,
        "quiet_p99_us": quiet and round(quiet[1]),
        "loaded_p99_us": loaded and round(loaded[1]),
        "beside_p99_us": beside and round(beside[1]),
        "quiet_p50_us": quiet and round(quiet[0]),
        "loaded_p50_us": loaded and round(loaded[0]),
        "ratio": round(loaded[1] / quiet[1], 2) if quiet and loaded else None,
        "peak_mb": round(result["peak"] / 1e6),
        "growth_mb": round((result["peak"] - result["before"]) / 1e6),
        "stopped_above_limit": result["too_large"],
        "connections_per_s": round(result["taken"]),
        "cpu_s_in_1s_after": result.get("cpu_idle"),
        "answers_afterwards": result["answers"],
    }


def show(value, unit):
    return "–" if value is None else f"{value} {unit}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", type=Path)
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS))
    parser.add_argument("--repeats", type=int, default=5, help="runs of a second, of which the best counts (default 5)")
    parser.add_argument("--ours-only", action="store_true")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if os.geteuid() != 0:
        sys.exit("store_load.py: needs root, to give torch's server a resolver that fails at once")
    generator = str(options.bin_dir / "mdl-bench")
    table = []
    with tempfile.NamedTemporaryFile() as empty:
        unshared = ["unshare", "--mount", "sh", "-c", f'mount --bind {empty.name} /etc/resolv.conf; exec "$@"', "sh"]
        servers = {"ours": [*unshared, generator, "serve-store"]}
        if not options.ours_only:
            servers["torch"] = [*unshared, sys.executable, "-c", REAL_SERVER]
        for name in options.kinds:
            for who, command in servers.items():
                row = row_of(name, who, try_kind(name, command, generator, options.repeats))
                table.append(row)
                print(json.dumps(row), flush=True)
    print(
        f"{'hostile clients':72} {'server':6} {'quiet p99':>10} {'loaded p99':>11} {'ratio':>6} {'beside p99':>11} {'growth':>9}  afterwards",
        file=sys.stderr,
    )
    for row in table:
        state = "stopped above 3 GiB" if row["stopped_above_limit"] else "answers" if row["answers_afterwards"] else "does not answer"
        print(
            f"{KINDS[row['case']].__doc__:72} {row['server']:6} {show(row['quiet_p99_us'], 'µs'):>10} {show(row['loaded_p99_us'], 'µs'):>11} "
            f"{row['ratio'] or '–':>6} {show(row['beside_p99_us'], 'µs'):>11} {row['growth_mb']:>6} MB  {state}",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()

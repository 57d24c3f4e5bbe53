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
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from store import REAL_SERVER, measure

VALIDATE, SET, GET, WAIT, PING, MAGIC = 0, 1, 3, 6, 13, 0x3C85F7CE
MIB = 1 << 20
LARGEST = 8 * MIB
# Above this a server is stopped: this machine is for others as well.
MOST_MEMORY = 3 << 30
HELLO = struct.pack("<BIBI", VALIDATE, MAGIC, PING, 7)


def text(value):
    return struct.pack("<Q", len(value)) + value


def setting(key, value):
    return struct.pack("<B", SET) + text(key) + text(value)


class Hostile:
    """The hostile clients, in a process of their own. prepare() is over when they are all at it; step() goes on with it."""

    # Whether they use a processor all the time, which honest clients have one less of then, whatever the server does.
    busy = False

    def __init__(self, port):
        self.port = port
        self.clients = []

    def connect(self, introduced=True):
        client = socket.create_connection(("127.0.0.1", self.port), 20)
        if introduced:
            client.sendall(HELLO)
            client.recv(4)
        self.clients.append(client)
        return client

    def crowd(self, count, introduced=True):
        # In slices: a server that closes some of them is none that refuses.
        for _ in range(count):
            with contextlib.suppress(OSError):
                self.connect(introduced)

    def pour(self, client, data):
        """As much of it as the socket takes, without waiting for long."""
        client.settimeout(0.2)
        with contextlib.suppress(OSError):
            client.sendall(data)

    def prepare(self):
        pass

    def step(self):
        time.sleep(0.05)


class Silent(Hostile):
    """10,000 connect and say nothing"""

    def prepare(self):
        self.crowd(10_000, introduced=False)


class Idle(Hostile):
    """10,000 introduce themselves and say nothing more"""

    def prepare(self):
        self.crowd(10_000)


class Slow(Hostile):
    """2,000 send one byte of a message a second"""

    def prepare(self):
        self.crowd(2_000)
        self.message = iter(setting(b"/slow", b"x" * 100))

    def step(self):
        byte = bytes([next(self.message)])
        for client in self.clients:
            with contextlib.suppress(OSError):
                client.sendall(byte)
        time.sleep(1)


class Half(Hostile):
    """1,500 announce 8 MiB, send 1 MiB and stop"""

    def prepare(self):
        head = struct.pack("<B", SET) + text(b"/half") + struct.pack("<Q", LARGEST)
        data = head + bytes(MIB)
        for _ in range(1_500):
            with contextlib.suppress(OSError):
                self.pour(self.connect(), data)


class Unread(Hostile):
    """500 ask for 8 MiB ten times and do not read"""

    def prepare(self):
        self.connect().sendall(setting(b"/large", bytes(LARGEST)))
        self.crowd(500)
        for client in self.clients[1:]:
            self.pour(client, (struct.pack("<B", GET) + text(b"/large")) * 10)


class Gone(Hostile):
    """300 ask for 8 MiB each that are replaced then, and do not read"""

    def prepare(self):
        writer = self.connect()
        for number in range(300):
            with contextlib.suppress(OSError):
                writer.sendall(setting(b"/large", bytes([number % 256]) * LARGEST) + struct.pack("<BI", PING, 1))
                writer.recv(4)
                self.pour(self.connect(), struct.pack("<B", GET) + text(b"/large"))


class Pipeline(Hostile):
    """200 send 20,000 requests each and do not read"""

    def prepare(self):
        self.connect().sendall(setting(b"/v", bytes(4000)))
        self.crowd(200)
        requests = (struct.pack("<B", GET) + text(b"/v")) * 20_000
        for client in self.clients[1:]:
            self.pour(client, requests)


class Fill(Hostile):
    """one sets 128 Ki keys, then 8 MiB values for as long as it is let"""

    def prepare(self):
        client = self.connect()
        client.settimeout(20)
        with contextlib.suppress(OSError):
            client.sendall(b"".join(setting(b"/fill/%d" % i, b"x") for i in range(128 * 1024)))
            for number in range(400):
                client.sendall(setting(b"/large/%d" % number, bytes(LARGEST)))


class Waiters(Hostile):
    """10,000 wait for one key"""

    def prepare(self):
        self.crowd(10_000)
        for client in self.clients:
            with contextlib.suppress(OSError):
                client.sendall(struct.pack("<BQ", WAIT, 1) + text(b"/never"))


class Storm(Hostile):
    """connections that come, introduce themselves and go, without a pause"""

    busy = True

    def step(self):
        for _ in range(100):
            with contextlib.suppress(OSError):
                self.connect()
        for client in self.clients:
            client.close()
        self.clients.clear()


class Far(Storm):
    """the same storm, from a process that runs only where a processor is idle"""

    # As if the storm came from another machine: what it costs to send it is not taken from the honest clients and the server.
    def prepare(self):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


class Descriptors(Hostile):
    """1,000 that say nothing, where the server may have 200 descriptors"""

    def prepare(self):
        self.crowd(1_000, introduced=False)


KINDS = {kind.__name__.lower(): kind for kind in (Silent, Idle, Slow, Half, Unread, Gone, Pipeline, Fill, Waiters, Storm, Far, Descriptors)}


def be_hostile(name, port):
    hostile = KINDS[name](port)
    hostile.prepare()
    print("ready", flush=True)
    # Until the bench kills this process.
    while True:
        hostile.step()


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
    process = subprocess.Popen([sys.executable, __file__, "--hostile", name, str(port)], stdout=subprocess.PIPE, text=True)
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
    parser.add_argument("--hostile", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.hostile:
        be_hostile(options.hostile[0], int(options.hostile[1]))
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

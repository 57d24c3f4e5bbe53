"""usage: hostile_clients.py NAME PORT: clients that do a TCPStore server on loopback harm, or cost it memory, until they are killed."""

import contextlib
import os
import socket
import struct
import sys
import time

VALIDATE, SET, GET, WAIT, PING, MAGIC = 0, 1, 3, 6, 13, 0x3C85F7CE
MIB = 1 << 20
LARGEST = 8 * MIB
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


if __name__ == "__main__":
    be_hostile(sys.argv[1], int(sys.argv[2]))

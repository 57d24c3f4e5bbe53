"""Hosts on a switch: network namespaces with veth pairs on a bridge that lives in a namespace of its own.

Nothing of it can be seen from outside: the addresses exist inside the namespaces only, and the names carry this process's id.
Each host has its own host name, which nobody can resolve (there is no DNS, and /etc/hosts knows localhost alone, but for what
a test adds to one host's), and a second interface with an address that no other host can reach.
"""

import contextlib
import itertools
import os
import re
import select
import shutil
import signal
import subprocess
import time

_networks = itertools.count()


def why_not():
    """Why namespaces can't be had here; None when they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip"):
        return "there is no ip command (package iproute2)"
    name = f"mdl{os.getpid()}probe"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode:
        return f"ip netns add: {made.stderr.strip()}"
    try:
        bridge = subprocess.run(["ip", "-n", name, "link", "add", "b0", "type", "bridge"], capture_output=True, text=True)
        return f"ip link add type bridge: {bridge.stderr.strip()}" if bridge.returncode else None
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def ip(*arguments):
    done = subprocess.run(["ip", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(map(str, arguments))}: {done.stderr}"
    return done.stdout


def empty(namespace):
    """Kills all that runs in a namespace, and removes it."""
    deadline = time.monotonic() + 5
    while (pids := ip("netns", "pids", namespace).split()) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    ip("netns", "delete", namespace)


def remove_remains():
    """Takes down the networks of test processes that were killed before they could do it themselves."""
    for name in ip("netns", "list").split():
        owner = re.match(r"mdl(\d+)n\d+h", name)
        if owner and not os.path.exists(f"/proc/{owner[1]}"):
            # Another test may be at it as well.
            with contextlib.suppress(AssertionError):
                empty(name)


class Host:
    """One machine of the network. `address` and `address6` are reachable from the others, `inner_address` is not."""

    def __init__(self, network, number):
        self.name = f"node{number}"
        self.namespace = f"{network.prefix}{number}"
        self.address = f"10.77.0.{10 + number}"
        self.address6 = f"fd77::{10 + number}"
        self.inner_address = f"172.31.77.{10 + number}"
        self._hub = network.hub
        self._port = f"port{number}"
        self._folder = network.folder
        self._names = network.folder / f"hosts_of_{self.name}"
        self._names.write_text("127.0.0.1 localhost\n::1 localhost\n")
        ip("netns", "add", self.namespace)
        network.made.append(self.namespace)
        ip("-n", self.namespace, "link", "set", "lo", "up")
        # Added first, so that it is the first one in every list of interfaces.
        ip("-n", self.namespace, "link", "add", "inner0", "type", "bridge")
        ip("-n", self.namespace, "address", "add", f"{self.inner_address}/24", "dev", "inner0")
        ip("-n", self.namespace, "link", "set", "inner0", "up")
        ip("-n", self.namespace, "link", "add", "eth0", "type", "veth", "peer", "name", self._port, "netns", self._hub)
        ip("-n", self._hub, "link", "set", self._port, "master", "switch", "up")
        ip("-n", self.namespace, "address", "add", f"{self.address}/24", "dev", "eth0")
        ip("-n", self.namespace, "address", "add", f"{self.address6}/64", "dev", "eth0", "nodad")
        ip("-n", self.namespace, "link", "set", "eth0", "up")

    def call(self, name, address):
        """From now on `name` means `address` on this host."""
        with self._names.open("a") as names:
            names.write(f"{address} {name}\n")

    def plug(self, device, address):
        """A further interface, on the switch of all interfaces with its name."""
        switch, port = f"sw{device}", f"{self._port}{device}"
        if f" {switch}:" not in ip("-n", self._hub, "link", "show"):
            ip("-n", self._hub, "link", "add", switch, "type", "bridge")
            ip("-n", self._hub, "link", "set", switch, "up")
        ip("-n", self.namespace, "link", "add", device, "type", "veth", "peer", "name", port, "netns", self._hub)
        ip("-n", self._hub, "link", "set", port, "master", switch, "up")
        ip("-n", self.namespace, "address", "add", f"{address}/24", "dev", device)
        ip("-n", self.namespace, "link", "set", device, "up")

    def forget_ipv4(self):
        """No interface has an IPv4 address any more, loopback neither."""
        for device in ("lo", "inner0", "eth0"):
            ip("-n", self.namespace, "-4", "address", "flush", "dev", device)

    def command(self, command):
        """`command` as it must be started to run on this host, as the same process."""
        setup = (
            f"mount --bind '{self._names}' /etc/hosts; mount --bind '{self._folder}/resolv.conf' /etc/resolv.conf; "
            f'hostname {self.name}; exec "$@"'
        )
        return ["ip", "netns", "exec", self.namespace, "unshare", "--uts", "--mount", "sh", "-c", setup, "sh", *map(str, command)]

    def cut(self):
        """Pulls the cable: packets vanish, no connection is told."""
        ip("-n", self._hub, "link", "set", self._port, "down")

    def heal(self):
        ip("-n", self._hub, "link", "set", self._port, "up")

    def processes(self):
        """The ids of all processes that run on this host."""
        return [int(pid) for pid in ip("netns", "pids", self.namespace).split()]

    def wait_until_empty(self, seconds):
        """Waits until no process runs here any more; False when one outlasts `seconds`."""
        deadline = time.monotonic() + seconds
        while pids := self.processes():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    process = os.pidfd_open(pid)
                    try:
                        if not select.select([process], [], [], max(0, deadline - time.monotonic()))[0]:
                            return False
                    finally:
                        os.close(process)
        return True

    def describe_processes(self):
        return subprocess.run(["ps", "-o", "pid,ppid,stat,args", *map(str, self.processes())], capture_output=True, text=True).stdout

    def ports(self):
        """The TCP ports that somebody listens on."""
        listening = subprocess.run(["ip", "netns", "exec", self.namespace, "ss", "-Hltn"], capture_output=True, text=True, check=True)
        return sorted({int(line.split()[3].rsplit(":", 1)[1]) for line in listening.stdout.splitlines()})


class Network:
    """`with Network(folder, 3) as network:` network.hosts are up, and are gone afterwards with all that runs on them."""

    def __init__(self, folder, count=3):
        remove_remains()
        self.prefix = f"mdl{os.getpid()}n{next(_networks)}h"
        self.folder = folder
        self.made = []
        self.hosts = []
        (folder / "resolv.conf").write_text("# nobody answers\n")
        try:
            self.hub = f"{self.prefix}ub"
            ip("netns", "add", self.hub)
            self.made.append(self.hub)
            ip("-n", self.hub, "link", "add", "switch", "type", "bridge")
            ip("-n", self.hub, "link", "set", "switch", "up")
            self.hosts = [Host(self, number) for number in range(count)]
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for namespace in self.made:
            empty(namespace)
        self.made = []

"""The hosts themselves: what the other tests rely on."""

import socket
import subprocess
import sys

from network import Network

# Accepts one connection and says what arrives; run on a host of the network.
LISTEN = """
import socket
server = socket.create_server(("0.0.0.0", 5000))
print("listening", flush=True)
connection, peer = server.accept()
print("from", peer[0], flush=True)
while data := connection.recv(100):
    print("got", data.decode(), flush=True)
"""
# Connects to argv[1] and sends what it reads, line by line.
SEND = """
import socket, sys
connection = socket.create_connection((sys.argv[1], 5000))
for line in sys.stdin:
    connection.sendall(line.strip().encode())
"""


def start(host, *command, **options):
    return subprocess.Popen(host.command(command), stdout=subprocess.PIPE, text=True, **options)


def test_a_cut_link_carries_nothing_until_it_is_healed(job):
    first, second, _ = job.hosts
    server = start(first, sys.executable, "-c", LISTEN)
    assert server.stdout.readline() == "listening\n"
    client = start(second, sys.executable, "-c", SEND, first.address, stdin=subprocess.PIPE)

    def send(word):
        client.stdin.write(word + "\n")
        client.stdin.flush()

    assert server.stdout.readline() == f"from {second.address}\n"
    send("before")
    assert server.stdout.readline() == "got before\n"
    second.cut()
    send("during")
    before_healing = subprocess.run(
        second.command([sys.executable, "-c", SEND, first.address]), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )
    assert before_healing.returncode and "No route to host" in before_healing.stderr
    second.heal()
    assert server.stdout.readline() == "got during\n"
    client.stdin.close()
    client.wait()
    server.wait()


def test_a_host_knows_its_own_name_and_can_resolve_no_name(job):
    host = job.hosts[1]
    said = subprocess.run(
        host.command(["sh", "-c", "hostname; getent hosts node1 || echo unknown; getent hosts localhost"]), capture_output=True, text=True
    ).stdout.splitlines()
    assert said[:2] == ["node1", "unknown"] and said[2].split() == ["::1", "localhost"]
    assert socket.gethostname() != "node1"


def test_networks_are_taken_down_with_all_that_runs_on_them(tmp_path):
    with Network(tmp_path, 1) as network:
        sleeper = start(network.hosts[0], "sleep", "1000")
        namespaces = list(network.made)
    assert sleeper.wait(5) == -9
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    assert namespaces and not any(namespace in listed for namespace in namespaces)

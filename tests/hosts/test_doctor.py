"""mdl-launch doctor on several hosts: what only shows between machines."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from launchers import LAUNCHERS

PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()


@pytest.fixture
def doctors(job):
    """doctors(program, environment={host: variables}) -> the reports of all hosts, which asked at the same time."""

    def examine(*program, environment=None, nodes=3, options=()):
        for number in range(nodes):
            job.run(
                number,
                [
                    LAUNCHERS["mdl-launch"],
                    "doctor",
                    "--json",
                    *options,
                    "--wait",
                    20,
                    "--nnodes",
                    nodes,
                    "--rdzv-backend",
                    "c10d",
                    "--rdzv-endpoint",
                    job.endpoint,
                    *(program or ("--no-python", "/bin/true")),
                ],
                (environment or {}).get(number),
            )
        codes = job.wait(60)
        reports = [json.loads(agent.output) for agent in job.agents]
        assert codes == [int(report["would_fail"]) for report in reports]
        return reports

    return examine


def complaints(report):
    """(check, node, text) of everything that is not ok, but for what this machine lacks."""
    return [
        (one["check"], one["node"], one["text"])
        for one in report["findings"]
        if one["level"] != "ok" and one["check"] not in ("Gloo interface", "threads", "open files")
    ]


def ok(report, check):
    (found,) = [one for one in report["findings"] if one["check"] == check]
    assert found["level"] == "ok", found
    return found["text"]


def close_workers_ports(host, source):
    """`host` lets nobody at `source` open a connection, except to its endpoint's port: a firewall that forgot the workers."""
    rules = (
        "add table inet t; add chain inet t in { type filter hook input priority 0; }; "
        f"add rule inet t in ip saddr {source.address} tcp flags & (syn|ack) == syn tcp dport {PORTS[0]}-{PORTS[1]} tcp dport != 29400 drop"
    )
    subprocess.run(["ip", "netns", "exec", host.namespace, "nft", rules], check=True)


def test_three_healthy_hosts_find_each_other_and_the_endpoints_owner(job, doctors):
    for report in doctors():
        assert complaints(report) == []
        assert [node["host"] for node in report["nodes"]] == ["node0", "node1", "node2"]
        assert [node["endpoint"]["state"] for node in report["nodes"]] == ["free", "reached", "reached"]
        assert ok(report, "endpoint owner") == f"{job.hosts[0].address} belongs to node0"
        assert "both ways" in ok(report, "connections") and "agree" in ok(report, "clock")
        assert ok(report, "mdl-launch").endswith("on all nodes")


@pytest.mark.parametrize("closed, source", [(0, 1), (1, 0), (1, 2)])
def test_a_firewall_that_is_closed_in_one_direction_is_found(closed, source, job, doctors):
    if not shutil.which("nft"):
        pytest.skip("there is no nft command (package nftables)")
    close_workers_ports(job.hosts[closed], job.hosts[source])
    for report in doctors():
        ((check, node, text),) = complaints(report)
        assert (check, node) == ("connections", f"node{source}")
        assert re.match(rf"cannot connect to node{closed} \({re.escape(job.hosts[closed].address)}:\d+\): Connection timed out", text)


def test_a_clock_that_is_ahead_is_measured(job, doctors):
    ahead = {"LD_PRELOAD": str(LAUNCHERS["mdl-launch"].with_name("libshifted_clock.so")), "MDL_TEST_CLOCK_AHEAD": "60"}
    for report in doctors(environment={2: ahead}):
        ((check, node, text),) = complaints(report)
        assert (check, node) == ("clock", "node2")
        seconds = float(re.fullmatch(r"the clock is (\d+\.\d) s ahead", text)[1])
        assert 50 < seconds <= 60.1  # a slow answer leaves a doubt, which is taken off


def test_nodes_measure_all_reduce_over_their_network(job, doctors, bin_dir, tmp_path):
    hurried = tmp_path / "mdl-toolkit"
    hurried.write_text(f'#!/bin/sh\nip -4 -brief address > "{tmp_path}/$RANK"\nexec {bin_dir}/mdl-toolkit "$@" --seconds 9\n')
    hurried.chmod(0o755)
    for report in doctors("--no-python", hurried, "train", nodes=2, options=["--deep"]):
        ranks = [rank for node in report["nodes"] for rank in node["health"]["ranks"]]
        assert [rank["rank"] for rank in ranks] == [0, 1]
        assert all(rank["all_reduce"]["bytes_per_s"] > 0 for rank in ranks), ranks
        assert "of bus bandwidth" in ok(report, "all-reduce between nodes")
        assert [text for check, _, text in complaints(report) if check == "health"] == []
    for rank in (0, 1):  # each on its own host
        assert job.hosts[rank].address in (tmp_path / str(rank)).read_text()


def test_versions_that_differ_are_named_with_their_hosts(job, doctors, tmp_path):
    script = tmp_path / "train.py"
    script.write_text("")
    environment = {}
    for number, version in enumerate(["2.15.0", "2.15.0", "2.14.1"]):
        torch = tmp_path / str(number) / "torch"
        torch.mkdir(parents=True)
        (torch / "version.py").write_text(f"__version__ = '{version}'\n")
        python = tmp_path / str(number) / "python"
        python.write_text(f"#!/bin/sh\necho {torch}/__init__.py\n")
        python.chmod(0o755)
        environment[number] = {"PYTHON_EXEC": str(python)}
    for report in doctors(script, environment=environment):
        assert complaints(report) == [("LibTorch", "", "differs between the nodes: node0: 2.15.0, node1: 2.15.0, node2: 2.14.1")]
        assert report["would_fail"]


def test_a_dataset_that_one_host_lacks_is_named_with_the_host(job, doctors, tmp_path):
    # The hosts share a file system, as far as nothing is mounted over it.
    (tmp_path / "data").mkdir()
    job.hosts[1].command = lambda command, plain=job.hosts[1].command: plain(
        ["sh", "-c", f"mount -t tmpfs none '{tmp_path}/data' && exec \"$@\"", "sh", *command]
    )
    (tmp_path / "data" / "train").mkdir()
    for report in doctors("--no-python", "/bin/true", "--train-dataset", tmp_path / "data/train"):
        ((check, node, text),) = complaints(report)
        assert (check, node) == ("paths", "node1")
        assert text == f"--train-dataset {tmp_path}/data/train cannot be read: No such file or directory"


def test_the_program_that_has_the_endpoints_port_is_named(job, doctors):
    server = (
        "import socket, sys; s = socket.create_server(('', 29400)); print('up', flush=True)\n"
        "while True: s.accept()[0].sendall(b'HTTP/1.1 400 Bad Request\\r\\n')"
    )
    other = subprocess.Popen(job.hosts[0].command(["python3", "-SEc", server]), stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "up\n"
        first, second, third = doctors()
        name = Path(f"/proc/{other.pid}/comm").read_text().strip()
        assert ("endpoint", "node0", f"port 29400 of this machine is taken by {name} (process {other.pid})") in complaints(first)
        for report in (second, third):
            assert any("another program than the job or the doctor answers" in text for _, _, text in complaints(report))
    finally:
        other.kill()
        other.wait()

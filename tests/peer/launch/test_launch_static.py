"""Static rendezvous of several nodes, here on one host: mdl-launch alone, and in one job with the real torchrun."""

import subprocess
import textwrap

import pytest

from launching import MDL_LAUNCH, TORCHRUN, environment, free_port, launch

SUM_OF_RANKS = """
import os, sys, torch, torch.distributed as dist
dist.init_process_group("gloo")
value = torch.tensor([float(dist.get_rank())])
dist.all_reduce(value)
# One write: print() makes two of a line under python -u, and torchrun's workers share a pipe.
sys.stdout.write("RESULT {GROUP_RANK} {RANK} {ROLE_RANK}".format(**os.environ) + f" {dist.get_world_size()} {value.item()}\\n")
dist.barrier()
dist.destroy_process_group()
"""


@pytest.fixture
def master_port():
    return free_port()


@pytest.mark.parametrize(
    "launchers", [(MDL_LAUNCH, MDL_LAUNCH), (MDL_LAUNCH, TORCHRUN), (TORCHRUN, MDL_LAUNCH)], ids=["ours", "ours hosts", "torchrun hosts"]
)
def test_two_nodes_of_different_size_share_the_ranks(tmp_path, master_port, launchers):
    script = tmp_path / "sum.py"
    script.write_text(textwrap.dedent(SUM_OF_RANKS))
    nodes = [
        subprocess.Popen(
            [
                launcher,
                "--nnodes",
                "2",
                "--node-rank",
                str(rank),
                "--nproc-per-node",
                str(1 + rank),
                "--rdzv-id",
                "job",
                "--master-addr",
                "127.0.0.1",
                "--master-port",
                str(master_port),
                script,
            ],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, launcher in enumerate(launchers)
    ]
    try:
        outputs = [node.communicate(timeout=200) for node in nodes]
    finally:
        for node in nodes:
            node.kill()
    assert [node.returncode for node in nodes] == [0, 0], outputs
    lines = sorted(line for out, _ in outputs for line in out.splitlines() if line.startswith("RESULT"))
    assert lines == ["RESULT 0 0 0 3 3.0", "RESULT 1 1 1 3 3.0", "RESULT 1 2 2 3 3.0"]


def test_a_node_that_finds_no_master_says_so_in_time(master_port):
    done = launch("--nnodes", "2", "--node-rank", "1", "--master-port", master_port, "--rdzv-conf", "timeout=1", "--no-python", "/bin/true")
    assert done.returncode == 1
    assert str(master_port) in done.stderr


def test_a_master_whose_nodes_do_not_come_says_so_in_time(master_port):
    done = launch("--nnodes", "2", "--node-rank", "0", "--master-port", master_port, "--rdzv-conf", "timeout=1", "--no-python", "/bin/true")
    assert done.returncode == 1
    assert "not all nodes have come within 1 s" in done.stderr


@pytest.mark.parametrize(
    "options, words",
    [
        (["--node-rank", "2"], "--node-rank 2"),
        (["--rdzv-conf", "join_timout=3"], "join_timout"),
        (["--rdzv-conf", "timeout"], "KEY=VALUE"),
        (["--rdzv-conf", "timeout=soon"], "soon"),
        (["--rdzv-backend", "etcd"], "etcd"),
    ],
)
def test_wrong_settings_are_one_clear_message(options, words):
    done = launch("--nnodes", "2", *options, "--no-python", "/bin/true")
    assert done.returncode == 2
    assert words in done.stderr

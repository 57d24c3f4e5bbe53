"""Our rendezvous and real torchrun agents in one job: either hosts the store, and all agree."""

import re
import subprocess

import pytest

from launching import free_port

# What each of torchrun's workers says.
SAY = 'echo "worker $RANK of $WORLD_SIZE group $GROUP_RANK master $MASTER_ADDR:$MASTER_PORT"'


@pytest.mark.parametrize("host", ["ours", "torchrun"])
def test_two_torchrun_agents_and_ours_share_a_job(bin_dir, venv_bin, host):
    endpoint = f"127.0.0.1:{free_port()}"
    ours = [bin_dir / "rendezvous_probe", endpoint, "job", "3", "3", "host" if host == "ours" else "join"]

    def torchrun(is_host):
        return [
            venv_bin / "torchrun",
            "--nnodes",
            "3",
            "--nproc-per-node",
            "2",
            "--rdzv-backend",
            "c10d",
            "--rdzv-endpoint",
            endpoint,
            "--rdzv-id",
            "job",
            "--local-addr",
            "127.0.0.1",
            "--rdzv-conf",
            f"is_host={int(is_host)}",
            "--no-python",
            "sh",
            "-c",
            SAY,
        ]

    commands = [ours, torchrun(host == "torchrun"), torchrun(False)]
    agents = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for command in commands]
    try:
        outputs = [agent.communicate(timeout=200) for agent in agents]
    finally:
        for agent in agents:
            agent.kill()
            agent.wait()
    for agent, (out, log) in zip(agents, outputs, strict=True):
        assert agent.returncode == 0, out + log

    told = re.match(r"round 0 node (\d) of 3 ranks from (\d) of 7 master (\S+)\n", outputs[0][0])
    assert told, outputs[0]
    node, base, master = int(told[1]), int(told[2]), told[3]
    workers = re.findall(r"worker (\d) of (\d+) group (\d) master (\S+)", outputs[1][0] + outputs[2][0])
    assert len(workers) == 4
    assert {size for _, size, _, _ in workers} == {"7"}
    # Seven ranks: ours are three in a row, torchrun's workers have the others.
    assert sorted([int(rank) for rank, _, _, _ in workers] + [base, base + 1, base + 2]) == list(range(7))
    assert {int(group) for _, _, group, _ in workers} | {node} == {0, 1, 2}
    assert {theirs for _, _, _, theirs in workers} == {master}

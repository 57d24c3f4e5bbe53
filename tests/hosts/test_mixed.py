"""Agents of the real torchrun and of mdl-launch in one job."""

import sys
from pathlib import Path

import pytest

SUM = [sys.executable, Path(__file__).with_name("sum_of_ranks.py")]
TWO_TO_ONE = [("torchrun", "torchrun", "mdl-launch"), ("mdl-launch", "mdl-launch", "torchrun"), ("mdl-launch", "torchrun", "torchrun")]


@pytest.mark.parametrize("launchers", TWO_TO_ONE)
def test_a_gloo_sum_over_all_ranks_of_a_mixed_job(job, launchers):
    agents = [job.start(number, launcher=launcher, workers=1, program=SUM, environment={"GLOO_SOCKET_IFNAME": "eth0"})
              for number, launcher in enumerate(launchers)]
    assert job.wait(60) == [0, 0, 0], [agent.output for agent in agents]
    said = "\n".join(agent.output for agent in agents)
    for rank in range(3):
        assert f"rank {rank} of 3 on" in said and "sum 3" in said


@pytest.mark.parametrize("hosting", ["torchrun", "mdl-launch"])
def test_our_agents_of_a_mixed_job_all_name_the_worker_that_failed(job, hosting):
    launchers = ("torchrun", "mdl-launch", "mdl-launch") if hosting == "torchrun" else ("mdl-launch", "torchrun", "mdl-launch")
    agents = [job.start(number, launcher=launcher) for number, launcher in enumerate(launchers)]
    world = job.stage.wait_for_world(3)
    world[2].fail(3, "no more disk")
    ours = [agent for agent in agents if agent.kind == "mdl-launch"]
    theirs = next(agent for agent in agents if agent.kind == "torchrun")
    for agent in ours:
        assert agent.wait() == 1
        agent.wait_for_line("Root cause: rank 2 .*on node2, exit code 3", 1)
        agent.wait_for_line(r"\| no more disk$", 1)
    # Nobody tells torchrun's agent, which ends when its own worker fails.
    next(worker for worker in world if worker.host == theirs.host.name).fail(1, "alone")
    assert theirs.wait() == 1

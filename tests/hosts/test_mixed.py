"""Agents of the real torchrun and of mdl-launch in one job."""

import sys
from pathlib import Path

import pytest

SUM = [sys.executable, Path(__file__).parent / "harness/sum_of_ranks.py"]
TWO_TO_ONE = [("torchrun", "torchrun", "mdl-launch"), ("mdl-launch", "mdl-launch", "torchrun"), ("mdl-launch", "torchrun", "torchrun")]


@pytest.mark.parametrize("launchers", TWO_TO_ONE)
def test_a_gloo_sum_over_all_ranks_of_a_mixed_job(job, launchers):
    agents = [
        job.start(number, launcher=launcher, workers=1, program=SUM, environment={"GLOO_SOCKET_IFNAME": "eth0"})
        for number, launcher in enumerate(launchers)
    ]
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


THREE = [("torchrun", "mdl-launch", "torchrun"), ("mdl-launch", "torchrun", "mdl-launch")]


def start_mixed(job, nodes, launchers, *options):
    for number, launcher in enumerate(launchers):
        job.start(number, nodes, *options, launcher=launcher)


@pytest.mark.parametrize("launchers", THREE)
def test_a_node_of_a_mixed_job_leaves_and_the_rest_goes_on(job, launchers):
    start_mixed(job, "2:3", launchers)
    before = job.stage.wait_for_world(3, 60)
    job.agents[2].signal(15)
    after = job.stage.wait_for_world(2, 60, after=before)
    assert {worker.host for worker in after} == {"node0", "node1"}
    for worker in after:
        worker.succeed()
    assert job.wait(60)[:2] == [0, 0]


@pytest.mark.parametrize("launchers, failing", [(THREE[0], 0), (THREE[0], 1), (THREE[1], 1)])
def test_all_agents_of_a_mixed_job_restart_their_workers_when_one_fails(job, launchers, failing):
    start_mixed(job, "3", launchers, "--max-restarts", "2")
    before = job.stage.wait_for_world(3, 60)
    next(worker for worker in before if worker.host == f"node{failing}").fail(1, "once")
    after = job.stage.wait_for_world(3, 60, after=before)
    for worker in after:
        worker.succeed()
    assert job.wait(60) == [0, 0, 0]

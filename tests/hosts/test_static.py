"""Nodes of a static job are told their ranks and the master's address."""

import pytest


def start(job, number, nodes="3", port=29500, master=0, **more):
    options = ["--node-rank", number, "--master-addr", job.hosts[master].address, "--master-port", port]
    return job.start(number, nodes, *options, backend="static", **more)


def test_nodes_get_the_ranks_they_are_told_and_the_masters_address(job):
    for number in (1, 2, 0):
        start(job, number, workers=2)
    world = job.stage.wait_for_world(6)
    assert [worker.host for worker in world] == ["node0", "node0", "node1", "node1", "node2", "node2"]
    assert {(w.environment["MASTER_ADDR"], w.environment["MASTER_PORT"]) for w in world} == {(job.hosts[0].address, "29500")}
    for worker in world:
        worker.succeed()
    assert job.wait() == [0, 0, 0]


def test_a_master_that_never_comes_is_an_error_that_names_it(job):
    agent = start(job, 1, environment={"PET_RDZV_CONF": "timeout=3"})
    assert agent.wait(15)
    agent.wait_for_line(job.hosts[0].address.replace(".", r"\."))


def end(world):
    for worker in world:
        worker.succeed()


@pytest.mark.parametrize("failing", [0, 1])
def test_all_nodes_of_a_static_job_start_again_when_a_worker_fails(job, failing):
    for number in range(3):
        start(job, number, environment={"PET_MAX_RESTARTS": "1"})
    before = job.stage.wait_for_world(3)
    before[2].set_in_store("address/of/rank2")
    before[failing].fail(1, "once")
    after = job.stage.wait_for_world(3, after=before)
    assert [worker.host for worker in after] == ["node0", "node1", "node2"], "ranks stay"
    assert [worker.restarts for worker in after] == [int(number == failing) for number in range(3)]
    assert "address/of/rank2" not in after[1].keys_in_store()
    assert not any("before the next round" in agent.output for agent in job.agents), "the restart was paid for"
    end(after)
    assert job.wait() == [0, 0, 0]


def test_the_failure_of_a_worker_ends_a_static_job_on_all_nodes_with_one_root_cause(job):
    for number in range(3):
        start(job, number, environment={"PET_MAX_RESTARTS": "1"})
    before = job.stage.wait_for_world(3)
    before[1].fail(1, "once")
    job.stage.wait_for_world(3, after=before)[1].fail(7, "twice")
    assert job.wait() == [1, 1, 1]
    for agent in job.agents:
        agent.wait_for_line(r"Root cause: rank 1 .*on node1, exit code 7", 1)
        agent.wait_for_line(r"\| twice$", 1)


def test_a_node_of_a_static_job_that_is_killed_and_started_again_restarts_all(job):
    for number in range(3):
        start(job, number)
    before = job.stage.wait_for_world(3)
    job.agents[1].kill()
    job.agents[1].wait()
    start(job, 1)
    after = job.stage.wait_for_world(3, after=before)
    end(after)
    assert job.wait() == [0, -9, 0, 0]


def test_of_two_agents_with_one_node_rank_the_last_one_counts(job):
    for number in range(2):
        start(job, number, "2")
    before = job.stage.wait_for_world(2)
    second = job.start(2, "2", "--node-rank", 1, "--master-addr", job.hosts[0].address, "--master-port", 29500, backend="static")
    assert job.agents[1].wait() == 1
    job.agents[1].wait_for_line("another agent has been started as node 1", 1)
    end(job.stage.wait_for_world(2, after=before))
    assert (job.agents[0].wait(), second.wait()) == (0, 0)


def test_when_node_0_of_a_static_job_is_killed_the_others_end_at_once_and_say_so(job):
    for number in range(3):
        start(job, number)
    job.stage.wait_for_world(3)
    job.agents[0].kill()
    assert job.wait() == [-9, 1, 1]
    for agent in job.agents[1:]:
        agent.wait_for_line(rf"the store of node 0 at {job.hosts[0].address}:29500 is lost", 1)


def test_a_node_0_that_has_waited_long_enough_does_not_end_the_work_of_the_others(job):
    for number in range(2):
        start(job, number, "2", environment={"TORCH_ELASTIC_EXIT_BARRIER_TIMEOUT": "1"})
    world = job.stage.wait_for_world(2)
    end(world[:1])
    assert job.agents[0].wait(15) == 0
    job.agents[1].wait_for_line("node 0 is done and has ended; going on without it")
    assert job.stage.alive() == world[1:]
    end(world[1:])
    assert job.wait() == [0, 0]


@pytest.mark.parametrize("launchers", [("mdl-launch", "torchrun"), ("torchrun", "mdl-launch")])
def test_beside_torchruns_agents_a_static_node_does_not_start_again(job, launchers):
    for number, launcher in enumerate(launchers):
        start(job, number, "2", launcher=launcher, environment={"PET_MAX_RESTARTS": "3"})
    world = job.stage.wait_for_world(2)
    ours = launchers.index("mdl-launch")
    world[ours].fail(6, "no luck")
    assert job.agents[ours].wait() == 1
    job.agents[ours].wait_for_line("not restarting the workers: nodes of this static job are torchrun's", 1)
    job.agents[ours].wait_for_line(rf"Root cause: rank {ours} .*exit code 6", 1)
    job.agents[1 - ours].signal(15)
    job.wait()

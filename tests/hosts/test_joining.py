"""How nodes find each other: order, endpoints, sizes, names."""

import pytest


def finish(job, world):
    for worker in world:
        worker.succeed()
    assert job.wait() == [0] * len(job.agents)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_nodes_may_start_in_any_order(job, order):
    for number in order:
        job.start(number)
    world = job.stage.wait_for_world(3)
    assert sorted(worker.host for worker in world) == ["node0", "node1", "node2"]
    finish(job, world)


@pytest.mark.parametrize("owner", [1, 2])
def test_the_endpoint_may_be_any_of_the_nodes(job, owner):
    job.endpoint = f"{job.hosts[owner].address}:29400"
    job.start_all()
    finish(job, job.stage.wait_for_world(3))


def test_workers_are_given_addresses_that_the_other_hosts_can_reach(job):
    job.start_all()
    world = job.stage.wait_for_world(3)
    assert {worker.environment["MASTER_ADDR"] for worker in world} == {next(h for h in job.hosts if h.name == world[0].host).address}
    assert len({worker.environment["MASTER_PORT"] for worker in world}) == 1
    finish(job, world)


def test_a_job_may_be_all_ipv6(job):
    job.endpoint = f"[{job.hosts[1].address6}]:29400"
    job.start_all()
    world = job.stage.wait_for_world(3)
    assert world[0].environment["MASTER_ADDR"] in {host.address6 for host in job.hosts}
    finish(job, world)


def test_ranks_are_consecutive_within_a_node_and_complete_over_the_job(job):
    for number in range(3):
        job.start(number, workers=number + 1)
    world = job.stage.wait_for_world(6)
    assert len({(worker.host, worker.group_rank) for worker in world}) == 3
    for worker in world:
        assert worker.rank - int(worker.environment["LOCAL_RANK"]) == min(other.rank for other in world if other.host == worker.host)
        assert worker.environment["GROUP_WORLD_SIZE"] == "3"
    finish(job, world)


def test_an_elastic_job_starts_with_those_that_came_before_the_last_call(job):
    job.start(0, "1:3")
    job.start(1, "1:3")
    finish(job, job.stage.wait_for_world(2))


def test_a_slow_node_is_waited_for_during_the_last_call(job):
    for number in (0, 1):
        job.start(number, "2:3", conf="last_call_timeout=15")
    job.start(2, "2:3", conf="last_call_timeout=15")
    world = job.stage.wait_for_world(3, 12)
    assert len(job.stage.history) == 3, "the maximum ends the last call"
    finish(job, world)


def test_a_late_node_makes_all_restart_at_the_new_size_without_costing_a_restart(job):
    job.start(0, "2:3")
    job.start(1, "2:3")
    before = job.stage.wait_for_world(2)
    job.start(2, "2:3")
    after = job.stage.wait_for_world(3, after=before)
    assert all(worker.restarts == 0 for worker in after)
    for agent in job.agents[:2]:
        agent.wait_for_line("waiting 1 s before the next round", 1)  # a first change, and a short one
    finish(job, after)


def test_a_node_that_comes_when_another_is_done_does_not_end_the_work_of_the_rest(job):
    job.start(0, "2:3")
    job.start(1, "2:3")
    world = job.stage.wait_for_world(2)
    world[0].succeed()
    job.wait_until_done(1)
    late = job.start(2, "2:3")
    came = max(job.wait_for_state("a node that waits", lambda state: state["wait_list"])["last_heartbeats"].values())
    address = next(host.address for host in job.hosts if host.name == world[1].host)
    job.wait_for_state("heartbeats of the rest", lambda state: state["last_heartbeats"][address] > came + 3)
    assert job.stage.alive() == world[1:]
    world[1].succeed()
    assert job.wait() == [0, 0, 1]
    late.wait_for_line("error: .*the job has ended", 1)


@pytest.mark.parametrize("host", [0, 1])
def test_a_node_too_many_stands_by_and_ends_well_with_the_job(job, host):
    job.endpoint = f"{job.hosts[host].address}:29400"
    job.start(0, "2")
    job.start(1, "2")
    world = job.stage.wait_for_world(2)
    job.start(2, "2")
    job.wait_for_state("a node on the redundancy list", lambda state: state["redundancy_list"])
    assert job.stage.alive() == world
    finish(job, world)
    assert len(job.stage.history) == 2


def test_a_node_that_stands_by_reports_why_the_job_has_failed(job):
    job.start(0, "2")
    job.start(1, "2")
    world = job.stage.wait_for_world(2)
    spare = job.start(2, "2")
    job.wait_for_state("a node on the redundancy list", lambda state: state["redundancy_list"])
    world[1].fail(5, "no more paper")
    assert job.wait() == [1, 1, 1]
    spare.wait_for_line(r"Root cause: rank 1 .*, exit code 5", 1)
    spare.wait_for_line(r"\| no more paper$", 1)


def test_a_node_that_stands_by_takes_the_place_of_one_that_leaves(job):
    job.start(0, "1:2")
    leaving = job.start(1, "1:2")
    before = job.stage.wait_for_world(2)
    job.start(2, "1:2")
    job.wait_for_state("a node on the redundancy list", lambda state: state["redundancy_list"])
    leaving.kill()
    after = job.stage.wait_for_world(2, after=before)
    assert {worker.host for worker in after} == {"node0", "node2"}
    for worker in after:
        worker.succeed()
    assert job.wait() == [0, -9, 0]


def test_a_worker_that_fails_beside_a_spare_node_costs_one_restart_and_nobody_a_place(job):
    job.endpoint = f"{job.hosts[1].address}:29400"
    agents = [job.start(number, "2", "--max-restarts", "3") for number in (1, 2)]
    before = job.stage.wait_for_world(2)
    spare = job.start(0, "2", "--max-restarts", "3")  # the first of all by its address: torchrun's would push one of the others out
    job.wait_for_state("a node on the redundancy list", lambda state: state["redundancy_list"])
    for _ in range(2):
        before[1].fail(7, "once more")
        after = job.stage.wait_for_world(2, after=before)
        assert [worker.host for worker in after] == ["node1", "node2"]
        before = after
    assert len(job.stage.history) == 6
    for agent in agents:
        assert "before the next round" not in agent.output, "the restart was paid for"
    finish(job, before)
    spare.wait_for_line("without need of this spare node", 1)


def test_of_two_spare_nodes_one_takes_the_place_of_a_participant_that_is_killed(job):
    agents = [job.start(0, "2"), job.start(1, "2")]
    before = job.stage.wait_for_world(2)
    spares = [job.start(2, "2"), job.start(2, "2")]
    job.wait_for_state("two nodes on the redundancy list", lambda state: len(state["redundancy_list"]) == 2)
    agents[1].kill()
    after = job.stage.wait_for_world(2, after=before)
    assert [worker.host for worker in after] == ["node0", "node2"]
    job.wait_for_state("one of them", lambda state: len(state["redundancy_list"]) == 1 and not state["wait_list"])
    for worker in after:
        worker.succeed()
    assert job.wait() == [0, -9, 0, 0]
    assert len(job.stage.history) == 4
    assert sum("without need of this spare node" in spare.output for spare in spares) == 1


def test_too_few_nodes_is_an_error_that_says_how_many_were_needed(job):
    agent = job.start(0, "3", conf="join_timeout=2")
    assert agent.wait(15)
    assert not job.stage.history
    agent.wait_for_line("of at least 3 nodes", 1)


def test_when_no_node_owns_the_endpoint_each_says_so_and_names_its_addresses(job):
    job.endpoint = "10.77.0.99:29400"
    agents = job.start_all(conf="read_timeout=4,join_timeout=4")
    assert all(job.wait(15))
    for agent in agents:
        agent.wait_for_line(r"10\.77\.0\.99")
        agent.wait_for_line(agent.host.address.replace(".", r"\."))


def test_a_name_that_nobody_can_resolve_is_named_in_the_error(job):
    job.endpoint = "no-such-node:29400"
    agent = job.start(0, conf="read_timeout=4")
    assert agent.wait(15)
    agent.wait_for_line("no-such-node")

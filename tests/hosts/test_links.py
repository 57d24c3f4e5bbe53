"""Links that are cut, hosts that are gone, and jobs whose nodes were started differently."""

import time


def end(job):
    for worker in job.stage.alive():
        worker.succeed()


def wait_for_a_world_of_two(job, without):
    """Two workers that know of each other only; those on the host `without` may still live."""

    def there():
        return [worker.rank for worker in job.stage.alive() if worker.world_size == 2 and worker.host != without] == [0, 1]

    job.stage.wait(f"a world of two without {without}", there)


def test_a_link_that_is_cut_for_less_than_the_keep_alive_disturbs_nobody(job):
    job.start_all("2:3", conf="keep_alive_interval=1,keep_alive_max_attempt=12")
    world = job.stage.wait_for_world(3)
    job.hosts[1].cut()
    cut = time.time()

    def heartbeat_of(number, after):
        address = job.hosts[number].address
        return lambda state: state["last_heartbeats"].get(address, 0) > cut + after

    # The others' heartbeats are the clock: the link is cut for as long as it takes for two of them.
    job.wait_for_state("two heartbeats of another node", heartbeat_of(2, 2))
    job.hosts[1].heal()
    job.wait_for_state("a heartbeat through the healed link", heartbeat_of(1, 2))
    assert job.stage.alive() == world and len(job.stage.history) == 3
    end(job)
    assert job.wait() == [0, 0, 0]


def test_a_host_whose_link_stays_cut_is_dropped_and_ends_with_one_error(job):
    agents = job.start_all("2:3", conf="read_timeout=3,join_timeout=6")
    job.stage.wait_for_world(3)
    job.hosts[2].cut()
    wait_for_a_world_of_two(job, "node2")
    assert agents[2].wait(40) == 1
    agents[2].wait_for_line("error: .*" + job.endpoint.replace(".", r"\."), 1)
    end(job)
    assert job.wait()[:2] == [0, 0]


def test_a_host_whose_link_is_healed_after_it_was_dropped_comes_back(job):
    job.start_all("2:3")
    job.stage.wait_for_world(3)
    job.hosts[2].cut()
    wait_for_a_world_of_two(job, "node2")
    smaller = list(job.stage.history)
    job.hosts[2].heal()
    job.stage.wait_for_world(3, after=smaller)
    end(job)
    assert job.wait() == [0, 0, 0]


def test_a_job_of_fixed_size_ends_with_one_error_each_when_a_link_stays_cut(job):
    agents = job.start_all("3", conf="read_timeout=3,join_timeout=6")
    job.stage.wait_for_world(3)
    job.hosts[1].cut()
    assert job.wait(60) == [1, 1, 1]
    for agent in agents:
        errors = [line for line in agent.lines if "mdl-launch: error:" in line]
        assert len(errors) == 1, agent.output
    assert not job.stage.alive()


def test_when_the_link_of_the_stores_host_stays_cut_all_end_and_name_the_endpoint(job):
    agents = job.start_all("3", conf="read_timeout=3,join_timeout=6")
    job.stage.wait_for_world(3)
    job.hosts[0].cut()
    assert job.wait(60) == [1, 1, 1]
    for agent in agents[1:]:
        agent.wait_for_line("error: .*" + job.endpoint.replace(".", r"\."), 1)


def test_when_the_host_of_the_store_does_not_come_back_the_others_end_with_one_error(job):
    agents = job.start_all("2:3", conf="read_timeout=3,join_timeout=6")
    job.stage.wait_for_world(3)
    agents[0].kill()
    assert job.wait(60) == [-9, 1, 1]
    for agent in agents[1:]:
        agent.wait_for_line("error: .*" + job.endpoint.replace(".", r"\."), 1)
    assert not job.stage.alive()


def test_a_dead_host_of_an_agent_is_noticed_at_once_and_not_only_after_its_heartbeats_have_ended(job):
    agents = job.start_all("2:3", conf="keep_alive_interval=60,keep_alive_max_attempt=10")
    before = job.stage.wait_for_world(3)
    agents[2].kill()
    job.stage.wait_for_world(2, after=before, seconds=20)
    end(job)
    assert job.wait()[:2] == [0, 0]


def test_nodes_that_disagree_on_the_number_of_nodes_are_told(job):
    first = job.start(0, "3", conf="join_timeout=8")
    job.wait_for_state("the first node", lambda state: state["participants"])
    odd = job.start(1, "2", conf="join_timeout=8")
    assert odd.wait(20) in (1, 2)
    odd.wait_for_line("--nnodes", 1)
    first.signal(15)
    job.wait()
    assert not job.stage.history


def test_another_job_at_the_same_endpoint_is_told_apart_from_an_unreachable_host(job):
    first = job.start(0, "2", conf="join_timeout=4")
    other = job.start(1, "2", conf="join_timeout=4", id="another")
    assert [agent.wait(20) for agent in (first, other)] == [1, 1]
    for agent, own, others in [(first, "job", "another"), (other, "another", "job")]:
        agent.wait_for_line(f'"{own}"', 1)
        agent.wait_for_line(f"--rdzv-id.*{others}|{others}.*--rdzv-id", 1)
    unreachable = job.start(2, "2", endpoint="10.77.0.99:29400", conf="read_timeout=2")
    assert unreachable.wait(20)
    unreachable.wait_for_line("10.77.0.99", 1)
    assert "--rdzv-id" not in unreachable.output


def test_when_the_host_of_the_store_hangs_and_wakes_again_the_job_goes_on(job):
    agents = job.start_all("3", conf="heartbeat_timeout=1")
    before = job.stage.wait_for_world(3)
    agents[0].stop()
    for agent in agents[1:]:
        agent.wait_for_line("nodes of the job have changed")
    agents[0].resume()
    job.stage.wait_for_world(3, after=before)
    end(job)
    assert job.wait() == [0, 0, 0]

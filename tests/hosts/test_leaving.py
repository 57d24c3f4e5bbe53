"""What happens when a worker, an agent or a host fails."""

import re
import signal
import time

import pytest


def end(world):
    for worker in world:
        worker.succeed()


@pytest.mark.parametrize("store", [0, 1, 2])
def test_the_failure_of_one_worker_ends_the_job_on_all_nodes(job, store):
    job.endpoint = f"{job.hosts[store].address}:29400"
    agents = job.start_all()
    job.stage.wait_for_world(3)[1].fail(3, "the disk is full")
    assert job.wait(30) == [1, 1, 1]
    for agent in agents:
        agent.wait_for_line(r"Root cause: rank 1 .*on node1, exit code 3", 1)
        agent.wait_for_line(r"\| the disk is full$", 1)


def test_a_killed_worker_is_named_with_its_signal_on_all_nodes(job):
    agents = job.start_all()
    job.stage.wait_for_world(3)[2].kill()
    assert job.wait(30) == [1, 1, 1]
    for agent in agents:
        agent.wait_for_line(r"Root cause: rank 2 .*on node2, signal SIGKILL", 1)


def test_a_node_that_is_done_hears_why_the_others_have_failed(job):
    agents = job.start_all()
    world = job.stage.wait_for_world(3)
    world[0].succeed()
    job.wait_until_done(1)
    world[2].fail(4, "too late")
    assert job.wait(30) == [0, 1, 1], "as torchrun's, a node that has done its part ends well"
    for agent in agents:
        agent.wait_for_line(r"\| too late$", 1)


@pytest.mark.parametrize("way", ["fails", "is killed"])
def test_with_restarts_left_all_workers_start_again_when_one(job, way):
    job.start_all("3", "--max-restarts", "1")
    before = job.stage.wait_for_world(3)
    before[1].kill() if way == "is killed" else before[1].fail(3, "no luck")
    after = job.stage.wait_for_world(3, after=before)
    end(after)
    assert job.wait() == [0, 0, 0]


def test_of_the_rounds_that_are_over_only_the_last_is_in_the_store(job):
    agents = job.start_all("3", "--max-restarts", "9")
    world = job.stage.wait_for_world(3)
    for _ in range(4):
        world[1].fail(1, "again")
        world = job.stage.wait_for_world(3, after=world)
    assert not any("before the next round" in agent.output for agent in agents), "each restart was paid for"
    keys = job.store()
    for round in (3, 4):
        assert f"torch.rendezvous.job.{round}/MASTER_ADDR" in keys and f"torch.rendezvous.job.{round}/torchelastic/assigned_ranks/2" in keys
    assert not [key for key in keys if re.search(r"job(\.|/round/)[012]/", key)]
    end(world)
    assert job.wait() == [0, 0, 0], [agent.output for agent in agents]


def test_when_an_agent_is_killed_the_rest_goes_on_smaller(job):
    agents = job.start_all("2:3")
    before = job.stage.wait_for_world(3)
    agents[1].kill()
    job.stage.wait_for_end([worker for worker in before if worker.host == "node1"], 2)
    after = job.stage.wait_for_world(2, after=before)
    assert {worker.host for worker in after} == {"node0", "node2"}
    end(after)
    assert job.wait() == [0, -9, 0]


def test_an_agent_that_is_killed_and_started_again_rejoins_a_job_of_fixed_size(job):
    agents = job.start_all()
    before = job.stage.wait_for_world(3)
    agents[2].kill()
    agents[2].wait()
    job.start(2)
    after = job.stage.wait_for_world(3, after=before)
    end(after)
    assert job.wait() == [0, 0, -9, 0]


def test_sigterm_to_one_agent_takes_out_that_node_only(job):
    agents = job.start_all("2:3")
    before = job.stage.wait_for_world(3)
    agents[2].signal(signal.SIGTERM)
    assert agents[2].wait(10)
    after = job.stage.wait_for_world(2, after=before)
    assert {worker.host for worker in after} == {"node0", "node1"}
    end(after)
    assert job.wait()[:2] == [0, 0]


def test_a_host_that_hangs_is_dropped_and_comes_back_when_it_wakes(job):
    agents = job.start_all("2:3")
    job.stage.wait_for_world(3)
    agents[1].stop()
    job.stage.wait("a world of two", lambda: len([w for w in job.stage.alive() if w.world_size == 2]) == 2)
    agents[1].resume()
    after = job.stage.wait_for_world(3, after=list(job.stage.history))
    end(after)
    assert job.wait() == [0, 0, 0]


def test_when_the_host_of_the_store_is_killed_and_started_again_the_job_goes_on(job):
    agents = job.start_all()
    before = job.stage.wait_for_world(3)
    agents[0].kill()
    agents[0].wait()
    job.start(0)
    after = job.stage.wait_for_world(3, after=before)
    end(after)
    assert job.wait() == [-9, 0, 0, 0]


def test_nodes_that_are_done_wait_for_the_others(job):
    job.start_all()
    world = job.stage.wait_for_world(3)
    end(world[:2])
    job.stage.wait_for_end(world[:2])
    assert not any(agent.ended for agent in job.agents)
    end(world[2:])
    assert job.wait() == [0, 0, 0]


def test_a_node_that_is_done_stays_part_of_the_job_while_the_others_work(job):
    job.start_all()
    world = job.stage.wait_for_world(3)
    end(world[:1])
    job.stage.wait_for_end(world[:1])
    address = next(host.address for host in job.hosts if host.name == world[0].host)
    much_later = time.time() + 5  # than the keep-alive of 3 s
    job.wait_for_state("heartbeats of the node that is done", lambda state: state["last_heartbeats"].get(address, 0) > much_later)
    assert job.stage.alive() == world[1:]
    end(world[1:])
    assert job.wait() == [0, 0, 0]


def test_a_node_that_has_waited_long_enough_for_the_others_does_not_end_their_work(job):
    agents = job.start_all(environment={"TORCH_ELASTIC_EXIT_BARRIER_TIMEOUT": "1"})
    world = job.stage.wait_for_world(3)
    done = next(worker for worker in world if worker.host == "node2")
    done.succeed()
    assert agents[2].wait(15) == 0
    agents[2].wait_for_line("have not finished 1 s after this one", 1)
    rest = [worker for worker in world if worker is not done]
    job.wait_for_state("a closed rendezvous", lambda state: state["closed"])
    for agent in agents[:2]:
        agent.wait_for_line("other nodes are done and have ended; going on without them")
    assert job.stage.alive() == rest
    end(rest)
    assert job.wait() == [0, 0, 0]


def test_the_host_of_the_store_that_is_done_first_leaves_the_others_their_work(job):
    agents = job.start_all("3", "--max-restarts", "3", environment={"TORCH_ELASTIC_EXIT_BARRIER_TIMEOUT": "1"})
    world = job.stage.wait_for_world(3)
    end(worker for worker in world if worker.host == "node0")
    assert agents[0].wait(15) == 0
    for agent in agents[1:]:
        agent.wait_for_line("the node that hosts the rendezvous is done and has ended; going on without it")
    failing, rest = sorted((worker for worker in world if worker.host != "node0"), key=lambda worker: worker.host)
    assert job.stage.alive() == sorted([failing, rest], key=lambda worker: worker.rank)
    # Without a rendezvous nobody can start again, and nobody tries.
    failing.fail(3, "too late")
    assert agents[1].wait(15) == 1
    agents[1].wait_for_line("not restarting the workers: other nodes of the job are done and have ended", 1)
    agents[1].wait_for_line(r"Root cause: rank \d .*on node1, exit code 3", 1)
    assert "error:" not in agents[1].output and job.stage.alive() == [rest]
    rest.succeed()
    assert job.wait(15) == [0, 1, 0]
    assert len(job.stage.history) == 3


def test_a_worker_that_fails_while_another_node_is_done_is_one_error_and_no_further_round(job):
    """The one that is done takes part in no round, and at the end of its patience its store goes: nobody waits for that."""
    agents = job.start_all("1:3", "--max-restarts", "3")
    world = job.stage.wait_for_world(3)
    end(worker for worker in world if worker.host == "node0")
    job.wait_until_done(1)
    failing = next(worker for worker in world if worker.host == "node1")
    failing.fail(7, "no use")
    assert job.wait(30) == [0, 1, 1]
    agents[1].wait_for_line("not restarting the workers: other nodes of the job are done", 1)
    agents[0].wait_for_line(r"Root cause: rank \d .*on node1, exit code 7", 1)
    assert len(job.stage.history) == 3


def test_a_node_that_is_done_and_gets_a_signal_leaves_the_others_their_work(job):
    agents = job.start_all("3", "--max-restarts", "3")
    world = job.stage.wait_for_world(3)
    end(worker for worker in world if worker.host == "node0")
    job.wait_until_done(1)
    agents[0].signal(signal.SIGTERM)
    agents[0].wait_for_line("received SIGTERM: not waiting for the other nodes any longer")
    agents[0].wait(15)
    rest = [worker for worker in world if worker.host != "node0"]
    assert job.stage.alive() == sorted(rest, key=lambda worker: worker.rank)
    end(rest)
    assert job.wait(20)[1:] == [0, 0]
    assert len(job.stage.history) == 3


@pytest.mark.parametrize("first", [0, 1])
def test_nodes_that_get_a_signal_do_not_wait_for_each_other(job, first):
    """As when a scheduler ends all of a job in which the node with the store is done: the rest leaves, and signs that it does."""
    agents = job.start_all("3", environment={"LOGLEVEL": "INFO"})
    world = job.stage.wait_for_world(3)
    end(worker for worker in world if worker.host == "node0")
    job.wait_until_done(1)
    for number in (first, *({0, 1, 2} - {first})):
        agents[number].signal(signal.SIGTERM)
    job.wait(15)
    assert "have not taken notice" not in agents[0].output


@pytest.mark.parametrize("waits", [True, False])
def test_the_workers_store_outlives_the_host_of_the_rendezvous_for_those_who_use_it(job, waits):
    job.endpoint = f"{job.hosts[2].address}:29400"
    agents = [job.start(number, environment={"TORCH_ELASTIC_EXIT_BARRIER_TIMEOUT": "1" if number == 2 else "60"}) for number in range(3)]
    world = job.stage.wait_for_world(3)
    first, done = (next(worker for worker in world if worker.host == host) for host in ("node0", "node2"))
    assert first.environment["MASTER_ADDR"] == job.hosts[0].address and first.rank == 0
    rest = next(worker for worker in world if worker not in (first, done))
    rest.set_in_store("here")
    if waits:  # for the others, when the host goes
        end([first])
        job.wait_until_done(1)
    done.succeed()
    assert agents[2].wait(15) == 0
    agents[1].wait_for_line("going on without it")
    if not waits:
        agents[0].wait_for_line("going on without it")
        end([first])
        job.stage.wait_for_end([first])
    for _ in range(50):
        assert "here" in rest.keys_in_store()
    assert not agents[0].ended
    end([rest])
    assert job.wait(15) == [0, 0, 0]

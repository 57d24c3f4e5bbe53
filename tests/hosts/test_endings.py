"""How a job ends on all its nodes."""

import contextlib
import os
import shutil
import signal
import subprocess


@contextlib.contextmanager
def store_on(host, bin_dir):
    """A store that no agent hosts; yields (its process, its endpoint)."""
    process = subprocess.Popen(
        host.command([bin_dir / "store_server_probe", "any"]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process, f"{host.address}:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


def test_a_finished_job_closes_its_rendezvous(job, bin_dir):
    with store_on(job.hosts[2], bin_dir) as (_, job.endpoint):
        for number in (0, 1):
            job.start(number, "2")
        for worker in job.stage.wait_for_world(2):
            worker.succeed()
        assert job.wait() == [0, 0]
        job.wait_for_state("closed", lambda state: state["closed"])
        late = job.start(0, "2")
        assert late.wait(15)
        late.wait_for_line("the job has ended", 1)
        assert len(job.stage.history) == 2


def test_a_failed_job_closes_its_rendezvous_too(job, bin_dir):
    with store_on(job.hosts[2], bin_dir) as (_, job.endpoint):
        for number in (0, 1):
            job.start(number, "2")
        job.stage.wait_for_world(2)[0].fail(1, "no luck")
        assert all(job.wait())
        job.wait_for_state("closed", lambda state: state["closed"])


def test_an_agent_that_is_ended_by_a_signal_leaves_the_rendezvous_open(job, bin_dir):
    with store_on(job.hosts[2], bin_dir) as (_, job.endpoint):
        for number in (0, 1):
            job.start(number, "1:2")
        before = job.stage.wait_for_world(2)
        job.agents[1].signal(signal.SIGTERM)
        after = job.stage.wait_for_world(1, after=before)
        job.wait_for_state("one node", lambda state: len(state["participants"]) == 1 and not state["closed"])
        after[0].succeed()
        assert job.wait()[0] == 0


def test_a_node_that_is_done_ends_well_when_the_store_is_lost_while_it_waits_for_the_others(job):
    for number in (0, 1):
        job.start(number, "2", conf="read_timeout=4")
    world = job.stage.wait_for_world(2)
    done = next(worker for worker in world if worker.host == "node1")
    done.succeed()
    job.wait_until_done(1)
    job.agents[0].kill()
    assert job.wait() == [-9, 0]


def test_when_the_store_is_gone_at_the_end_the_workers_failure_is_still_what_is_reported(job, bin_dir):
    with store_on(job.hosts[2], bin_dir) as (store, job.endpoint):
        for number in (0, 1):
            job.start(number, "2", conf="close_timeout=2,read_timeout=4")
        world = job.stage.wait_for_world(2)
        # A store that hangs: it neither answers nor closes its connections.
        for pid in job.hosts[2].processes():
            os.kill(pid, signal.SIGSTOP)
        world[0].fail(3, "the disk is full")
        failed = next(agent for agent in job.agents if agent.host.name == world[0].host)
        assert failed.wait(30) == 1
        failed.wait_for_line("the disk is full", 1)
        store.kill()
        for pid in job.hosts[2].processes():
            os.kill(pid, signal.SIGKILL)
        job.wait(60)


def test_nobody_waits_at_the_end_for_a_node_whose_worker_has_failed(job):
    job.start_all()
    world = job.stage.wait_for_world(3)
    world[0].succeed()
    job.wait_until_done(1)
    world[1].fail(1, "no luck")
    assert job.agents[int(world[1].host[4:])].wait(15) == 1
    job.wait(15)


def test_an_error_of_an_agent_itself_ends_the_job_on_all_nodes(job, tmp_path):
    logs = tmp_path / "logs"
    job.start(0, "3", "--max-restarts", "1")
    job.start(1, "3", "--max-restarts", "1", "--log-dir", logs, "--redirects", "3")
    job.start(2, "3", "--max-restarts", "1")
    world = job.stage.wait_for_world(3)
    # The folder for the logs of the next attempt cannot be made.
    (run,) = logs.iterdir()
    shutil.rmtree(run)
    run.write_text("in the way")
    next(worker for worker in world if worker.host == "node1").fail(1, "once")
    assert all(job.wait(15))
    for agent in job.agents:
        agent.wait_for_line("attempt_1", 1)
    job.agents[0].wait_for_line("Root cause: rank 1 .*on node1, could not be started", 1)
    assert len(job.stage.history) <= 3 + 2


def test_an_error_in_one_nodes_command_line_is_the_exit_code_of_all(job):
    devices = {"CUDA_VISIBLE_DEVICES": "0"}
    job.start(0, "2")
    # Found when the workers are to start: there is no device for the second one.
    job.start(1, "2", "--virtual-local-rank", workers=2, environment=devices)
    assert job.wait(15) == [2, 2]
    job.agents[0].wait_for_line("Root cause: rank [12] .*on node1, could not be started", 1)
    job.agents[0].wait_for_line("no device for local rank 1", 1)

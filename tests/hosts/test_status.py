"""mdl-launch status: who is in a rendezvous, asked from any host."""

import json
import subprocess

import pytest

from launchers import LAUNCHERS


def status(job, *options, host=2, endpoint=None, id=None):
    command = [LAUNCHERS["mdl-launch"], "status", "--rdzv-endpoint", endpoint or job.endpoint, *(["--rdzv-id", id] if id else []), *options]
    return subprocess.run(job.hosts[host].command(command), capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("launcher", ["mdl-launch", "torchrun"])
def test_status_shows_nodes_ranks_and_round_of_a_job(job, launcher):
    for number in (0, 1):
        job.start(number, "2", launcher=launcher, workers=2)
    world = job.stage.wait_for_world(4)
    shown = status(job, id=job.id)
    assert shown.returncode == 0, shown.stderr
    assert "round 0 complete" in shown.stdout
    told = json.loads(status(job, "--json", id=job.id).stdout)
    by_host = {host.address: {w.group_rank for w in world if w.host == host.name} for host in job.hosts[:2]}
    assert {node["addr"]: {node["rank"]} for node in told["nodes"]} == by_host
    for node in told["nodes"]:
        assert node["workers"] == 2 and node["role"] == "default" and 0 <= node["heartbeat_age_s"] < 10
        assert node["addr"] in shown.stdout and str(node["pid"]) in shown.stdout
    assert (told["master_addr"], str(told["master_port"])) == (world[0].environment["MASTER_ADDR"], world[0].environment["MASTER_PORT"])
    assert (told["complete"], told["closed"], told["wait_list"], told["redundancy_list"]) == (True, False, [], [])
    assert job.hosts[2].address not in shown.stdout
    for worker in world:
        worker.succeed()
    assert job.wait() == [0, 0]


def test_status_shows_who_waits_and_who_stands_by(job):
    waiting = job.start(0, "2")
    job.wait_for_state("one node", lambda state: state["participants"])
    # Without an id: the one job that is there.
    assert "waits for more nodes" in status(job).stdout
    job.start(1, "2")
    world = job.stage.wait_for_world(2)
    job.start(2, "2")
    job.wait_for_state("a node on the redundancy list", lambda state: state["redundancy_list"])
    told = json.loads(status(job, "--json").stdout)
    assert [node["addr"] for node in told["redundancy_list"]] == [job.hosts[2].address]
    for worker in world:
        worker.succeed()
    job.wait()
    assert waiting.process.returncode == 0


def ask(job, host, *words):
    command = [LAUNCHERS["mdl-launch"], "status", *words]
    return subprocess.run(job.hosts[host].command(command), capture_output=True, text=True, timeout=30)


def test_without_a_place_it_is_the_job_of_this_machine_or_a_list_of_them(job):
    none = ask(job, 0)
    assert none.returncode == 1 and "no job of yours runs on this machine" in none.stderr and "--rdzv-endpoint" in none.stderr
    job.start(0, "1", "--standalone", backend=None, workers=2)
    alone = job.stage.wait_for_world(2)
    shown = ask(job, 0)
    assert (shown.returncode, shown.stderr) == (0, "") and ": round 0 complete; 1 node, 2 ranks\n" in shown.stdout
    told = json.loads(ask(job, 0, "--json").stdout)
    assert told["job"] == alone[0].environment["TORCHELASTIC_RUN_ID"] and told["nodes"][0]["workers"] == 2
    assert (told["nodes"][0]["pid"], told["nodes"][0]["heartbeat_age_s"]) == (None, None)
    # Its store asks for a secret, which is told to this user here.
    at_endpoint = ask(job, 0, "--rdzv-endpoint", told["endpoint"])
    assert at_endpoint.returncode == 0 and f'Job "{told["job"]}" at {told["endpoint"]}' in at_endpoint.stdout
    assert ask(job, 1).returncode == 1
    for worker in alone:
        worker.succeed()
    job.wait()
    assert ask(job, 0).returncode == 1
    for number in (0, 1):
        job.start(number, "2")
    job.stage.wait_for_world(2, after=alone)
    for number in (0, 1):  # each node of a job finds it, whoever hosts its store
        assert f'Job "{job.id}" at ' in ask(job, number).stdout
    job.start(0, "1", "--standalone", backend=None)
    job.stage.wait("a worker of its own", lambda: len(job.stage.alive()) == 3)
    listed = ask(job, 0)
    assert listed.returncode == 0 and listed.stdout.startswith("2 jobs of yours run on this machine:\n")
    jobs = json.loads(ask(job, 0, "--json").stdout)["jobs"]
    assert len(jobs) == 2 and all(f"--rdzv-id {each['job']} " in listed.stdout and each["endpoint"] in listed.stdout for each in jobs)
    assert ask(job, 0, "--watch").returncode == 2
    assert f'Job "{job.id}" at ' in ask(job, 0, "--rdzv-id", job.id).stdout
    for worker in job.stage.alive():
        worker.succeed()
    job.wait()


def test_status_of_an_unknown_job_and_of_an_unreachable_host_are_different_errors(job):
    job.start(0, "2")
    job.wait_for_state("one node", lambda state: state["participants"])
    unknown = status(job, id="no-such-job")
    assert unknown.returncode == 1 and 'no job "no-such-job"' in unknown.stderr and '--rdzv-id "job"' in unknown.stderr
    nowhere = status(job, "--timeout", "1", endpoint="10.77.0.99:29400", id=job.id)
    assert nowhere.returncode == 1 and "cannot reach the store at 10.77.0.99:29400" in nowhere.stderr
    job.agents[0].signal(15)
    job.wait()


@pytest.mark.parametrize(
    "words",
    [
        ["--rdzv-endpoint"],
        ["--master-port", "0"],
        ["--master-addr", "h", "--master-port", "x"],
        ["--rdzv-backend", "etcd"],
        ["--rdzv-endpoint", "h:1", "--timeout", "soon"],
        ["--rdzv-endpoint", "h:1", "--jsn"],
        ["--rdzv-endpoint", "h:1", "extra"],
        ["--rdzv-endpoint", "h:1e9"],
    ],
)
def test_a_wrong_command_line_of_status_is_an_error(words):
    done = subprocess.run([LAUNCHERS["mdl-launch"], "status", *words], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and done.stderr.startswith("mdl-launch: error: ")


def test_the_help_names_every_command():
    shown = subprocess.run([LAUNCHERS["mdl-launch"], "--help"], capture_output=True, text=True, timeout=30).stdout
    for command in ("launch", "config", "env", "doctor", "status"):
        assert f"\n  {command}  " in shown
        assert subprocess.run([LAUNCHERS["mdl-launch"], command, "--help"], capture_output=True, timeout=30).returncode == 0

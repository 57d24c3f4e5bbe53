"""Nodes of a static job are told their ranks and the master's address."""


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

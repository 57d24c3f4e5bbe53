"""Options and --rdzv-conf keys whose effect only shows between hosts."""


def finish(job, world):
    for worker in world:
        worker.succeed()
    assert job.wait() == [0] * len(job.agents)


def test_the_state_lies_where_torchs_agents_look_for_it(job):
    job.start_all()
    world = job.stage.wait_for_world(3)
    state = job.wait_for_state("a complete round", lambda state: state["complete"])
    assert state["participants"] == {job.hosts[int(worker.host[4:])].address: worker.rank for worker in world}
    assert (state["round"], state["closed"], state["wait_list"], state["redundancy_list"]) == (0, False, [], [])
    seen = job.store(1)
    prefix = f"torch.rendezvous.{job.id}"
    assert seen[f"{prefix}.0/MASTER_ADDR"] == world[0].environment["MASTER_ADDR"]
    assert seen[f"{prefix}.0/MASTER_PORT"] == world[0].environment["MASTER_PORT"]
    assert prefix in seen
    for node in range(3):
        assert {f"{prefix}.0/torchelastic/role_info/{node}", f"{prefix}.0/torchelastic/assigned_ranks/{node}"} <= set(seen)
    finish(job, world)


def test_each_round_has_a_number_and_a_place_of_its_own(job):
    job.start_all("3", "--max-restarts", "1")
    before = job.stage.wait_for_world(3)
    before[0].fail(1, "once")
    after = job.stage.wait_for_world(3, after=before)
    state = job.wait_for_state("the second round", lambda state: state["complete"] and state["round"] == 1)
    assert len(state["participants"]) == 3
    seen = job.store(2)
    assert {f"torch.rendezvous.{job.id}.{number}/torchelastic/assigned_ranks/0" for number in (0, 1)} <= set(seen)
    finish(job, after)


def test_the_local_addr_of_the_first_node_becomes_the_masters(job):
    for number, host in enumerate(job.hosts):
        job.start(number, "3", "--local-addr", host.address6)
    world = job.stage.wait_for_world(3)
    first = next(host for host in job.hosts if host.name == world[0].host)
    assert {worker.environment["MASTER_ADDR"] for worker in world} == {first.address6}
    assert set(job.wait_for_state("the nodes", lambda state: state["complete"])["participants"]) == {host.address6 for host in job.hosts}
    finish(job, world)


def test_each_role_counts_its_own_ranks_over_the_nodes(job):
    for number, (role, workers) in enumerate([("actor", 2), ("learner", 1), ("actor", 1)]):
        job.start(number, "3", "--role", role, workers=workers)
    world = job.stage.wait_for_world(4)
    seen = {}
    for worker in world:
        variables = worker.environment
        assert variables["ROLE_NAME"] == ("learner" if worker.host == "node1" else "actor")
        seen.setdefault((variables["ROLE_NAME"], int(variables["ROLE_WORLD_SIZE"])), []).append(int(variables["ROLE_RANK"]))
    assert seen == {("actor", 3): [0, 1, 2], ("learner", 1): [0]}
    finish(job, world)


def test_without_a_port_the_endpoints_is_29400(job):
    job.endpoint = job.hosts[1].address
    job.start_all()
    world = job.stage.wait_for_world(3)
    assert 29400 in job.hosts[1].ports()
    finish(job, world)


def test_a_node_that_is_told_not_to_host_only_connects(job):
    told = job.start(0, conf="is_host=0,read_timeout=2")
    assert told.wait(15)
    told.wait_for_line("refused", 1)
    assert not job.stage.history
    job.start(0, conf="is_host=false")
    job.start(0)  # the second agent here hosts
    job.start(1)
    world = job.stage.wait_for_world(3)
    for worker in world:
        worker.succeed()
    assert [agent.wait() for agent in job.agents[1:]] == [0, 0, 0]


def test_two_agents_on_the_host_of_the_endpoint_are_two_nodes_and_one_hosts(job):
    for number in (0, 0, 1):
        job.start(number)
    world = job.stage.wait_for_world(3)
    assert sorted(worker.host for worker in world) == ["node0", "node0", "node1"]
    finish(job, world)


def test_two_jobs_of_different_ids_share_an_endpoint(job):
    for id in ("one", "two"):
        for number in (0, 1):
            job.start(number, "2", id=id)
    job.stage.wait("two worlds of two", lambda: sorted(worker.rank for worker in job.stage.alive()) == [0, 0, 1, 1])
    worlds = job.stage.alive()
    assert sorted(worker.environment["TORCHELASTIC_RUN_ID"] for worker in worlds) == ["one", "one", "two", "two"]
    finish(job, worlds)


def test_without_the_agents_store_the_first_worker_brings_its_own(job):
    job.start_all(environment={"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"})
    world = job.stage.wait_for_world(3)
    for worker in world:
        assert worker.environment["TORCHELASTIC_USE_AGENT_STORE"] == "False"
        assert worker.environment["MASTER_ADDR"] == next(host.address for host in job.hosts if host.name == world[0].host)
        # Free for the first worker to listen on.
        assert int(worker.environment["MASTER_PORT"]) not in {port for host in job.hosts for port in host.ports()}
    assert len({worker.environment["MASTER_PORT"] for worker in world}) == 1
    finish(job, world)


def test_a_static_job_may_be_at_an_ipv6_address(job):
    for number in range(3):
        job.start(number, "3", "--node-rank", number, "--rdzv-endpoint", f"[{job.hosts[0].address6}]:29500", backend="static")
    world = job.stage.wait_for_world(3)
    assert {(w.environment["MASTER_ADDR"], w.environment["MASTER_PORT"]) for w in world} == {(job.hosts[0].address6, "29500")}
    finish(job, world)

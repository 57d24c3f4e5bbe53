"""A hang where the host of the job's store is done and has gone: each node that goes on watches its own workers."""

import sys

import pytest

from launching import environment, free_port, running, wait_until

WORKER = """
import json, os, socket, sys, time
if os.environ["NODE"] == "0":
    sys.exit()
to_launcher = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for step in range(1, 4):
    to_launcher.sendto(json.dumps({"step": step, "total": 100}).encode(), os.environ["MDL_PROGRESS"])
    time.sleep(0.02)
time.sleep(1000)
"""


@pytest.mark.parametrize("backend", ["c10d", "static"])
def test_a_node_that_goes_on_without_the_stores_host_ends_its_own_hang(tmp_path, backend):
    (tmp_path / "worker.py").write_text(WORKER)
    port = free_port()
    env = environment(TORCH_ELASTIC_EXIT_BARRIER_TIMEOUT=1, OMP_NUM_THREADS=1)
    script = ["--hang-timeout", 2, "--log-dir", tmp_path / "logs", "--no-python", sys.executable, "-S", tmp_path / "worker.py"]

    def agent(node):
        meeting = ["--rdzv-backend", backend, "--rdzv-endpoint", f"localhost:{port}", "--rdzv-id", "j"]
        if backend == "static":
            meeting = ["--node-rank", node, "--master-addr", "localhost", "--master-port", port]
        else:
            meeting += ["--rdzv-conf", f"is_host={1 - node}"]
        log = tmp_path / f"node{node}"
        return running("--nnodes", 2, *meeting, *script, env={**env, "NODE": str(node)}, stderr=log.open("w")), log

    (first, _), (second, log) = agent(0), agent(1)
    with first as host, second as other:
        assert host.wait(60) == 0
        assert other.wait(60) == 1
    said = log.read_text()
    assert said.count("this node looks for hangs and slow ranks among its own workers alone") == 1, said
    assert "hang: no step for " in said and "of 1 node there is no data" in said
    assert wait_until(lambda: list((tmp_path / "logs").glob("*/hang_1.txt")))

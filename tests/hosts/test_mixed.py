"""Agents of the real torchrun and of mdl-launch in one job."""

import sys
from pathlib import Path

import pytest

SUM = [sys.executable, Path(__file__).with_name("sum_of_ranks.py")]
TWO_TO_ONE = [("torchrun", "torchrun", "mdl-launch"), ("mdl-launch", "mdl-launch", "torchrun"), ("mdl-launch", "torchrun", "torchrun")]


@pytest.mark.parametrize("launchers", TWO_TO_ONE)
def test_a_gloo_sum_over_all_ranks_of_a_mixed_job(job, launchers):
    agents = [job.start(number, launcher=launcher, workers=1, program=SUM, environment={"GLOO_SOCKET_IFNAME": "eth0"})
              for number, launcher in enumerate(launchers)]
    assert job.wait(60) == [0, 0, 0], [agent.output for agent in agents]
    said = "\n".join(agent.output for agent in agents)
    for rank in range(3):
        assert f"rank {rank} of 3 on" in said and "sum 3" in said

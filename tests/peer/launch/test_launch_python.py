"""Python scripts with the real torch run under mdl-launch unchanged, also across restarts."""

import json
import re
import textwrap
from pathlib import Path

import pytest

from launching import MDL_LAUNCH, TORCHRUN, environment, launch

# One write a line: two processes share one pipe, and print() writes each word by itself where Python is unbuffered.
SAY = """
def say(*words):
    import os
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
"""

DDP = """
import os
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

dist.init_process_group("gloo")
assert dist.is_torchelastic_launched()
torch.manual_seed(0)
model = DistributedDataParallel(torch.nn.Linear(4, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
torch.manual_seed(1 + dist.get_rank())
for step in range(5):
    optimizer.zero_grad()
    loss = model(torch.randn(8, 4)).square().mean()
    loss.backward()
    optimizer.step()
total = torch.tensor([sum(p.double().sum().item() for p in model.parameters())])
both = [torch.zeros_like(total) for _ in range(2)]
dist.all_gather(both, total)
group = dist.new_group([0, 1])
dist.barrier(group)
say("RESULT", dist.get_rank(), dist.get_world_size(), [value.item() for value in both])
dist.destroy_process_group()
"""

FAIL_ONCE = """
import os, sys
import torch, torch.distributed as dist
dist.init_process_group("gloo")
attempt = int(os.environ["TORCHELASTIC_RESTART_COUNT"])
value = torch.tensor([float(dist.get_rank() + 1)])
dist.all_reduce(value)
if attempt == 0:
    if dist.get_rank() == 1:
        sys.exit("told to fail once")
    dist.barrier()  # rank 0 is in the middle of a collective when the other one goes
say("RESULT", dist.get_rank(), attempt, value.item())
dist.destroy_process_group()
"""

STORE_USER = """
import torch.distributed as dist
dist.init_process_group("gloo", init_method="env://")
store = dist.distributed_c10d._get_default_store()
store.set(f"key{dist.get_rank()}", "value")
assert store.get(f"key{1 - dist.get_rank()}") == b"value"
dist.barrier()
say("RESULT", store.add("count", 1) > 0)
"""


@pytest.fixture
def script(tmp_path):
    def write(text, name="train.py"):
        (tmp_path / name).write_text(SAY + textwrap.dedent(text))
        return tmp_path / name

    return write


def results(done):
    assert done.returncode == 0, done.stderr
    return sorted(line for line in done.stdout.splitlines() if line.startswith("RESULT"))


def test_a_ddp_script_gives_the_same_numbers_as_under_torchrun(script):
    path = script(DDP)
    options = ["--standalone", "--nproc-per-node", "2", path]
    ours = results(launch(*options))
    assert len(ours) == 2
    assert ours == results(launch(*options, launcher=TORCHRUN))


def test_a_gloo_job_that_fails_once_succeeds_after_a_restart(script):
    done = launch("--standalone", "--nproc-per-node", "2", "--max-restarts", "1", script(FAIL_ONCE))
    assert results(done) == ["RESULT 0 1 3.0", "RESULT 1 1 3.0"]
    assert "told to fail once" in done.stderr
    assert "restart 1 of 1" in done.stderr


def test_without_restarts_the_same_job_fails_and_the_report_names_the_culprit(script):
    done = launch("--standalone", "--nproc-per-node", "2", script(FAIL_ONCE))
    assert done.returncode == 1
    assert "Root cause: rank 1" in done.stderr
    assert "| told to fail once" in done.stderr


def test_workers_use_the_launchers_store(script):
    assert results(launch("--standalone", "--nproc-per-node", "2", script(STORE_USER))) == ["RESULT True"] * 2


def test_workers_bring_a_store_of_their_own_when_the_launchers_is_not_to_be_shared(script):
    done = launch("--standalone", "--nproc-per-node", "2", script(STORE_USER), env=environment(TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1))
    assert results(done) == ["RESULT True"] * 2


def test_a_module_runs_with_m(script, tmp_path):
    script("import sys, os\nprint('RESULT', __name__, os.environ['RANK'], sys.argv[1:])", "some_module.py")
    done = launch("--standalone", "-m", "some_module", "--flag", env=environment(PYTHONPATH=tmp_path))
    assert results(done) == ["RESULT __main__ 0 ['--flag']"]


RECORD = """
from torch.distributed.elastic.multiprocessing.errors import record
import os, time

@record
def main():
    if os.environ["RANK"] == "1":
        raise ValueError("recorded reason")
    time.sleep(600)

main()
"""


def test_the_message_that_record_writes_is_in_the_report_and_is_passed_on_to_an_outer_launcher(script, tmp_path):
    outer = tmp_path / "outer.json"
    done = launch("--standalone", "--nproc-per-node", "2", script(RECORD), env=environment(TORCHELASTIC_ERROR_FILE=outer, TMPDIR=tmp_path))
    assert done.returncode == 1
    assert "Its error file says: ValueError: recorded reason" in done.stderr
    assert "in main" in done.stderr
    named = Path(re.search(r"error_file: (\S+)", done.stderr)[1])  # as torchrun names it, and still there
    assert named.is_relative_to(tmp_path) and json.loads(named.read_text())["message"]["message"] == "ValueError: recorded reason"
    message = json.loads(outer.read_text())["message"]
    assert message["message"] == "ValueError: recorded reason"
    assert message["errorCode"] == 1


def test_torchrun_as_the_outer_launcher_reports_the_inner_workers_failure(script):
    done = launch("--standalone", "--no-python", MDL_LAUNCH, "--standalone", "--nproc-per-node", "2", script(RECORD), launcher=TORCHRUN)
    assert done.returncode == 1
    theirs = done.stderr[done.stderr.index("FAILED\n----") :]
    assert "ValueError: recorded reason" in theirs

"""Claims of PyTorch's own launcher tests (docs/torchrun.md lists them) that the other files here do not make yet."""

import os

import pytest

from launching import environment, free_port, launch

SHOW = ["--no-python", "sh", "-c"]


@pytest.fixture
def script(tmp_path):
    def write(text):
        (tmp_path / "script.py").write_text(text)
        return tmp_path / "script.py"

    return write


@pytest.fixture
def port():
    return free_port()


def test_four_workers_of_a_script_run_once_each_with_the_launchers_own_variables(tmp_path):
    done = launch(
        "--nnodes=1",
        "--nproc-per-node=4",
        "--rdzv-id=some-id",
        "--monitor-interval=1",
        *SHOW,
        f'test "$SENTINEL" = here && mkdir {tmp_path}/$RANK',
        env=environment(SENTINEL="here"),
    )
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(tmp_path)) == ["0", "1", "2", "3"]


def test_a_program_and_a_module_at_once_is_an_error(tmp_path):
    for variables in ({}, {"PET_MODULE": "1", "PET_NO_PYTHON": "1"}):
        words = [] if variables else ["--no-python", "--module"]
        done = launch(*words, "touch", tmp_path / "ran", env=environment(**variables))
        assert done.returncode == 2 and "--module" in done.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("nodes", ["2:20:30", "0", "0:1", "3:2", "two", "1:", ""])
def test_a_number_of_nodes_that_is_none_is_an_error(nodes):
    done = launch(f"--nnodes={nodes}", "--no-python", "true")
    assert done.returncode == 2 and "--nnodes" in done.stderr


def test_the_job_of_a_static_port_can_be_joined_by_its_address(script, port):
    train = script(f"""
import os, torch, torch.distributed as dist
rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
dist.init_process_group("gloo", init_method="tcp://localhost:{port}", rank=rank, world_size=size)
value = torch.ones(1)
dist.all_reduce(value)
assert value.item() == size
assert dist.is_torchelastic_launched()
dist.barrier()
dist.destroy_process_group()
""")
    done = launch("--nnodes=1", "--nproc-per-node=2", "--master-addr=localhost", f"--master-port={port}", train)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["TORCHELASTIC_TIMER_FILE", "TORCHELASTIC_HEALTH_CHECK_PORT"])
def test_workers_see_the_watchdogs_variables_when_the_launcher_has_them(name):
    shown = launch(*SHOW, f"echo value=${name}", env=environment(**{name: "12345"}))
    assert shown.stdout == "value=12345\n"
    assert launch(*SHOW, f"echo value=${name}").stdout == "value=\n"


@pytest.mark.parametrize("given, expected", [({}, "1"), ({"TORCH_NCCL_ASYNC_ERROR_HANDLING": "0"}, "0")])
def test_asynchronous_error_handling_of_nccl_is_on_unless_the_user_says_otherwise(given, expected):
    assert launch(*SHOW, "echo $TORCH_NCCL_ASYNC_ERROR_HANDLING", env=environment(**given)).stdout == f"{expected}\n"


def test_the_exit_code_of_a_failing_worker_fails_the_launch():
    done = launch("--nproc-per-node=4", "--max-restarts=0", *SHOW, "test $RANK -ne 2")
    assert done.returncode == 1
    assert "rank 2" in done.stderr

"""Never the CPU by accident: on a machine that seems to have GPUs, of which CUDA opens none."""

import os
import socket
import subprocess
import time

import pytest
import torch

from launching import free_port

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA opens a GPU here")

CUDA = torch.version.cuda is not None
PROBLEM = "this machine has 2 NVIDIA GPUs (NVML; driver 570.86.15, for CUDA 12.8), but "


@pytest.fixture
def environment(bin_dir):
    """environment(gpus=…, **variables): this process's, on a machine whose driver tells of so many GPUs."""

    def make(gpus=2, **variables):
        kept = {name: value for name, value in os.environ.items() if name not in ("CUDA_VISIBLE_DEVICES", "ACCELERATE_USE_CPU")}
        fake = {"LD_LIBRARY_PATH": str(bin_dir / "fake_nvml"), "MDL_FAKE_GPUS": str(gpus)}
        return kept | fake | {"MDL_FAKE_DRIVER": "570.86.15", "MDL_FAKE_CUDA": "12080"} | variables

    return make


def started(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=240, **options)


def train(toolkit, data, output, *options):
    model, dataset, _ = data
    return [toolkit, "train", "--model-name", model, "--train-dataset", dataset, "--output", output, "--num-epochs", "0.1", *options]


def test_gpus_that_cuda_does_not_open_end_the_run_before_anything_is_read(toolkit, environment, tmp_path):
    nothing = tmp_path / "nothing"
    for command in (
        train(toolkit, (nothing, nothing, nothing), tmp_path / "output"),
        [toolkit, "inference", nothing, "--model-name", nothing, "--output", nothing],
        train(toolkit, (nothing, nothing, nothing), tmp_path / "output", "--device", "cuda"),
    ):
        done = started(*command, env=environment())
        assert done.returncode == 1 and PROBLEM in done.stderr, done.stderr
        if CUDA:
            assert "CUDA opens none: " in done.stderr and f"(it was built for LibTorch {torch.__version__})" in done.stderr
        assert "--device cpu" in done.stderr and not (tmp_path / "output").exists()
    done = started(*train(toolkit, (nothing, nothing, nothing), nothing, "--device", "cuda"), env=environment(gpus=0))
    if not any(name.removeprefix("nvidia").isdigit() for name in os.listdir("/dev") if name.startswith("nvidia")):
        assert done.returncode == 1 and "--device cuda: no NVIDIA GPU was found on this machine" in done.stderr
    done = started(*train(toolkit, (nothing, nothing, nothing), nothing, "--device", "gpu"), env=environment())
    assert done.returncode == 2 and "--device gpu: expected auto, cuda or cpu" in done.stderr


def test_a_switch_of_the_environment_is_0_or_1(toolkit, environment, tmp_path):
    nothing = tmp_path / "nothing"
    for name in ("MDL_CUDNN_ATTENTION", "MDL_FORCE_GROUP"):
        for command in (
            train(toolkit, (nothing, nothing, nothing), tmp_path / "output"),
            [toolkit, "inference", nothing, "--model-name", nothing, "--output", nothing],
        ):
            done = started(*command, env=environment(gpus=0, **{name: "yes"}))
            assert done.returncode == 2 and f"environment variable {name}=yes: expected 0 or 1" in done.stderr, done.stderr


def test_the_cpu_is_a_choice(toolkit, data, environment, tmp_path):
    done = started(*train(toolkit, data, tmp_path / "option", "--device", "cpu"), env=environment())
    assert done.returncode == 0 and "--device cpu: training on the CPU" in done.stderr, done.stderr
    done = started(*train(toolkit, data, tmp_path / "variable"), env=environment(CUDA_VISIBLE_DEVICES=""))
    assert done.returncode == 0 and 'CUDA_VISIBLE_DEVICES="": training on the CPU' in done.stderr, done.stderr


def test_a_node_without_a_driver_is_named_at_once_by_the_ranks_of_all_nodes(toolkit, data, environment, tmp_path):
    port = free_port()
    begin = time.monotonic()
    ranks = []
    for rank in range(3):
        variables = {"RANK": rank, "WORLD_SIZE": 3, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        variables = environment(gpus=2 if rank == 1 else 0, **{name: str(value) for name, value in variables.items()})
        command = [str(part) for part in train(toolkit, data, tmp_path / "output")]
        ranks.append(subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    for number, rank in enumerate(ranks):
        errors = rank.communicate(timeout=120)[1]
        assert rank.returncode == 1
        assert f"mdl-toolkit: error: rank {number}: rank 1 on {socket.gethostname()}: {PROBLEM}" in errors, errors
    assert time.monotonic() - begin < 100, "the ranks wait for half an hour else"

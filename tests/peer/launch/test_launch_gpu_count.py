"""--nproc-per-node gpu counts as the real torch does; both ask a stand-in for NVIDIA's library that the build makes."""

import os
import subprocess
import sys

import pytest

from launching import MDL_LAUNCH, environment, launch

FAKE_NVML = MDL_LAUNCH.parent / "fake_nvml"
UUIDS = [f"GPU-{i:02d}fa7e11e-0000-4000-8000-00000000000{i}" for i in range(4)]
CASES = [
    None,
    "",
    "-1",
    "0",
    "0,1",
    "3,2,1,0",
    "1,1",
    "0,5,1",
    "0,-1,2",
    "7",
    "no",
    " 1 , 2",
    "2x,3",
    "0,",
    "+1",
    UUIDS[2],
    f"{UUIDS[0]},{UUIDS[3]}",
    "GPU-00,GPU-01",
    "GPU-0",
    f"GPU-01,{UUIDS[1]}",
    f"{UUIDS[0]},0",
    "GPU-none",
    f"{UUIDS[1]},GPU-none,{UUIDS[2]}",
]


def variables(visible, gpus=4):
    env = environment(LD_LIBRARY_PATH=FAKE_NVML, MDL_FAKE_GPUS=gpus)
    env.pop("CUDA_VISIBLE_DEVICES", None)
    return env if visible is None else {**env, "CUDA_VISIBLE_DEVICES": visible}


@pytest.fixture(scope="module")
def torch_counts():
    """What torch counts in each case, all asked of one process."""
    program = f"""
import os, torch.cuda
for visible in {CASES!r}:
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    if visible is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible
    print(torch.cuda._device_count_nvml())
"""
    done = subprocess.run([sys.executable, "-c", program], env=variables(None), capture_output=True, text=True, check=True)
    return dict(zip(CASES, map(int, done.stdout.split()), strict=True))


@pytest.mark.parametrize("visible", CASES)
def test_as_many_workers_start_as_torch_sees_gpus(visible, torch_counts):
    done = launch("--standalone", "--nproc-per-node", "gpu", "--no-python", "/bin/echo", "worker", env=variables(visible))
    assert done.stdout.count("worker") == torch_counts[visible]
    assert done.returncode == (0 if torch_counts[visible] else 1)
    if not torch_counts[visible]:
        assert "--nproc-per-node gpu" in done.stderr
        assert "CUDA_VISIBLE_DEVICES" in done.stderr


def test_of_mig_devices_a_process_sees_the_first():
    done = launch("--standalone", "--nproc-per-node", "gpu", "--no-python", "/bin/echo", "worker", env=variables("MIG-aaaa,MIG-bbbb"))
    assert done.stdout.count("worker") == 1


def test_two_gpus_start_two_workers_and_auto_prefers_them():
    for kind in ("gpu", "auto"):
        done = launch(
            "--standalone",
            "--nproc-per-node",
            kind,
            "--no-python",
            "/bin/sh",
            "-c",
            "echo $LOCAL_RANK of $LOCAL_WORLD_SIZE",
            env=variables(None, gpus=2),
        )
        assert sorted(done.stdout.splitlines()) == ["0 of 2", "1 of 2"]


@pytest.mark.skipif(os.path.exists("/proc/driver/nvidia/gpus"), reason="this machine has a GPU")
def test_no_gpu_is_an_error_that_says_what_to_do():
    env = environment()
    env.pop("CUDA_VISIBLE_DEVICES", None)
    done = launch("--standalone", "--nproc-per-node", "gpu", "--no-python", "/bin/true", env=env)
    assert done.returncode == 1
    assert "no GPU found" in done.stderr
    assert "nvidia-smi" in done.stderr


def test_cpu_and_auto_without_a_gpu_mean_the_usable_cpus():
    for kind in ("cpu", "auto"):
        done = launch("--standalone", "--nproc-per-node", kind, "--no-python", "/bin/echo", "worker", env=variables("", gpus=0))
        assert done.stdout.count("worker") == len(os.sched_getaffinity(0))

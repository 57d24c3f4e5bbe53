"""mdl-toolkit is several executables: only what computes loads LibTorch, and its CUDA only where a GPU may be."""

import json
import os
import re
import shutil
import subprocess

import pytest
import torch


def libraries(program):
    return subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout


def started(command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, **options)


def test_only_the_model_program_is_linked_to_libtorch(bin_dir):
    assert "libtorch" not in libraries(bin_dir / "mdl-toolkit") and "libarrow" not in libraries(bin_dir / "mdl-toolkit")
    assert "libtorch" not in libraries(bin_dir / "mdl-toolkit-data") and "libarrow" in libraries(bin_dir / "mdl-toolkit-data")
    assert "libtorch_cpu.so" in libraries(bin_dir / "mdl-toolkit-model")


@pytest.mark.skipif(torch.version.cuda is None, reason="this LibTorch has no CUDA")
def test_without_a_gpu_nothing_of_cuda_is_loaded_and_training_is_the_same(bin_dir, toolkit, data, tmp_path):
    assert "libtorch_cuda.so" in libraries(bin_dir / "mdl-toolkit-model")
    assert not re.search(r"lib(torch_cuda|c10_cuda|nccl|cudnn|cublas)", libraries(bin_dir / "mdl-toolkit-model-cpu"))
    may_have_gpu = any(os.path.exists(path) for path in ("/dev/nvidiactl", "/dev/dxg", "/proc/driver/nvidia"))
    chosen = json.loads(started([toolkit, "--libraries"]).stdout)["program"]
    assert chosen == "mdl-toolkit-model" or not may_have_gpu
    losses = {}
    for program in ("mdl-toolkit-model", "mdl-toolkit-model-cpu"):
        words = ["--model-name", data[0], "--train-dataset", data[1], "--eval-dataset", data[2], "--max-steps", "4", "--device", "cpu"]
        done = started([bin_dir / program, "train", *words, "--output", tmp_path / program, "--logging-steps", "1"])
        assert done.returncode == 0, done.stderr
        log = json.loads((tmp_path / program / "checkpoint-4" / "trainer_state.json").read_text())["log_history"]
        losses[program] = [entry[name] for entry in log for name in ("loss", "grad_norm", "eval_loss") if name in entry]
    assert len(losses["mdl-toolkit-model"]) > 8 and losses["mdl-toolkit-model"] == losses["mdl-toolkit-model-cpu"]


def test_functions_for_newer_cpus_are_taken_by_nobody_else(bin_dir):
    if "CMAKE_BUILD_TYPE:STRING=Release" not in (bin_dir.parent / "CMakeCache.txt").read_text():
        pytest.skip("less is inlined where less is optimised")
    archive = bin_dir.parent / "worker/kernels/libmdl_worker_kernels.a"
    symbols = subprocess.run(["nm", "-AC", archive], capture_output=True, text=True, check=True).stdout
    for_newer = [line for line in symbols.splitlines() if re.search(r":avx\w+\.cpp\.o:", line)]
    assert any(" D " in line for line in for_newer) or os.uname().machine != "x86_64"
    # The linker takes one of several weak definitions for the whole program: an older CPU would run AVX code of a header.
    assert not [line for line in for_newer if re.search(r" [WVu] ", line)]


def test_the_version_tells_the_libtorch_that_it_was_built_for(bin_dir):
    told = started([bin_dir / "mdl-toolkit", "--version"]).stdout
    assert told.startswith("mdl-toolkit 0.") and f"built for LibTorch {torch.__version__})\n" in told


def test_the_programs_are_found_through_a_link_to_the_first(bin_dir, tmp_path):
    link = tmp_path / "mdl-toolkit"
    link.symlink_to(bin_dir / "mdl-toolkit")
    for command in ("train", "inference", "info"):
        done = started([link, command, "--help"])
        assert done.returncode == 0 and f"usage: mdl-toolkit {command}" in done.stdout


def test_a_missing_model_program_is_named_and_reaches_the_launchers_error_file(bin_dir, tmp_path):
    program = shutil.copy(bin_dir / "mdl-toolkit", tmp_path)
    done = started([program, "train"], env={**os.environ, "TORCHELASTIC_ERROR_FILE": str(tmp_path / "error.json"), "RANK": "3"})
    assert done.returncode == 1
    assert re.search(
        rf"mdl-toolkit: error: rank 3: cannot start {tmp_path}/mdl-toolkit-model(-cpu)?: No such file or directory", done.stderr
    )
    assert "install all of its programs" in done.stderr
    assert "mdl-toolkit-model" in json.loads((tmp_path / "error.json").read_text())["message"]["message"]


def test_a_pipe_with_the_commands_name_does_not_hold_up_the_version(bin_dir, tmp_path):
    program = shutil.copy(bin_dir / "mdl-toolkit", tmp_path / "mdl-toolkit-native")
    os.mkfifo(tmp_path / "mdl-toolkit")
    told = started([program, "--version"])
    assert told.returncode == 0 and told.stderr == ""


def test_output_that_cannot_be_written_is_an_error_and_a_reader_that_has_gone_is_none(bin_dir):
    for arguments in (["--version"], ["--libraries"], ["download", "--help"]):
        for file, status, message in (("/dev/full", 1, "cannot write the output: No space left on device"), (None, 0, "")):
            reader, gone = os.pipe()
            os.close(reader)
            with open(file or gone, "w") as output:
                command = [bin_dir / "mdl-toolkit", *arguments]
                done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, timeout=60)
            if file:
                os.close(gone)
            assert (done.returncode, done.stderr) == (status, message and f"mdl-toolkit: error: {message}\n"), command


def test_the_doctor_examines_the_program_that_training_loads(bin_dir):
    report = json.loads(
        started([bin_dir / "mdl-launch", "doctor", "--json", "--standalone", "--no-python", bin_dir / "mdl-toolkit"]).stdout
    )
    (node,) = report["nodes"]
    assert node["program"] == str(bin_dir / "mdl-toolkit")
    assert node["libtorch_version"] == torch.__version__
    assert node["missing_libraries"] == []

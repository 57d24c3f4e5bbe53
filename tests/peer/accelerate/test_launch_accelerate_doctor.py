"""mdl-launch doctor and mdl-launch env as a user sees them."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from launching import free_port
from terminal import Terminal

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "accelerate"


@pytest.fixture
def mdl_launch(bin_dir, tmp_path):
    environment = os.environ | {"PYTHON_EXEC": sys.executable, "HF_HOME": str(tmp_path / "hf")}

    def start(*words, **env):
        return subprocess.Popen(
            [bin_dir / "mdl-launch", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment | env
        )

    return start


@pytest.fixture
def doctor(mdl_launch):
    """doctor(words…) -> (exit code, report)."""

    def run(*words, **env):
        process = mdl_launch("doctor", "--json", *words, **env)
        output, errors = process.communicate(timeout=60)
        assert process.returncode in (0, 1), errors
        report = json.loads(output)
        assert process.returncode == int(report["would_fail"])
        return process.returncode, report

    return run


def finding(report, check, level=None):
    found = [one for one in report["findings"] if one["check"] == check and level in (None, one["level"])]
    assert found, report["findings"]
    return found[0]


def test_one_healthy_process_has_nothing_against_it(doctor):
    code, report = doctor("--standalone", "--no-python", "/bin/true")
    assert code == 0
    assert finding(report, "program")["text"].startswith("/bin/true")
    assert report["nodes"][0]["host"] == socket.gethostname()


def test_two_doctors_meet_and_both_report_both_nodes(mdl_launch):
    words = [
        "doctor",
        "--json",
        "--nnodes",
        "2",
        "--rdzv-backend",
        "c10d",
        "--rdzv-endpoint",
        f"127.0.0.1:{free_port()}",
        "--no-python",
        "/bin/true",
    ]
    doctors = [mdl_launch(*words), mdl_launch(*words)]
    reports = [json.loads(one.communicate(timeout=60)[0]) for one in doctors]
    for report in reports:
        assert len(report["nodes"]) == 2
        assert finding(report, "nodes")["level"] == "ok"
        assert finding(report, "connections")["level"] == "ok"
        assert finding(report, "clock")["level"] == "ok"


def test_a_script_is_examined_with_the_torch_that_it_would_import(doctor, tmp_path):
    script = tmp_path / "train.py"
    script.write_text("import torch\n")
    _, report = doctor("--standalone", script)
    assert report["nodes"][0]["libtorch_version"] == torch.__version__


def test_a_native_program_is_examined_without_running_it(doctor):
    program = Path(torch.__file__).parent / "bin" / "torch_shm_manager"  # any program of the wheel that is linked to LibTorch
    _, report = doctor("--standalone", "--no-python", program)
    node = report["nodes"][0]
    assert node["missing_libraries"] == [] and node["program"] == str(program)
    assert node["libtorch_version"] in ("", torch.__version__)


@pytest.mark.parametrize(
    "words, check",
    [
        (["--no-python", "/nowhere/program"], "program"),
        (["--no-python", "/bin/true", "--train-dataset", "/nowhere/data"], "paths"),
        (["--nnodes", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", "no.such.host.invalid", "--no-python", "/bin/true"], "endpoint"),
        (["--nproc-per-node", "gpu", "--no-python", "/bin/true"], "GPUs"),
        (["--config-file", FIXTURES / "multi_node.yaml", "--wait", "0", "--no-python", "/bin/true"], "GPUs"),
    ],
)
def test_what_would_fail_is_found_before_any_worker_starts(words, check, doctor):
    code, report = doctor(*words)
    assert code == 1
    assert finding(report, check, "fail")["advice"]


def test_a_taken_port_is_found(doctor):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, report = doctor(
            "--nnodes",
            "2",
            "--node-rank",
            "0",
            "--master-addr",
            "127.0.0.1",
            "--master-port",
            taken.getsockname()[1],
            "--no-python",
            "/bin/true",
        )
    assert code == 1
    assert (
        f"is taken by {Path('/proc/self/comm').read_text().strip()} (process {os.getpid()})" in finding(report, "endpoint", "fail")["text"]
    )


def test_kubeflows_variables_are_the_job(doctor):
    code, report = doctor(
        "--wait",
        "0",
        "--no-python",
        "/bin/true",
        PET_NNODES="2",
        PET_NPROC_PER_NODE="1",
        PET_NODE_RANK="0",
        PET_MASTER_ADDR="127.0.0.1",
        PET_MASTER_PORT=str(free_port()),
    )
    assert report["nodes"][0]["endpoint"]["state"] == "free"
    assert "1 of 2 nodes" in finding(report, "nodes")["text"]
    assert code == 0


def test_a_terminal_gets_a_table_in_colour(bin_dir):
    with Terminal([bin_dir / "mdl-launch", "doctor", "--standalone", "--no-python", "/nowhere/program"]) as terminal:
        assert terminal.finish() == 1
    assert "\x1b[31mfail" in terminal.text and "-> Install it" in terminal.text and "The job would fail: 1 failed" in terminal.text


def test_a_wrong_command_line_is_refused(mdl_launch):
    process = mdl_launch("doctor", "--nnodse", "2")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2 and "--nnodse" in errors


def test_env_prints_what_a_report_needs_and_no_secrets(mdl_launch):
    process = mdl_launch("env", "--config-file", FIXTURES / "multi_node.yaml", NCCL_DEBUG="INFO", HF_TOKEN="hf_secret")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    for words in ("mdl-launch version", "Platform", "LibTorch version", "GPUs", "NCCL_DEBUG=INFO", "main_process_ip: 10.0.0.1"):
        assert words in output
    assert "hf_secret" not in output

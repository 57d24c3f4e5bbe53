"""Workers see the same under `mdl-launch launch` as under the real `accelerate launch`."""

import json
import os
import subprocess
from pathlib import Path

import pytest

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "accelerate"

# Differ from launch to launch by their nature, or name the launcher's own files.
OWN = {
    "PYTEST_CURRENT_TEST",
    "_",
    "SHLVL",
    "OLDPWD",
    "MDL_PROGRESS",  # ours alone
    "TORCH_WORKER_SERVER_SOCKET",  # ours alone
    "TORCHELASTIC_ERROR_FILE",
    "MASTER_PORT",
    "TORCHELASTIC_RUN_ID",
    "KMP_INIT_AT_FORK",
    "KMP_DUPLICATE_LIB_OK",
}


@pytest.fixture
def two_processes(tmp_path):
    """The page's file for one node, for 2 processes on the CPU and bf16."""
    path = tmp_path / "two.yaml"
    text = (FIXTURES / "single_node.yaml").read_text()
    for old, new in [
        ("use_cpu: false", "use_cpu: true"),
        ("num_processes: 8", "num_processes: 2"),
        ("mixed_precision: 'no'", "mixed_precision: bf16"),
    ]:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return path


@pytest.fixture
def environments(tmp_path):
    """environments(command) -> {rank: the environment that the worker saw}."""
    program = tmp_path / "show.sh"
    program.write_text('#!/bin/sh\nenv -0 > "$1/$RANK"\n')
    program.chmod(0o755)

    def run(name, command):
        folder = tmp_path / name
        folder.mkdir()
        clean = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
        done = subprocess.run([*map(str, command), "--no_python", program, folder], env=clean, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        seen = {}
        for file in folder.iterdir():
            pairs = (line.partition("=") for line in file.read_text().split("\0") if line)
            seen[file.name] = {key: value for key, _, value in pairs if key not in OWN}
        return seen

    return run


def test_every_worker_has_the_environment_that_accelerate_gives_it(two_processes, environments, bin_dir, venv_bin):
    ours = environments("ours", [bin_dir / "mdl-launch", "--config-file", two_processes])
    real = environments("real", [venv_bin / "accelerate", "launch", "--config_file", two_processes])
    assert set(ours) == {"0", "1"}
    assert ours == real
    assert ours["1"]["ACCELERATE_MIXED_PRECISION"] == "bf16"
    assert ours["1"]["WORLD_SIZE"] == "2"


def test_a_script_that_uses_accelerate_trains_under_mdl_launch(two_processes, bin_dir, venv_bin, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import json, sys, torch\n"
        "from accelerate import Accelerator\n"
        "accelerator = Accelerator(cpu=True)\n"
        "total = accelerator.reduce(torch.tensor([float(accelerator.process_index + 1)]), reduction='sum')\n"
        "if accelerator.is_main_process:\n"
        "    json.dump({'total': total.item(), 'processes': accelerator.num_processes,\n"
        "               'precision': accelerator.mixed_precision}, open(sys.argv[1], 'w'))\n"
        "accelerator.end_training()\n"
    )  # a gloo group that is left to the interpreter's end may abort there
    done = subprocess.run(
        [bin_dir / "mdl-launch", "launch", "--config-file", two_processes, script, tmp_path / "result.json"],
        env=os.environ | {"PYTHON_EXEC": str(venv_bin / "python")},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "result.json").read_text()) == {"total": 3.0, "processes": 2, "precision": "bf16"}


@pytest.mark.parametrize("words", [["--standalone"], ["launch", "--config-file", "two.yaml"]], ids=["torchrun", "accelerate"])
def test_a_launch_warns_of_unusable_paths_in_the_doctors_words(words, two_processes, bin_dir, tmp_path):
    toolkit = tmp_path / "mdl-toolkit"
    toolkit.write_text("#!/bin/sh\n")
    toolkit.chmod(0o755)
    command = [two_processes if word == "two.yaml" else word for word in words]
    done = subprocess.run(
        [bin_dir / "mdl-launch", *command, "--no-python", toolkit, "train", "--train-dataset", "/nowhere/data"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "--train-dataset /nowhere/data cannot be read" in done.stderr

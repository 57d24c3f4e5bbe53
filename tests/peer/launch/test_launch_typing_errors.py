"""Typing errors in every command of mdl-launch: options, commands and values. Each is answered with what was meant, by one rule."""

import os
import subprocess

import pytest

from programs import run_on_terminal

COMMANDS = ["", "launch", "config", "env", "doctor", "status"]

# The command line, what was meant, and the exit code: 2 for a wrong command line, 127 where a program is not found.
CASES = [
    ("luanch", "launch", 127),
    ("lauch train.py", "launch", 127),
    ("docotr", "doctor", 127),
    ("staus --json", "status", 127),
    ("Config", "config", 127),
    ("evn", "env", 127),
    ("--nporc-per-node 2 x", "--nproc-per-node", 2),
    ("--standlone x", "--standalone", 2),
    ("--rdzv-bakcend c10d x", "--rdzv-backend", 2),
    ("--nproc_per_nod=2 x", None, 127),  # torchrun takes the beginning of an option
    ("--rdzv-backend c10b --nnodes 2 x", "c10d", 2),
    ("--rdzv-backend statci x", "static", 2),
    ("--rdzv-conf joni_timeout=3 x", "join_timeout", 2),
    ("--rdzv-conf listen=endpiont --rdzv-backend c10d --nnodes 2 x", "endpoint", 2),
    ("--nproc-per-node gup --no-python /bin/true", "gpu", 2),
    ("--nproc-per-node auot --no-python /bin/true", "auto", 2),
    ("--numa-binding ndoe x", "node", 2),
    ("--start-method forksever x", "forkserver", 2),
    ("--event-log-handler consoel x", "console", 2),
    ("--logs-specs defalt x", "default", 2),
    ("--signals-to-handle SIGTREM x", "SIGTERM", 2),
    ("--print-completion bahs", "bash", 2),
    ("--tee 5 x", None, 2),
    ("launch --num-procesess 2 x", "--num-processes", 2),
    ("launch --main_proces_ip h x", "--main-process-ip", 2),
    ("launch --rdvz-id a x", "--rdzv-id", 2),
    ("launch --langg zh x", "--lang, an option of mdl-launch config", 2),
    ("launch --dynamo_backend inducto x", "inductor", 2),
    ("launch --dynamo-mode redcue-overhead x", "reduce-overhead", 2),
    ("launch --mixed-precision bf61 x", "bf16", 2),
    ("launch --machine-rank atuo x", "auto", 2),
    ("config defualt", "default", 2),
    ("config --lagn zh", "--lang", 2),
    ("config --config-fiel x", "--config-file", 2),
    ("config --lang enn", "en", 2),
    ("config default --mixed-precision fp61", "fp16", 2),
    ("config --num-machiens 2", "--num-machines, an option of mdl-launch launch", 2),
    ("env --config-fiel x", "--config-file", 2),
    ("env --hlep", "--help", 2),
    ("doctor --jsno", "--json", 2),
    ("doctor --wiat 3", "--wait", 2),
    ("doctor --nnodse 2", "--nnodes", 2),
    ("doctor --num-procesess 2", "--num-processes", 2),
    ("doctor --langg", "--lang, an option of mdl-launch config", 2),
    ("doctor --rdzv-backend c10b", "c10d", 2),
    ("doctor --nproc-per-node cpuu", "cpu", 2),
    ("doctor --mixed-precision bf61 x", "bf16", 2),
    ("status --rdzv-endpiont h", "--rdzv-endpoint", 2),
    ("status --tiemout 3", "--timeout", 2),
    ("status --rdzv-conf secret_fiel=x", "secret_file", 2),
    ("--no-python --zzzzzz x", None, 2),
    ("train", None, 127),
]

# Lines of accelerate's configuration file.
LINES = [
    ("num_machins: 2", "num_machines"),
    ("main_process_prot: 3", "main_process_port"),
    ("mixed_precision: bf61", "bf16"),
    ("mixed_precision: fp17", "fp16"),
    ("compute_environment: LOCAL_MACHIEN", "LOCAL_MACHINE"),
    ("dynamo_config: {dynamo_bakcend: INDUCTOR}", "dynamo_backend"),
    ("dynamo_config: {dynamo_backend: INDUCTRO}", "INDUCTOR"),
    ("distributed_type: MULTI_GUP", "MULTI_GPU"),
    ("distributed_type: multi_cpu", "MULTI_CPU"),
]


@pytest.fixture
def mdl_launch(bin_dir, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PET_")}

    def run(*words, **more):
        return subprocess.run(
            [bin_dir / "mdl-launch", *map(str, words)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            env=environment | {"HF_HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            **more,
        )

    return run


@pytest.mark.parametrize("line, meant, code", CASES, ids=[case[0] for case in CASES])
def test_a_typing_error_is_answered_with_what_was_meant(line, meant, code, mdl_launch):
    done = mdl_launch(*line.split())
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert f"Did you mean {meant}?" in done.stderr if meant else "Did you mean" not in done.stderr


@pytest.mark.parametrize("line, meant", LINES, ids=[case[0] for case in LINES])
@pytest.mark.parametrize("command", [["--config-file"], ["launch", "--config-file"], ["doctor", "--config-file"]], ids=" ".join)
def test_a_typing_error_in_a_configuration_file_is_answered_so_too(command, line, meant, mdl_launch, tmp_path):
    path = tmp_path / "conf.yaml"
    path.write_text(line + "\n" + ("" if line.startswith("distributed_type") else "distributed_type: 'NO'\n"))
    done = mdl_launch(*command, path, "/bin/true")
    assert done.returncode == 2 and "conf.yaml:1: " in done.stderr
    assert f"did you mean {meant}?" in done.stderr.lower().replace(meant.lower(), meant)


def test_a_program_of_almost_a_commands_name_is_a_program(mdl_launch, tmp_path):
    (tmp_path / "luanch").write_text("print('a script')\n")
    done = mdl_launch("luanch")
    assert (done.returncode, done.stdout) == (0, "a script\n"), done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_into_80_columns_through_a_pipe(command, mdl_launch):
    done = mdl_launch(*command.split(), "--help")
    assert done.returncode == 0 and done.stdout.startswith("Usage: mdl-launch")
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []
    assert [line for line in done.stdout.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_takes_the_width_of_a_terminal(command, bin_dir):
    code, text = run_on_terminal([bin_dir / "mdl-launch", *command.split(), "--help"], columns=100)
    assert code == 0
    longest = max(len(line) for line in text.splitlines())
    assert longest <= 100 and (longest > 80 or command == "env")

"""mdl-launch resolves accelerate's files and command lines as the real accelerate does."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
import yaml
from accelerate.commands import launch as real_launch
from accelerate.commands.config.config_args import load_config_from_file

import accelerate_reference

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "accelerate"


@pytest.fixture
def mdl_launch(bin_dir):
    def run(*words, **env):
        environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        return subprocess.run([bin_dir / "mdl-launch", *map(str, words)], capture_output=True, text=True, timeout=60, env=environment | env)

    return run


@pytest.fixture
def same_plan(mdl_launch, monkeypatch):
    """same_plan(words…) -> our plan, after checking that it is the real accelerate's."""

    def check(*words):
        done = mdl_launch("launch", *words, "--dry-run", "program.py")
        assert done.returncode == 0, done.stderr
        plan = json.loads(done.stdout)
        assert accelerate_reference.from_dry_run(plan) == accelerate_reference.resolve([str(word) for word in words], monkeypatch)
        return plan

    return check


@pytest.mark.parametrize(
    "words", [["/bin/echo", "--", "--foo"], ["/bin/echo", "--"], ["--", "/bin/echo", "--", "x"], ["/bin/echo", "x", "--", "y"]]
)
def test_a_first_double_dash_is_not_the_programs(words, mdl_launch):
    theirs = real_launch.launch_command_parser().parse_args(["--cpu", "--no_python", *words])
    assert mdl_launch("launch", "--cpu", "--no_python", *words).stdout.split() == theirs.training_script_args


@pytest.mark.parametrize(
    "words",
    [
        ["--role=-x"],
        ["--role", "-1"],
        ["--role", "-a b"],
        ["--role", "-x"],
        ["--role", "--module"],
        ["--num_processes", " +2\n"],
        ["--num_processes", "2.0"],
        ["--max_restarts", "1_0"],
        ["--max_restarts", "1__0"],
    ],
)
def test_what_may_be_the_value_of_an_option_is_accelerates_choice(words, mdl_launch):
    try:
        theirs = real_launch.launch_command_parser().parse_args([*words, "program.py"])
    except SystemExit:
        theirs = None
    ours = mdl_launch("launch", "--dry-run", *words, "program.py")
    assert ours.returncode == (0 if theirs else 2), ours.stderr
    if theirs:
        assert json.loads(ours.stdout)["program"] == ["program.py"]


@pytest.mark.parametrize(
    "case", json.loads((FIXTURES / "expected.json").read_text()), ids=lambda case: f"{case['yaml']}-{case['machine_rank']}"
)
def test_the_pages_files_resolve_as_recorded(case, mdl_launch):
    done = mdl_launch("launch", "--config-file", FIXTURES / case["yaml"], "--machine-rank", case["machine_rank"], "--dry-run", "program.py")
    plan = json.loads(done.stdout)
    assert {name: plan["launch"].get(name) for name in case["launch"]} == case["launch"]
    assert plan["env"] == case["env"]


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("name", ["single_node.yaml", "multi_node.yaml"])
def test_the_pages_files_resolve_as_accelerate_does(name, rank, same_plan):
    same_plan("--config_file", FIXTURES / name, "--machine_rank", rank)


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("kind", ["cpu", "multi_cpu", "one_gpu", "nodes_static", "nodes_c10d"])
def test_files_of_the_real_config_command_resolve_as_accelerate_does(kind, rank, real_config, same_plan):
    same_plan("--config_file", real_config(kind), "--machine_rank", rank)


@pytest.mark.parametrize(
    "words",
    [
        ["--num_processes=4"],
        ["--num-processes", "2", "--num-machines", "1"],
        ["--main_process_ip", "node7", "--main_process_port", "1234"],
        ["--same_network"],
        ["--mixed_precision", "bf16", "--dynamo_backend", "inductor", "--dynamo_mode", "max-autotune", "--dynamo-use-dynamic"],
        ["--gpu_ids", "0,1"],
        ["--rdzv_backend", "c10d"],
        ["--num_cpu_threads_per_process", "3", "--enable_cpu_affinity", "--debug"],
        ["--max_restarts", "2", "--role", "trainer", "--no_python", "-t", "3"],
        ["--cpu"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("use_cpu", [False, True])
def test_the_command_line_comes_before_the_file_as_in_accelerate(words, use_cpu, same_plan, tmp_path):
    path = tmp_path / "conf.yaml"
    path.write_text((FIXTURES / "multi_node.yaml").read_text().replace("use_cpu: false", f"use_cpu: {str(use_cpu).lower()}"))
    same_plan("--config_file", path, *words)


@pytest.mark.parametrize(
    "words", [[], ["--cpu"], ["--num_processes", "1"], ["--num_processes", "3"], ["--multi_gpu", "--num_processes", "2"]], ids=" ".join
)
def test_without_a_file_the_defaults_are_accelerates(words, same_plan, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr(real_launch, "default_config_file", str(tmp_path / "accelerate" / "default_config.yaml"))
    same_plan(*words)


def test_a_taken_port_gives_one_machine_a_free_one(same_plan):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.warns(UserWarning, match="already in use"):
            plan = same_plan("--config_file", FIXTURES / "single_node.yaml", "--main_process_port", taken.getsockname()[1])
    assert plan["launch"]["standalone"]


@pytest.mark.parametrize(
    "variables, place",
    [
        ({"HF_HOME": "{tmp}/hf"}, "hf/accelerate"),
        ({"XDG_CACHE_HOME": "{tmp}/cache"}, "cache/huggingface/accelerate"),
        ({"HOME": "{tmp}"}, ".cache/huggingface/accelerate"),
    ],
)
def test_the_default_file_is_found_where_accelerate_keeps_it(variables, place, mdl_launch, venv_bin, monkeypatch, tmp_path):
    for name in ("HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    environment = {name: value.format(tmp=tmp_path) for name, value in variables.items()}
    real = subprocess.run(
        [venv_bin / "python", "-c", "from accelerate.commands.config import default_config_file as f; print(f)"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    folder = tmp_path / place
    assert real.stdout.strip() == str(folder / "default_config.yaml")
    folder.mkdir(parents=True)
    shutil.copy(FIXTURES / "single_node.yaml", folder / "default_config.yaml")
    plan = json.loads(mdl_launch("launch", "--dry-run", "program.py", **environment).stdout)
    assert plan["config_file"] == str(folder / "default_config.yaml")
    assert plan["launch"]["num_processes"] == 8


@pytest.mark.parametrize("line", ["num_proceses: 3", "gpus: all", "machine_ranks: 0"])
def test_keys_that_accelerate_refuses_are_refused(line, mdl_launch, tmp_path):
    path = tmp_path / "conf.yaml"
    path.write_text((FIXTURES / "single_node.yaml").read_text() + line + "\n")
    with pytest.raises(ValueError, match="unknown keys"):
        load_config_from_file(str(path))
    done = mdl_launch("launch", "--config-file", path, "program.py")
    assert done.returncode == 2
    assert f"{path}:{len(path.read_text().splitlines())}: unknown key {line.split(':')[0]}" in done.stderr


def test_every_key_of_accelerates_is_known(mdl_launch, tmp_path):
    from accelerate.commands.config.config_args import ClusterConfig

    for key in ClusterConfig.__dataclass_fields__:
        path = tmp_path / "conf.yaml"
        content = {"distributed_type": "MULTI_GPU", "num_processes": 2} | ({key: None} if key != "distributed_type" else {})
        path.write_text(yaml.safe_dump({k: v for k, v in content.items()}))
        done = mdl_launch("launch", "--config-file", path, "--num-processes", "2", "--dry-run", "program.py")
        assert "unknown key" not in done.stderr, key


def test_every_option_of_accelerates_is_known(mdl_launch):
    """Each is either taken or refused by the name of the engine that it needs; none is unknown."""
    values = {"int": "1", "float": "1.0"}
    for action in real_launch.launch_command_parser()._actions:
        for option in action.option_strings:
            if action.dest == "help":
                continue
            words = [option]
            if action.nargs != 0 and not isinstance(action.const, bool):
                words.append((action.choices or [values.get(getattr(action.type, "__name__", ""), "a")])[0])
            done = mdl_launch("launch", *words, "--dry-run", "--num-processes", "2", "program.py")
            assert "unknown option" not in done.stderr and "is torchrun's" not in done.stderr, words
            assert done.returncode == 0 or " needs " in done.stderr or "there is no configuration file" in done.stderr, (words, done.stderr)


def test_the_pages_files_alone_say_that_no_gpu_is_there(mdl_launch):
    for name in ("single_node.yaml", "multi_node.yaml"):
        done = mdl_launch("--config-file", FIXTURES / name, "--no-python", "/bin/true")
        assert done.returncode == 2
        assert f"{name}:3: MULTI_GPU asks for" in done.stderr and "no NVIDIA GPU is there" in done.stderr


def test_one_process_sees_what_it_sees_under_accelerate(mdl_launch, venv_bin, real_config):
    words = ["launch", "--config_file", real_config("cpu"), "--no_python", "/usr/bin/env"]
    ours = mdl_launch(*words)
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    real = subprocess.run(
        [venv_bin / "accelerate", *map(str, words)], capture_output=True, text=True, timeout=120, check=True, env=environment
    )

    def lines(text):
        return {line for line in text.splitlines() if not line.startswith(("_=", "PYTEST_CURRENT_TEST="))}

    assert lines(ours.stdout) == lines(real.stdout)

"""mdl-launch config asks as `accelerate config` does, through a terminal and through a pipe, and writes the same files."""

import json
import os
import subprocess

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.config.default import write_basic_config

from accelerate_answers import SETUPS
from terminal import DOWN, ENTER, UP, Keys, Terminal


@pytest.fixture
def english():
    return {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))} | {"LANG": "C.UTF-8"}


@pytest.fixture
def config(bin_dir, english):
    """config(words…, input=…, env=…) -> the finished process, with its input from a pipe."""

    def run(*words, input="", env=None):
        return subprocess.run(
            [bin_dir / "mdl-launch", "config", *map(str, words)],
            input=input,
            capture_output=True,
            text=True,
            timeout=60,
            env=english | (env or {}),
        )

    return run


@pytest.fixture
def terminal_config(bin_dir, english, tmp_path):
    """terminal_config(steps, words…) -> (exit code, screen, path): the wizard driven through a terminal."""

    def run(steps, *words, env=None):
        path = tmp_path / "ours.yaml"
        with Terminal([bin_dir / "mdl-launch", "config", "--config-file", path, *words], env=english | (env or {})) as terminal:
            for question, keys in steps:
                terminal.answer(question, keys)
            return terminal.finish(), terminal.text, path

    return run


@pytest.mark.parametrize("kind", SETUPS)
def test_the_same_keys_write_the_same_file_byte_for_byte(kind, real_config, terminal_config):
    code, screen, path = terminal_config([(ours, keys) for _, ours, keys in SETUPS[kind]])
    assert code == 0, screen
    assert path.read_text() == real_config(kind).read_text()
    load_config_from_file(str(path))
    for line in path.read_text().splitlines():
        assert line in screen


@pytest.mark.parametrize("kind", SETUPS)
def test_a_pipe_answers_the_same_questions(kind, real_config, config, tmp_path):
    names = {UP: "", DOWN + ENTER: "1", DOWN + DOWN + ENTER: "2"}
    answers = [names.get(keys, keys).strip() for _, _, keys in SETUPS[kind]]
    done = config("--config_file", tmp_path / "ours.yaml", input="".join(answer + "\n" for answer in answers))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b" not in done.stdout
    assert (tmp_path / "ours.yaml").read_text() == real_config(kind).read_text()


def test_a_json_path_gets_json_that_accelerate_loads(config, tmp_path):
    path = tmp_path / "conf.json"
    done = config("--config-file", path, input="\n0\nyes\n\n\nbf16\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(path.read_text())["use_cpu"] is True
    assert load_config_from_file(str(path)).mixed_precision == "bf16"


def test_arrow_keys_and_typed_numbers_move_and_wrong_answers_are_asked_again(terminal_config):
    type_keys = DOWN + DOWN + UP + UP + UP + Keys("10") + Keys("4") + ENTER  # TPU, and then 4 again: 104 is none
    steps = [
        ("Where will", DOWN + ENTER),
        ("does not do this", UP),
        ("Where will", ENTER),
        ("Which kind", type_keys),
        ("How many machines", "two\r"),
        ("whole number", ""),
        ("How many machines", "1\r"),
        ("collective", "maybe\r"),
        ("answer yes or no", ""),
        ("collective", "n\r"),
        ("dynamo", "\r"),
        ("DeepSpeed", "yes\r"),
        ("does not do this", ""),
        ("Use DeepSpeed", "no\r"),
        ("Fully", "\r"),
        ("Megatron", "\r"),
        ("GPUs in total", "1\r"),
        ("not distributed", ""),
        ("GPUs in total", "4\r"),
        ("Which GPUs", "0,1,2,3\r"),
        ("CPUs near", "y\r"),
        ("mixed precision", Keys("3\r")),
        ("does not do this", ""),
        ("mixed precision", Keys("2\r")),
    ]
    code, screen, path = terminal_config(steps)
    assert code == 0, screen
    written = yaml.safe_load(path.read_text())
    assert (written["distributed_type"], written["num_processes"], written["gpu_ids"]) == ("MULTI_GPU", 4, "0,1,2,3")
    assert written["enable_cpu_affinity"] is True and written["mixed_precision"] == "bf16"


@pytest.mark.parametrize("words, env", [([], {"LANG": "zh_CN.UTF-8"}), (["--lang", "zh"], {})])
def test_chinese_by_environment_or_option(words, env, terminal_config):
    steps = [
        ("训练在哪里运行", ENTER),
        ("哪种训练方式", ENTER),
        ("只用 CPU 训练", "是\r"),
        ("dynamo", "否\r"),
        ("DeepSpeed", "\r"),
        ("混合精度", ENTER),
    ]
    code, screen, path = terminal_config(steps, *words, env=env)
    assert code == 0 and "已保存到" in screen
    assert yaml.safe_load(path.read_text())["use_cpu"] is True


def test_ctrl_c_in_a_menu_writes_nothing_and_restores_the_terminal(terminal_config):
    code, screen, path = terminal_config([("Where will", ENTER), ("Which kind", Keys("\x03"))])
    assert code == 130 and not path.exists(), screen


def test_input_that_ends_early_writes_nothing_and_names_the_question(config, tmp_path):
    done = config("--config-file", tmp_path / "conf.yaml", input="\n4\n")
    assert done.returncode == 1
    assert "How many machines" in done.stderr and not list(tmp_path.iterdir())


def test_a_path_that_cannot_be_written_is_refused_before_the_first_question(config, tmp_path):
    done = config("--config-file", tmp_path / "nowhere" / "conf.yaml", input="\n" * 20)
    assert done.returncode == 2 and "nowhere" in done.stderr and "Where will" not in done.stdout


def test_a_replaced_file_is_kept(config, tmp_path):
    (tmp_path / "conf.yaml").write_text("precious: true\n")
    assert config("--config-file", tmp_path / "conf.yaml", input="\n\nyes\n\n\n\n").returncode == 0
    assert (tmp_path / "conf.yaml.old").read_text() == "precious: true\n"


def test_without_a_path_the_file_goes_where_accelerate_looks(config, tmp_path):
    done = config(input="\n\nyes\n\n\n\n", env={"HF_HOME": str(tmp_path / "hf")})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "hf" / "accelerate" / "default_config.yaml").exists()


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_config_default_writes_what_accelerates_default_writes(precision, config, tmp_path):
    write_basic_config(precision, str(tmp_path / "real.json"))
    done = config("default", "--config_file", tmp_path / "ours.yaml", "--mixed_precision", precision)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load((tmp_path / "ours.yaml").read_text()) == json.loads((tmp_path / "real.json").read_text())
    again = config("default", "--config_file", tmp_path / "ours.yaml", "--mixed_precision", "fp16")
    assert again.returncode == 0 and "left as it is" in again.stdout
    assert yaml.safe_load((tmp_path / "ours.yaml").read_text())["mixed_precision"] == precision

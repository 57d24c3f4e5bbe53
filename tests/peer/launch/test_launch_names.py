"""mdl-launch under the names torchrun and accelerate: the name decides whose command line it reads."""

import json

import pytest

from launching import MDL_LAUNCH, TORCHRUN, VENV_BIN, environment, launch


@pytest.fixture
def named(tmp_path):
    """Makes a link to mdl-launch of a name."""

    def link(name):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / name).symlink_to(MDL_LAUNCH)
        return folder / name

    return link


def test_torchrun_has_no_commands_so_a_script_may_have_the_name_of_one(named, tmp_path):
    for name in ("status", "launch", "config"):
        (tmp_path / name).write_text("import os, sys; os.write(1, f'{os.environ[\"RANK\"]} {sys.argv}\\n'.encode())")
    ours = named("torchrun")
    for words in (["--standalone", "--nproc_per_node=2", "status", "--json"], ["launch", "--cpu", "x"], ["config"]):
        outcomes = [launch(*words, launcher=launcher, cwd=tmp_path) for launcher in (ours, TORCHRUN)]
        assert [done.returncode for done in outcomes] == [0, 0], outcomes[0].stderr
        assert sorted(outcomes[0].stdout.splitlines()) == sorted(outcomes[1].stdout.splitlines())


def test_a_wrong_word_for_torchrun_ends_as_with_the_real_one(named):
    ours = launch("--standalne", "x.py", launcher=named("torchrun"))
    assert ours.returncode == 2 and "--standalone" in ours.stderr


def test_accelerate_launch_and_config_are_the_real_ones(named, tmp_path):
    ours = named("accelerate")
    files = {launcher: tmp_path / f"{number}.yaml" for number, launcher in enumerate((ours, VENV_BIN / "accelerate"))}
    for launcher, path in files.items():
        done = launch("config", "default", "--config_file", path, launcher=launcher, env=environment(CUDA_VISIBLE_DEVICES=""))
        assert done.returncode == 0, done.stderr
    assert files[ours].exists() and all(path.exists() for path in files.values())

    script = tmp_path / "show.py"
    script.write_text("import os, sys; print(os.environ['ACCELERATE_MIXED_PRECISION'], sys.argv[1:])")
    words = ("launch", "--config_file", files[ours], "--mixed_precision", "bf16", script, "--flag")
    shown = [launch(*words, launcher=launcher).stdout for launcher in files]
    assert shown == ["bf16 ['--flag']\n"] * 2


def test_what_only_pythons_accelerate_has_is_told_so_and_a_script_is_no_command(named):
    ours = named("accelerate")
    for words, said in (
        (["estimate-memory", "x"], "needs Python's accelerate"),
        (["train.py"], 'no command "train.py"'),
        ([], "launch, config, env"),
    ):
        done = launch(*words, launcher=ours)
        assert done.returncode == 2 and said in done.stderr


def test_other_names_are_mdl_launchs_own(named):
    done = launch("launch", "--dry-run", "--cpu", "train.py", launcher=named("run-it"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)

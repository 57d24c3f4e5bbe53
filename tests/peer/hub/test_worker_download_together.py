"""Several processes want one model: one downloads, the others wait for it; two that do not know of each other do no harm."""

import subprocess
from pathlib import Path

import pytest

from downloads import Downloader, check_names, unfinished

WAITS = "waiting for process "


def requests_of(repository):
    """How often each file was asked for, by those who wanted its content."""
    files = [asked.file for asked in repository.asked if asked.for_content and asked.file]
    return {file: files.count(file) for file in files}


@pytest.mark.parametrize("modelscope", [False, True])
def test_the_second_process_waits_for_the_first(modelscope, toolkit, hub, published, tmp_path):
    repository = hub.add(f"an-org/two-{modelscope}", published)
    user = Downloader(toolkit, hub, tmp_path, modelscope=modelscope)
    lines, others = [], []

    def start_another():
        others.append(user.start(repository.name))
        lines.append(others[0].stderr.readline())

    repository.fault(path="model.safetensors", side="cdn", at_byte=(900_000, start_another), times=1)
    folder = user.fetch(repository.name)
    out, errors = others[0].communicate(timeout=60)

    assert WAITS in lines[0] and f"downloading {repository.name}" in lines[0]
    assert (others[0].returncode, out.strip()) == (0, folder), errors
    assert set(requests_of(repository).values()) == {1}
    assert repository.name not in errors, "no second download"


@pytest.mark.parametrize("modelscope", [False, True])
def test_two_that_do_not_know_of_each_other_leave_one_whole_model(modelscope, toolkit, hub, published, tmp_path):
    """As those of two nodes on one shared cache: with another revision they do not meet on this one."""
    repository = hub.add(f"an-org/strangers-{modelscope}", revisions={"main": published, "v1": published, "v2": published})
    user = Downloader(toolkit, hub, tmp_path, modelscope=modelscope)
    others = []

    first, second = ((), ("--revision", "master")) if modelscope else (("--revision", "v1"), ("--revision", "v2"))

    def run_another():
        others.append(user.ask(repository.name, *second))

    repository.fault(path="model.safetensors", side="cdn", at_byte=(900_000, run_another), times=1)
    folder = user.fetch(repository.name, *first)

    assert others[0][0] == 0, others[0][2]
    assert others[0][1] == folder
    check_names(user.cache, repository)
    assert unfinished(user.cache) == []
    names = sorted(path.relative_to(folder) for path in Path(folder).rglob("*"))
    for how in (first + second if modelscope else first, (*first, "--verify", "true")):  # both at once, with weights to mend
        weights = Path(folder) / "model.safetensors"
        weights.resolve().write_bytes(bytes(weights.stat().st_size))
        (Path(folder) / "config.json").unlink()
        both = [user.start(repository.name, *first, "--verify", "true"), user.start(repository.name, *how)]
        told = [process.communicate(timeout=60) for process in both]
        assert [process.returncode for process in both] == [0, 0], told
        assert sorted(path.relative_to(folder) for path in Path(folder).rglob("*")) == names
        check_names(user.cache, repository)


@pytest.mark.parametrize("modelscope", [False, True])
def test_one_that_wants_less_of_the_same_does_no_harm(modelscope, toolkit, hub, published, tmp_path):
    """info wants all but the weights, so it does not wait for who downloads all; as two nodes, both write to one snapshot."""
    repository = hub.add(f"an-org/less-{modelscope}", published)
    user = Downloader(toolkit, hub, tmp_path, modelscope=modelscope)
    told = []

    def run_info():
        check_names(user.cache, repository)
        command = [str(toolkit), "info", *user.command(repository.name)[2:]]
        told.append(subprocess.run(command, env=user.variables, capture_output=True, text=True, timeout=60))

    for place in ("config.json", "model.safetensors"):
        repository.fault(path=place, at_byte=(1, run_info), times=1)
    folder = Path(user.fetch(repository.name))

    assert [done.returncode for done in told] == [0, 0], told
    assert "the weights are not here" in told[1].stdout
    check_names(user.cache, repository)
    assert unfinished(user.cache) == [] and (folder / "model.safetensors").stat().st_size > 0
    assert {path.parent.name for path in user.cache.rglob("config.json")} == {folder.name}


def launch(bin_dir, user, *command):
    line = [bin_dir / "mdl-launch", "--standalone", "--nproc-per-node", "2", "--no-python", *command]
    return subprocess.run([str(part) for part in line], env=user.variables, capture_output=True, text=True, timeout=120)


def test_of_two_ranks_one_downloads(bin_dir, toolkit, hub, published, tmp_path):
    repository = hub.add("an-org/ranks", published)
    user = Downloader(toolkit, hub, tmp_path)
    done = launch(bin_dir, user, *user.command(repository.name))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"snapshots/{repository.find('main').commit}") == 2
    assert set(requests_of(repository).values()) == {1}


def test_a_download_that_fails_ends_all_ranks_with_its_error(bin_dir, toolkit, hub, published, tmp_path):
    repository = hub.add("an-org/failing", published)
    repository.fault(path="model.safetensors", side="cdn", status=410, message="gone")
    user = Downloader(toolkit, hub, tmp_path)
    done = launch(bin_dir, user, *user.command(repository.name))
    assert done.returncode != 0
    assert ": cannot get model.safetensors of an-org/failing" in done.stderr
    check_names(user.cache, repository)


def test_a_process_that_is_killed_hands_over_to_one_that_waits(toolkit, hub, published, tmp_path):
    repository = hub.add("an-org/handed-over", published)
    user = Downloader(toolkit, hub, tmp_path)
    first, second = [], []

    def kill_the_first():
        second.append(user.start(repository.name))
        assert WAITS in second[0].stderr.readline()
        first[0].kill()

    repository.fault(path="model.safetensors", side="cdn", at_byte=(1_500_000, kill_the_first), times=1)
    with user.start(repository.name) as process:
        first.append(process)
        process.communicate(timeout=60)
    out, errors = second[0].communicate(timeout=60)
    assert second[0].returncode == 0, errors
    assert (tmp_path / out.strip() / "model.safetensors").read_bytes() == (published / "model.safetensors").read_bytes()

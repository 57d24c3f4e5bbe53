"""The files of scripts/cluster that start containers: their image is the one that the Dockerfile builds, and our programs know each option."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

CLUSTER = Path(__file__).resolve().parents[3] / "scripts" / "cluster"
FILES = sorted(path.name for path in CLUSTER.glob("*.yaml"))


def documents(name):
    return list(yaml.safe_load_all((CLUSTER / name).read_text()))


def containers(value):
    """Whatever has an image and a command, however deep."""
    if isinstance(value, dict):
        if "image" in value:
            yield value
        value = list(value.values())
    for child in value if isinstance(value, list) else ():
        yield from containers(child)


def only_container(name):
    (found,) = [one for document in documents(name) for one in containers(document)]
    return found


def split(container):
    """(words of mdl-launch, words of mdl-toolkit)."""
    words = [*container["command"], *container.get("args", [])]
    assert words[0] == "mdl-launch"
    at = words.index("mdl-toolkit")
    return words[1:at], words[at + 1 :]


def test_all_files_of_kubernetes_are_looked_at():
    assert FILES == ["kubeflow-pytorchjob.yaml", "kubeflow-trainjob.yaml", "kubernetes-job.yaml"]


@pytest.mark.parametrize("name", FILES)
def test_the_image_is_the_one_that_the_dockerfile_builds(name):
    text = (CLUSTER / "Dockerfile").read_text()
    (target, tag) = re.search(r"^#   docker build --target (\S+) --tag (\S+) --file scripts/cluster/Dockerfile dist$", text, re.M).groups()
    assert only_container(name)["image"] == tag
    assert not tag.endswith(":latest")  # which Kubernetes pulls again for each pod
    assert re.findall(r"^FROM \S+ AS (\S+)$", text, re.M) == ["launcher", target]


@pytest.mark.parametrize("name", FILES)
def test_the_launcher_knows_every_option(name, bin_dir, tmp_path):
    words, _ = split(only_container(name))
    if words[0] == "launch":
        config = tmp_path / "accelerate.yaml"
        (text,) = [document["data"][config.name] for document in documents(name) if document["kind"] == "ConfigMap"]
        config.write_text(text)
        words = [word.replace("/etc/midashenglm/accelerate.yaml", str(config)) for word in words]
        command = [bin_dir / "mdl-launch", "launch", "--dry-run", *words[1:], "true"]
    else:
        words = [word.replace("=gpu", "=2") for word in words]  # there may be none here
        command = [bin_dir / "mdl-launch", "doctor", "--json", "--wait", "0", *words, "true"]
    done = subprocess.run(command, env={**os.environ, "JOB_COMPLETION_INDEX": "1"}, capture_output=True, text=True, timeout=60)
    assert "unknown option" not in done.stderr
    assert json.loads(done.stdout)


@pytest.mark.parametrize("name", FILES)
def test_the_worker_knows_every_option(name, toolkit):
    """It has understood the command line when it looks for the data, which are not on this machine."""
    _, words = split(only_container(name))
    data = next(word for word in words if word.startswith("--train-dataset=")).partition("=")[2]
    assert not Path(data).exists()
    done = subprocess.run([toolkit, *words], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"no dataset folder {data}" in done.stderr

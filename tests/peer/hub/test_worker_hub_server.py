"""The tests' hub is one to the real packages: they fetch a small checkpoint from it, and see its errors as the real hubs'."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hub_server import HubServer
from real_hubs import HUGGINGFACE, MODELSCOPE, environment, fetch, tree

NAME = "someone/small.model"


@pytest.fixture(scope="module")
def repository(hub, published):
    return hub.add(NAME, published)


def test_huggingface_hub_fetches_and_leaves_its_tree(hub, repository, published, tmp_path):
    repository.clear()
    variables = environment(tmp_path, HF_ENDPOINT=hub.endpoint, HF_TOKEN="hf_secret")

    folder = Path(fetch(HUGGINGFACE, NAME, variables))

    commit = repository.find("main").commit
    files = repository.find("main").files
    cache = tmp_path / ".cache/huggingface/hub"
    left = tree(cache)
    model = f"models--{NAME.replace('/', '--')}"
    assert folder == cache / model / "snapshots" / commit
    assert left.pop("CACHEDIR.TAG").startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")
    assert left.pop(f"{model}/refs/main") == commit.encode()
    assert json.loads(left.pop(f"{model}/trees/{commit}.json"))["format_version"] == 1
    for path, file in files.items():
        up = "../" * path.count("/")
        assert left.pop(f"{model}/snapshots/{commit}/{path}") == f"{up}../../blobs/{file.etag}"
        assert left.pop(f"{model}/blobs/{file.etag}", b"") in (file.source.read_bytes(), b"")
    assert {path for path, what in left.items() if what is not None} == set()
    assert fetch(HUGGINGFACE, NAME, variables, offline=True) == str(folder)
    assert len([asked for asked in repository.asked if "/tree/" in asked.target]) > 1, "the listing has pages"
    assert {asked.authorization for asked in repository.asked if asked.side == "hub"} == {"Bearer hf_secret"}
    assert {asked.authorization for asked in repository.asked if asked.side == "cdn"} == {""}
    assert (folder / "model.safetensors").read_bytes() == (published / "model.safetensors").read_bytes()


def test_modelscope_fetches_and_leaves_its_tree(hub, repository, tmp_path):
    repository.clear()
    variables = environment(tmp_path, MODELSCOPE_DOMAIN=hub.endpoint, MODELSCOPE_API_TOKEN="ms-secret")

    folder = Path(fetch(MODELSCOPE, NAME, variables))

    cache = tmp_path / ".cache/modelscope"
    left = tree(cache)
    model = f"models/{NAME.replace('/', '--')}/snapshots/master"
    assert folder == cache / model
    for path, file in repository.find("main").files.items():
        assert left.pop(f"{model}/{path}") == file.source.read_bytes()
    assert {path for path, what in left.items() if what is not None} == set()
    assert fetch(MODELSCOPE, NAME, variables, offline=True) == str(folder)
    assert {asked.authorization for asked in repository.asked if asked.side == "hub"} == {"Bearer ms-secret"}
    assert {(asked.authorization, asked.cookie) for asked in repository.asked if asked.side == "cdn"} == {("", "")}


ERRORS = """
import sys, huggingface_hub
from huggingface_hub import errors
def name_of(**options):
    try:
        huggingface_hub.hf_hub_download(**options)
    except Exception as error:
        return type(error).__name__
    return ""
print(name_of(repo_id="someone/none", filename="config.json"))
print(name_of(repo_id="someone/small.model", filename="config.json", revision="none"))
print(name_of(repo_id="someone/small.model", filename="none.json"))
print(name_of(repo_id="someone/gated", filename="config.json"))
print(name_of(repo_id="someone/private", filename="config.json"))
print(name_of(repo_id="someone/private", filename="config.json", token="hf_right"))
"""


def test_errors_are_those_of_the_real_hub(hub, repository, published, tmp_path):
    repository.clear()
    hub.add("someone/gated", published, token="hf_right", gated=True)
    hub.add("someone/private", published, token="hf_right")

    done = subprocess.run(
        [sys.executable, "-c", ERRORS], env=environment(tmp_path, HF_ENDPOINT=hub.endpoint), capture_output=True, text=True, check=True
    )

    missing = "RepositoryNotFoundError"
    assert done.stdout.split("\n")[:6] == [missing, "RevisionNotFoundError", "RemoteEntryNotFoundError", "GatedRepoError", missing, ""]


def test_faults_come_as_ordered_and_the_real_package_goes_on(hub, repository, tmp_path):
    repository.clear()
    cut = repository.fault(path="model.safetensors", side="cdn", method="GET", cut_after=100_000, times=1)
    busy = repository.fault(path="config.json", side="hub", method="HEAD", status=503, times=1)
    variables = environment(tmp_path, HF_ENDPOINT=hub.endpoint)

    folder = Path(fetch(HUGGINGFACE, NAME, variables))

    assert (cut.times, busy.times) == (0, 0)
    file = repository.find("main").files["model.safetensors"]
    assert (folder / file.path).read_bytes() == file.source.read_bytes()
    assert [(asked.status, asked.sent) for asked in repository.asked_for(file.path) if asked.side == "cdn"][0] == (200, 100_000)
    assert repository.asked_for(file.path)[-1].sent == file.size


def test_https_is_believed_by_its_own_authority_only(authority, published, tmp_path):
    with HubServer(authority.sign("DNS:localhost", "IP:127.0.0.1")) as server:
        server.add(NAME, published)
        variables = environment(tmp_path, HF_ENDPOINT=server.endpoint)
        fetch(HUGGINGFACE, NAME, {**variables, "SSL_CERT_FILE": str(authority.certificate)}, patterns=["*.json"])
        with pytest.raises(subprocess.CalledProcessError) as refused:
            fetch(HUGGINGFACE, NAME, {**variables, "HF_HUB_CACHE": str(tmp_path / "other")})
        assert "CERTIFICATE_VERIFY_FAILED" in refused.value.stderr

"""`mdl-toolkit download`: what it leaves is what the real packages leave, and each side goes on with the other's cache."""

import os
import queue
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from downloads import WANTED, Downloader, modes, unfinished
from hub_server import HubServer
from real_hubs import HUGGINGFACE, MODELSCOPE, environment, fetch, tree

NAME = "an-org/model_1.5"
REAL = {"huggingface": HUGGINGFACE, "modelscope": MODELSCOPE}


@pytest.fixture(scope="module")
def repository(hub, published):
    return hub.add(NAME, revisions={"main": published, "v1.0": published, "pr/1": published})


def without_listings(found):
    """A tree without huggingface_hub's own listings of repositories, which name files that we do not fetch."""
    return {path: what for path, what in found.items() if not path.split("/")[1:2] == ["trees"]}


@pytest.mark.parametrize("api", ["huggingface", "modelscope"])
def test_both_sides_leave_the_same_tree_and_need_no_network_with_it(api, toolkit, hub, repository, tmp_path):
    ours = Downloader(toolkit, hub, tmp_path / "ours", modelscope=api == "modelscope")
    theirs = Downloader(toolkit, hub, tmp_path / "theirs", modelscope=api == "modelscope")

    folder = ours.fetch(NAME)
    real = fetch(REAL[api], NAME, theirs.variables, patterns=WANTED)

    assert folder == real.replace("/theirs/", "/ours/")
    assert tree(ours.cache) == without_listings(tree(theirs.cache))
    assert modes(ours.cache) == without_listings(modes(theirs.cache))

    repository.clear()
    assert fetch(REAL[api], NAME, ours.variables, offline=True) == folder
    assert theirs.fetch(NAME, HF_HUB_OFFLINE="1") == real
    assert repository.asked == [] or api == "modelscope", "offline nothing is asked; ModelScope's package has no such variable"
    repository.clear()
    assert ours.fetch(NAME) == folder
    assert {asked.file for asked in repository.asked} == {""}, "what is there is compared with the listing, and not fetched"
    repository.clear()
    nonsense = {"HF_ENDPOINT": "nonsense", "HF_TOKEN": "a\x01", "HF_HUB_ETAG_TIMEOUT": "ten", "MODELSCOPE_DOMAIN": "ftp://x"}
    code, out, errors = ours.ask(NAME, **(nonsense if api == "huggingface" else {**nonsense, "MODELSCOPE_API_TOKEN": "a;b"}))
    assert (code, out) == (2, "") and errors.count("error:") == 1, "a wrong setting is no network that fails"
    for status in (401, 403, 404):
        repository.fault(path="", status=status, times=1)
        code, out, errors = ours.ask(NAME)
        assert (code, out) == (0, folder), errors
        assert f"answers {status} for {NAME} now; the copy in the cache is taken" in errors and errors.count("\n") == 1
    repository.clear()
    assert "could not be compared" in ours.ask(NAME, **{"MODELSCOPE_DOMAIN": "http://localhost:1", "HF_ENDPOINT": "http://localhost:1"})[2]
    command = [str(toolkit), "info", *ours.command(NAME)[2:]]
    assert subprocess.run(command, env={**ours.variables, **nonsense}, stdout=subprocess.DEVNULL).returncode == 0
    assert repository.asked == [], "other commands ask nothing where the cache has the model"


@pytest.mark.parametrize("revision", ["v1.0", "pr/1", "commit"])
def test_a_revision_leaves_the_tree_of_the_real_package(revision, toolkit, hub, repository, tmp_path):
    revision = repository.find("main").commit if revision == "commit" else revision
    ours, theirs = (Downloader(toolkit, hub, tmp_path / name) for name in ("ours", "theirs"))
    fetch(HUGGINGFACE, NAME, theirs.variables, revision=revision, patterns=WANTED)
    folder = ours.fetch(f"{NAME}@{revision}")
    assert ours.fetch(NAME, "--revision", revision, HF_HUB_OFFLINE="1") == folder
    assert tree(ours.cache) == without_listings(tree(theirs.cache))


def test_without_links_the_tree_is_that_of_the_real_package_too(toolkit, hub, repository, tmp_path):
    ours, theirs = (Downloader(toolkit, hub, tmp_path / name, HF_HUB_DISABLE_SYMLINKS="1") for name in ("ours", "theirs"))
    folder = ours.fetch(NAME)
    fetch(HUGGINGFACE, NAME, theirs.variables, patterns=WANTED)
    assert fetch(HUGGINGFACE, NAME, ours.variables, offline=True) == folder
    assert theirs.fetch(NAME, HF_HUB_OFFLINE="1") == folder.replace("/ours/", "/theirs/")
    real = {path: what for path, what in without_listings(tree(theirs.cache)).items() if "/blobs" not in path}
    assert {path: what for path, what in tree(ours.cache).items() if "/blobs" not in path} == real


def test_modelscope_caches_of_older_versions_are_found(toolkit, hub, repository, published, tmp_path):
    ours = Downloader(toolkit, hub, tmp_path, modelscope=True)
    old = ours.cache / "hub/models/an-org/model_1___5"
    old.parent.mkdir(parents=True)
    old.symlink_to(published)
    repository.clear()
    assert ours.fetch(NAME) == ours.fetch(NAME, "--verify", "true") == fetch(MODELSCOPE, NAME, ours.variables, offline=True) == str(old)
    assert {asked.file for asked in repository.asked} == {""}
    assert ", 0 wrong" in ours.ask(NAME, "--verify", "true")[2]
    old.unlink()
    shutil.copytree(published, old)
    (old / "extra/notes.json").unlink()
    code, out, errors = ours.ask(NAME)
    assert (code, out) == (0, str(old)) and "lacks" in errors and "extra/notes.json" in errors and "remove that folder" in errors
    content = (old / "model.safetensors").read_bytes()
    (old / "model.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    errors = ours.refuse(NAME, "--verify", "true", exit_code=1)
    assert "model.safetensors" in errors and not (old / "extra/notes.json").exists()


@pytest.mark.parametrize("modelscope", [False, True])
def test_what_the_real_package_was_not_asked_for_comes_with_download(modelscope, toolkit, hub, repository, tmp_path):
    user = Downloader(toolkit, hub, tmp_path, modelscope=modelscope)
    few = ["config.json", "tokenizer.json", "model.safetensors"]
    folder = fetch(MODELSCOPE if modelscope else HUGGINGFACE, NAME, user.variables, patterns=few)
    for listings in user.cache.glob("models--*/trees"):  # huggingface_hub below 2 leaves none
        shutil.rmtree(listings)
    repository.clear()
    code, out, errors = user.ask(NAME)
    assert (code, out) == (0, folder), errors
    assert f"{folder} lacks " in errors
    assert (Path(folder) / "generation_config.json").exists() and (Path(folder) / "extra/notes.json").exists()
    assert repository.asked_for("model.safetensors") == []
    lost = Path(folder) / "config.json"
    lost.resolve().unlink()
    lost.unlink(missing_ok=True)
    assert ": 1 file, 2.0 kB\n" in user.ask(NAME)[2], "what is missing is counted"


def spoil(path):
    """Another byte in a file of the cache, which keeps its size."""
    content = path.read_bytes()
    path.resolve().write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize("how", ["huggingface", "no links", "modelscope"])
def test_verify_reads_every_file_and_downloads_wrong_ones_again(how, toolkit, hub, repository, published, tmp_path):
    variables = {"HF_HUB_DISABLE_SYMLINKS": "1"} if how == "no links" else {}
    user = Downloader(toolkit, hub, tmp_path, modelscope=how == "modelscope", **variables)
    folder = user.fetch(NAME)
    changed = [path.stat().st_mtime_ns for path in Path(folder).parents[:2]]
    code, out, errors = user.ask(NAME, "--verify", "true")
    assert (code, out) == (0, folder) and ", 0 wrong" in errors and "downloading" not in errors, errors
    assert changed == [path.stat().st_mtime_ns for path in Path(folder).parents[:2]], "nothing is made where nothing is missing"
    wrong = ["extra/empty.txt", "generation_config.json", "model.safetensors"]
    (Path(folder) / wrong[0]).resolve().write_text("not empty")
    for name in wrong[1:]:
        spoil(Path(folder) / name)
    repository.clear()
    code, out, errors = user.ask(NAME, "--verify", "true")
    assert (code, out) == (0, folder), errors
    count = len([path for path in Path(folder).rglob("*") if path.is_file()])
    assert f" 3 of {count} files wrong ({', '.join(wrong)}): downloading them again" in errors, errors
    assert {asked.file for asked in repository.asked} == {"", *wrong[1:]}, "for nothing nobody is asked"
    for name in wrong:
        assert (Path(folder) / name).read_bytes() == (published / name).read_bytes()
    assert ", 0 wrong" in user.ask(NAME, "--verify", "true")[2] and unfinished(user.cache) == []
    if how != "modelscope":
        assert "--verify true needs the listing" in user.refuse(NAME, "--verify", "true", exit_code=2, HF_HUB_OFFLINE="1")
    repository.fault(path="", status=410)
    assert "cannot get" in user.refuse(NAME, "--verify", "true", exit_code=1)
    repository.clear()


def test_download_brings_a_branch_to_what_the_hub_has_now(toolkit, hub, published, tmp_path):
    newer = tmp_path / "newer"
    shutil.copytree(published, newer)
    (newer / "extra/more.json").write_text("[1]")
    repository = hub.add("an-org/moving", revisions={"main": published, "v2": newer})
    user = Downloader(toolkit, hub, tmp_path)
    old = user.fetch(repository.name)
    commit = repository.find("main").commit
    repository.revisions["main"] = repository.revisions["v2"]
    repository.clear()
    code, new, errors = user.ask(repository.name)
    assert code == 0 and new != old and "no longer what the hub has" in errors, errors
    assert {asked.file for asked in repository.asked} == {"", "extra/more.json"}
    assert user.fetch(f"{repository.name}@{commit}", HF_HUB_OFFLINE="1") == old
    assert user.fetch(repository.name, HF_HUB_OFFLINE="1") == new


PLACES = [
    {},
    {"XDG_CACHE_HOME": "{home}/xdg"},
    {"XDG_CACHE_HOME": "{home}/xdg", "HF_HOME": "~/hf"},
    {"HF_HOME": "$BASE/hf", "BASE": "{home}/base"},
    {"HF_HOME": "{home}/hf", "HUGGINGFACE_HUB_CACHE": "{home}/older"},
    {"HUGGINGFACE_HUB_CACHE": "{home}/older", "HF_HUB_CACHE": "~/${NAME}/newer", "NAME": "name"},
]


def test_the_cache_is_where_the_real_package_has_it(toolkit, hub, tmp_path):
    for place in PLACES:
        variables = {key: value.replace("{home}", str(tmp_path)) for key, value in place.items()}
        code = "from huggingface_hub import constants; print(constants.HF_HUB_CACHE, constants.HF_TOKEN_PATH)"
        env = environment(tmp_path, **variables)
        cache, token = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True).stdout.split()
        errors = Downloader(toolkit, hub, tmp_path, **variables).refuse(NAME, HF_HUB_OFFLINE="1")
        assert f"{cache}, and HF_HUB_OFFLINE=1" in errors, place
        assert token


TOKENS = [
    ({"HF_TOKEN": "hf_right"}, True),
    ({"HF_TOKEN_PATH": "{home}/token"}, True),
    ({"HF_HOME": "{home}"}, True),
    ({"HF_TOKEN": "hf_right", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}, False),
    ({"HF_TOKEN": "hf_wrong", "HF_HOME": "{home}"}, False),
    ({}, False),
]


def test_a_token_opens_a_private_model_and_goes_to_the_hub_only(toolkit, hub, published, tmp_path):
    private = hub.add("an-org/private", published, token="hf_right")
    (tmp_path / "token").write_text("hf_right\n")
    for i, (variables, opens) in enumerate(TOKENS):
        private.clear()
        chosen = {key: value.replace("{home}", str(tmp_path)) for key, value in variables.items()}
        ours = Downloader(toolkit, hub, tmp_path / f"home{i}", **chosen)
        code, out, errors = ours.ask(private.name, HF_HUB_CACHE=str(tmp_path / f"cache{i}"), LOGLEVEL="DEBUG")
        assert (code == 0) == opens, (variables, errors)
        assert "hf_right" not in out + errors and "hf_wrong" not in out + errors
        assert opens or "HF_TOKEN" in errors
        sent = {asked.authorization for asked in private.asked if asked.side == "cdn"}
        assert sent == ({""} if opens else set())
        assert b"hf_right" not in b"".join(what for what in tree(tmp_path / f"cache{i}").values() if isinstance(what, bytes))


def test_modelscope_takes_the_token_and_the_cdn_gets_none(toolkit, hub, published, tmp_path):
    private = hub.add("an-org/private-ms", published, token="ms-right")
    ours = Downloader(toolkit, hub, tmp_path, modelscope=True)
    errors = ours.refuse(private.name)
    assert "no permission to access this private repository" in errors and "MODELSCOPE_API_TOKEN" in errors
    ours.fetch(private.name, MODELSCOPE_API_TOKEN="ms-right")
    assert {(asked.authorization, asked.cookie) for asked in private.asked if asked.side == "cdn"} == {("", "")}
    assert ("Bearer ms-right", "m_session_id=ms-right") in {(asked.authorization, asked.cookie) for asked in private.asked}


def test_a_token_leaves_this_machine_by_https_only_and_a_proxy_is_used(toolkit, hub, repository, tmp_path):
    for modelscope in (False, True):
        repository.clear()
        token = {"MODELSCOPE_API_TOKEN" if modelscope else "HF_TOKEN": "secret-token"}
        endpoint = {"MODELSCOPE_DOMAIN" if modelscope else "HF_ENDPOINT": "http://hub.example"}
        ours = Downloader(toolkit, hub, tmp_path / str(modelscope), modelscope=modelscope, **token, **endpoint)
        code, _, errors = ours.ask(NAME, http_proxy=hub.endpoint, no_proxy="localhost")
        assert code == 0, errors
        assert "the token is not sent" in errors and "secret-token" not in errors
        assert {asked.host for asked in repository.asked if asked.side == "hub"} == {"hub.example"}
        assert {(asked.authorization, asked.cookie) for asked in repository.asked} == {("", "")}
        there = Downloader(toolkit, hub, tmp_path / str(modelscope), modelscope=modelscope, **token)
        errors = there.refuse("an-org/nobody", http_proxy="http://127.0.0.1:9", no_proxy="localhost")
        assert "no model of that name" in errors, "a token for this machine passes no proxy"


def test_only_the_right_certificate_is_believed(toolkit, authority, published, tmp_path):
    with HubServer(authority.sign("DNS:localhost", "IP:127.0.0.1")) as server:
        repository = server.add(NAME, published)
        ours = Downloader(toolkit, server, tmp_path, HF_TOKEN="secret-token")
        errors = ours.refuse(NAME)
        assert "certificate" in errors and "SSL_CERT_FILE" in errors
        assert repository.asked == []
        repository.fault(path="config.json", redirect="http://127.0.0.1:9{path}", times=1)
        assert "from https to http" in ours.refuse(NAME, SSL_CERT_FILE=str(authority.certificate))
        ours.fetch(NAME, SSL_CERT_FILE=str(authority.certificate))
        assert "Bearer secret-token" in {asked.authorization for asked in repository.asked}
    with HubServer(authority.sign("DNS:elsewhere.example")) as server:
        repository = server.add(NAME, published)
        for modelscope in (False, True):
            ours = Downloader(toolkit, server, tmp_path / "other", modelscope=modelscope, HF_TOKEN="secret-token")
            errors = ours.refuse(NAME, SSL_CERT_FILE=str(authority.certificate))
            assert "127.0.0.1" in errors and "certificate" in errors
        assert repository.asked == []


@pytest.mark.skipif(os.geteuid() != 0, reason="hiding /etc/ssl needs root")
def test_authorities_are_looked_for_where_systems_keep_them(toolkit, authority, published, tmp_path):
    """In a mount namespace whose /etc/ssl has nothing, or what SUSE has there."""
    hidden = tmp_path / "hidden.sh"
    keeps = '{ [ -z "${KEPT:-}" ] || cp "$KEPT" /etc/ssl/ca-bundle.pem; }'
    inner = f'mount -t tmpfs tmpfs /etc/ssl && {keeps} && exec "$@"'
    hidden.write_text(f"#!/bin/sh\nexec unshare --mount sh -c '{inner}' sh {toolkit} \"$@\"\n")
    hidden.chmod(0o755)
    if subprocess.run([hidden, "--version"], capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount")
    if any(Path(place).exists() for place in ("/etc/pki/tls/certs/ca-bundle.crt", "/var/lib/ca-certificates/ca-bundle.pem")):
        pytest.skip("this system has authorities elsewhere")
    with HubServer(authority.sign("DNS:localhost", "IP:127.0.0.1")) as server:
        repository = server.add(NAME, published)
        ours = Downloader(hidden, server, tmp_path)
        errors = ours.refuse(NAME, exit_code=1)
        for told in ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"):
            assert told in errors
        assert "SSL_CERT_FILE" in errors and "package ca-certificates" in errors
        errors = ours.refuse(NAME, exit_code=2, SSL_CERT_FILE="/nowhere.pem")
        assert "SSL_CERT_FILE=/nowhere.pem is no file that can be read" in errors
        assert repository.asked == []
        ours.fetch(NAME, KEPT=str(authority.certificate))


SCAN = "import huggingface_hub as h; i = h.scan_cache_dir(); print(len(i.repos), i.size_on_disk, *i.warnings)"
SCAN_MODELSCOPE = "from modelscope_hub._cache_manager import scan_cache; print(len(scan_cache().repos))"


@pytest.mark.parametrize("api", ["huggingface", "modelscope"])
def test_each_side_goes_on_where_the_other_was_cut(api, toolkit, hub, repository, published, tmp_path):
    user = Downloader(toolkit, hub, tmp_path / "ours", modelscope=api == "modelscope")
    started = queue.SimpleQueue()
    repository.clear()
    repository.fault(path="model.safetensors", side="cdn", at_byte=(1_500_000, lambda: started.get().kill()), times=1)
    with user.start(NAME) as process:
        started.put(process)
        process.communicate(timeout=60)
    assert unfinished(user.cache), "ours was killed within a file"
    folder = fetch(REAL[api], NAME, user.variables)
    assert (Path(folder) / "model.safetensors").read_bytes() == (published / "model.safetensors").read_bytes()
    scan = SCAN if api == "huggingface" else SCAN_MODELSCOPE
    told = subprocess.run([sys.executable, "-c", scan], env=user.variables, capture_output=True, text=True, check=True).stdout
    assert told.split()[0] == "1" and len(told.split()) <= 2, "the other side's own tool has nothing to complain of"

    user = Downloader(toolkit, hub, tmp_path / "theirs", modelscope=api == "modelscope")
    repository.fault(path="model.safetensors", side="cdn", status=400)
    with pytest.raises(subprocess.CalledProcessError):
        fetch(REAL[api], NAME, user.variables, patterns=WANTED)
    repository.clear()
    folder = user.fetch(NAME)
    assert (Path(folder) / "model.safetensors").read_bytes() == (published / "model.safetensors").read_bytes()
    assert repository.asked_for("tokenizer.json") == [], "what the other side had is not fetched again"


def test_only_what_changed_is_fetched_for_another_revision(toolkit, hub, published, tmp_path):
    newer = tmp_path / "newer"
    shutil.copytree(published, newer)
    text = (newer / "config.json").read_text()
    (newer / "config.json").write_text(text.replace("{", "{ ", 1)[:-1])  # of the same size
    for modelscope in (False, True):
        repository = hub.add(f"an-org/changing-{modelscope}", revisions={"main": published, "v2": newer})
        user = Downloader(toolkit, hub, tmp_path / str(modelscope), modelscope=modelscope)
        folder = Path(user.fetch(repository.name))
        if not modelscope:
            blob = (folder / "model.safetensors").resolve()
            shared = user.cache / "blobs" / blob.name  # as huggingface_hub shares one blob between repositories
            shared.parent.mkdir()
            blob.rename(shared)
            blob.symlink_to(f"../../blobs/{blob.name}")
            repository.clear()
            user.fetch(repository.name, "--revision", "v2")
            assert {asked.file for asked in repository.asked} == {"", "config.json"}
            assert blob.is_symlink() and user.fetch(repository.name, HF_HUB_OFFLINE="1") == str(folder)
        else:
            (folder / "model.safetensors").unlink()  # else nobody asks what is new
            repository.revisions["main"] = repository.revisions["v2"]
            repository.clear()
            assert user.fetch(repository.name) == str(folder)
            assert {asked.file for asked in repository.asked} == {"", "config.json", "model.safetensors"}
            assert (folder / "config.json").read_bytes() == (newer / "config.json").read_bytes()


def test_a_proxy_carries_https_and_its_password_is_not_shown(toolkit, hub, authority, published, tmp_path):
    with HubServer(authority.sign("DNS:localhost", "IP:127.0.0.1")) as server:
        repository = server.add(NAME, published)
        trust = {"SSL_CERT_FILE": str(authority.certificate)}
        ours = Downloader(toolkit, server, tmp_path, HF_TOKEN="secret-token")
        hub.tunnels.clear()
        ours.fetch(NAME, https_proxy=hub.endpoint.replace("http://", "http://user:secret-word@"), **trust)
        hosts = {address.split("://")[1] for address in (server.endpoint, server.cdn)}
        assert set(hub.tunnels) == hosts
        assert {asked.authorization for asked in repository.asked if asked.side == "hub"} == {"Bearer secret-token"}
        shutil.rmtree(ours.cache)
        hub.tunnels.clear()
        ours.fetch(NAME, https_proxy=hub.endpoint, NO_PROXY="127.0.0.1,localhost", **trust)
        assert hub.tunnels == []
        repository.clear()
        mistyped = {"HF_ENDPOINT": server.endpoint.replace("://", "://user:secret-word@") + "99999"}
        assert "HF_ENDPOINT=https://127" in (errors := ours.refuse(NAME, "--revision", "v3", **mistyped)) and "secret" not in errors
        errors = ours.refuse(NAME, "--revision", "v3", ALL_PROXY="http://user:secret-word@127.0.0.1:1", **trust)
        assert "Couldn't connect to server" in errors and "secret" not in errors
        assert repository.asked == []

"""What a user sees of a download, and does to it: its bar, Ctrl-C, a model in several shards, odd answers."""

import json
import os
import pty
import queue
import re
import signal
import subprocess
from pathlib import Path

import pytest

from downloads import Downloader, check_names, unfinished


@pytest.mark.parametrize("modelscope", [False, True])
def test_of_a_model_in_shards_those_of_the_index_are_fetched(modelscope, toolkit, hub, tmp_path):
    folder = tmp_path / "sharded"
    folder.mkdir()
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    for name in ("config.json", "tokenizer.json", *shards, "consolidated.safetensors", "model.bin", "x.pt", "x.gguf", "run.sh"):
        (folder / name).write_text(f'{{"of": "{name}"}}')
    index = {"weight_map": {"a": shards[0], "b": shards[1], "c": shards[0]}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    repository = hub.add(f"an-org/sharded-{modelscope}", folder)
    user = Downloader(toolkit, hub, tmp_path / "home", modelscope=modelscope)
    user.fetch(repository.name)
    wanted = {"config.json", "tokenizer.json", "model.safetensors.index.json", *shards}
    assert {asked.file for asked in repository.asked} - {""} == wanted
    assert user.fetch(repository.name, HF_HUB_OFFLINE="1")
    broken = Path(user.fetch(repository.name)) / "model.safetensors.index.json"
    broken.resolve().write_text("{" * broken.stat().st_size)
    assert user.fetch(repository.name) == str(broken.parent) and json.loads(broken.read_text()) == index
    for path in user.cache.rglob(shards[1]):
        path.unlink()
    repository.clear()
    code, out, errors = user.ask(repository.name, HF_HUB_OFFLINE="1")
    assert (code == 2 and f"lacks {shards[1]}" in errors) if not modelscope else code == 0, (out, errors)


@pytest.mark.parametrize("modelscope", [False, True])
def test_ctrl_c_leaves_what_can_go_on(modelscope, toolkit, hub, large, tmp_path):
    repository = hub.add(f"an-org/interrupted-{modelscope}", large)
    user = Downloader(toolkit, hub, tmp_path, modelscope=modelscope)
    started = queue.SimpleQueue()
    press = {"times": 1, "at_byte": (20 << 20, lambda: started.get().send_signal(signal.SIGINT)), "stall_after": 20 << 20}
    repository.fault(path="model.safetensors", side="cdn", **press)
    with user.start(repository.name) as process:
        started.put(process)
        process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)
    check_names(user.cache, repository)
    assert len(unfinished(user.cache)) == 1
    repository.clear()
    user.fetch(repository.name)
    sent = sum(asked.sent for asked in repository.asked_for("model.safetensors"))
    assert sent <= 60 << 20, "what had come was not sent again"
    assert unfinished(user.cache) == []


def on_terminal(command, env):
    """(exit code, what a terminal shows)."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        text = b""
        try:
            while part := os.read(ours, 4096):
                text += part
        except OSError:  # the other side is closed
            pass
    os.close(ours)
    return process.returncode, text.decode()


def test_a_terminal_has_a_bar_in_bytes(toolkit, hub, large, tmp_path):
    repository = hub.add("an-org/shown", large)
    user = Downloader(toolkit, hub, tmp_path)
    code, text = on_terminal(user.command(repository.name), user.variables)
    assert code == 0 and re.search(r"Downloading 75\.5/75\.5 MB \[#+\] [\d:<]+ \S+ MB/s", text), text
    user = Downloader(toolkit, hub, tmp_path / "quiet", HF_HUB_DISABLE_PROGRESS_BARS="1")
    code, text = on_terminal(user.command(repository.name), user.variables)
    assert code == 0 and "[#" not in text and "\r" not in text.replace("\r\n", ""), text


ODD = ["", "[]", "null", '{"sha": 1}', "<html>", '{"Data": {"Files": [null]}}', "[" * 100_000, '{"sha": "../../x"}', "\x1b[2J"]


@pytest.mark.parametrize("modelscope", [False, True])
def test_odd_answers_are_refused_in_one_message(modelscope, toolkit, hub, published, tmp_path):
    repository = hub.add(f"an-org/odd-{modelscope}", published)
    user = Downloader(toolkit, hub, tmp_path, modelscope=modelscope)
    for text in ODD:
        repository.clear()
        repository.fault(path="", status=200, message=text)
        errors = user.refuse(repository.name)
        assert errors.count("error:") == 1 and repository.name in errors and "\x1b" not in errors, (text[:20], errors)
    key = "Size" if modelscope else "size"
    for size in (-1, 2**62, 2**63, 2**64, 1.5, "1", None):
        repository.clear()
        repository.fault(path="", listing=lambda entries, size=size: [{**entry, "lfs": None, key: size} for entry in entries])
        errors = user.refuse(repository.name)
        assert errors.count("error:") == 1 and repository.name in errors and not repository.asked_for("config.json")
    if not modelscope:
        for address in ("@127.0.0.1:9/x", ".example/x", "tree/main"):
            repository.clear()
            repository.fault(path="", headers={"Link": f'<{address}>; rel="next"'})
            assert "goes on at what is no address" in user.refuse(repository.name)
    repository.clear()
    repository.fault(path="config.json", redirect="http://localhost:1/\x1b[2J{path}")
    assert "\x1b" not in user.refuse(repository.name)
    assert not [path for path in tmp_path.rglob("*") if path.name in ("config.json", "x")]


def test_an_index_of_what_is_no_safetensors_is_refused_and_no_name_steers_the_terminal(toolkit, hub, tmp_path):
    for i, name in enumerate(("evil.bin", "x\x1b[31m\x9b\u202e\u00e4.safetensors")):
        folder = tmp_path / str(i)
        folder.mkdir()
        for path in ("config.json", "tokenizer.json", "evil.bin"):
            (folder / path).write_text("{}")
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
        repository = hub.add(f"an-org/evil-{i}", folder)
        errors = Downloader(toolkit, hub, tmp_path / "home").refuse(repository.name)
        assert "evil.bin, which is no safetensors file" in errors if i == 0 else "\u00e4.safetensors" in errors
        assert not any(mark in errors for mark in "\x1b\x9b\u202e") and not repository.asked_for("evil.bin")

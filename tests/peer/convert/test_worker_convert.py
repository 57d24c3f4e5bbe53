"""convert-dataset beside the real Python tool, on real and made sounds."""

import contextlib
import csv
import http.server
import os
import shutil
import signal
import subprocess
import threading

import numpy as np
import pytest
import transformers
from datasets import load_from_disk
from transformers import AutoProcessor

from conversions import fails, many_rows
from csv_files import write_csv
from programs import run_python_tool


def theirs(venv_bin, *arguments):
    run_python_tool(venv_bin, "convert-dataset", *arguments, answers="y\n")


def assert_equal(ours, theirs, tolerance):
    assert ours.features == theirs.features
    assert ours.column_names == theirs.column_names
    assert ours.split == theirs.split
    assert len(ours) == len(theirs)
    ours, theirs = ours.with_format("numpy"), theirs.with_format("numpy")
    for row in range(len(ours)):
        for column in ("input_ids", "attention_mask", "labels", "audio_length"):
            assert np.array_equal(ours[row][column], theirs[row][column]), (row, column)
        assert ours[row]["input_values"].shape == theirs[row]["input_values"].shape, row
        assert np.abs(ours[row]["input_values"] - theirs[row]["input_values"]).max() <= tolerance, row


@pytest.mark.parametrize("decoder", ["qwen2", "qwen3"])
def test_the_folder_is_the_python_tools(sounds, tmp_path, ours, venv_bin, checkpoint, decoder):
    """Ids, masks, labels, lengths, features and padding are the same. So are the samples, bit by bit, but for Vorbis: the Python wheel
    has another release of libvorbis, so those differ by 1e-6 at most."""
    model = checkpoint(decoder)
    options = [sounds / "all.csv", "--model-name", model, "--base-dir", sounds, "--user-prompt", "Default?"]
    if decoder == "qwen3":
        options += ["--system-prompt", "You hear.", "--tokenizing-batch-size", "5"]
    theirs(venv_bin, *options, "--output", tmp_path / "theirs")
    ours(*options, "--output", tmp_path / "ours", "--max-shard-size", "1MB")
    assert len(list((tmp_path / "ours").glob("data-*-of-*.arrow"))) > 2
    assert sorted(path.suffix for path in (tmp_path / "ours").iterdir() if path.suffix != ".arrow") == [".json", ".json"]
    assert_equal(load_from_disk(tmp_path / "ours"), load_from_disk(tmp_path / "theirs"), tolerance=1e-6)
    exact = {"wav", "flac", "mp3", "opus"}
    with (sounds / "all.csv").open(newline="") as stream:
        kinds = [row["audio"].rpartition(".")[2] for row in csv.DictReader(stream)]
    one, other = (load_from_disk(tmp_path / name).with_format("numpy") for name in ("ours", "theirs"))
    assert sum(kind in exact for kind in kinds) > 30
    for row, kind in enumerate(kinds):
        if kind in exact:
            assert np.array_equal(one[row]["input_values"], other[row]["input_values"]), (row, kind)


def test_a_checkpoint_that_transformers_saved_converts_to_the_same(sounds, tmp_path, ours, checkpoint):
    """As final/ of a training: the settings are in other files then, and the tokenizer has a post-processor."""
    saved = tmp_path / "saved"
    AutoProcessor.from_pretrained(checkpoint(), trust_remote_code=True).save_pretrained(saved)
    shutil.copy(checkpoint() / "config.json", saved)
    # transformers 5 puts all of it into one file, transformers 4 does not.
    assert (saved / "processor_config.json").exists()
    assert (saved / "preprocessor_config.json").exists() == transformers.__version__.startswith("4.")
    for name, model in {"one": checkpoint(), "other": saved}.items():
        ours(sounds / "all.csv", "--base-dir", sounds, "--model-name", model, "--output", tmp_path / name)
    (one,) = (tmp_path / "one").glob("*.arrow")
    assert one.read_bytes() == (tmp_path / "other" / one.name).read_bytes()


def test_pcm16_holds_the_same_sounds_in_half_the_space(sounds, tmp_path, ours, checkpoint):
    options = [sounds / "all.csv", "--model-name", checkpoint(), "--base-dir", sounds, "--tokenizing-batch-size", "1"]
    ours(*options, "--output", tmp_path / "float32")
    ours(*options, "--output", tmp_path / "pcm16", "--audio-encoding", "pcm16")
    wide, narrow = (load_from_disk(tmp_path / name).with_format("numpy") for name in ("float32", "pcm16"))
    assert narrow.features["input_values"].feature.dtype == "int16"
    for row in range(len(wide)):
        assert len(narrow[row]["input_values"]) == narrow[row]["audio_length"] == wide[row]["audio_length"]
        assert np.array_equal(narrow[row]["input_ids"], wide[row]["input_ids"])
        difference = narrow[row]["input_values"] / 32768 - wide[row]["input_values"]
        assert np.abs(difference).max() <= 0.5 / 32768 + 1e-7
    size = {name: sum(path.stat().st_size for path in (tmp_path / name).glob("*.arrow")) for name in ("float32", "pcm16")}
    assert size["pcm16"] < 0.6 * size["float32"]


@pytest.mark.parametrize("place", ["beside", "inside"])
def test_a_killed_run_goes_on_where_it_was(tmp_path, bin_dir, ours, checkpoint, monkeypatch, place):
    """The working folder is one that cannot be renamed, so that it is filled from inside."""
    rows = many_rows(tmp_path, 480, 2.0)
    out = tmp_path / "out"
    if place == "inside":
        out.mkdir()
        monkeypatch.chdir(out)
    options = [rows, "--model-name", checkpoint(), "--max-shard-size", "2MB", "--output", out if place == "beside" else "."]
    process = subprocess.Popen([bin_dir / "mdl-toolkit", "convert-dataset", *map(str, options)], stdout=subprocess.DEVNULL)
    partial = tmp_path / "out.partial" if place == "beside" else out / ".partial"
    while len(list(partial.glob("data-*.arrow"))) < 3:
        with pytest.raises(subprocess.TimeoutExpired):  # it must not be done before it is killed
            process.wait(timeout=0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "state.json").exists()
    finished = len(list(partial.glob("data-*.arrow")))
    printed = ours(*options)
    assert f"({finished} from an earlier run)" in printed
    assert not partial.exists()
    ours(*options[:-1], tmp_path / "whole")
    one, other = load_from_disk(tmp_path / "out"), load_from_disk(tmp_path / "whole")
    assert len(one) == 480
    for name in sorted(path.name for path in (tmp_path / "whole").glob("*.arrow")):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert one[479]["input_ids"] == other[479]["input_ids"]


@contextlib.contextmanager
def mounted(kind, folder, *options):
    """A new file system at the folder, or the test is skipped."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", kind, *options, kind, folder], stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        pytest.skip(f"no {kind} to be had: {done.stderr}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a disk needs root")
@pytest.mark.parametrize("place", ["a disk", "a folder of a container's image"])
def test_a_folder_that_cannot_be_renamed_is_filled_all_the_same(sounds, tmp_path, ours, checkpoint, place):
    write_csv(tmp_path / "rows.csv", [{"audio": "wav-16000-1.wav", "prediction": "a"}])

    def convert(output):
        ours(tmp_path / "rows.csv", "--model-name", checkpoint(), "--base-dir", sounds, "--output", output)
        assert len(load_from_disk(output)) == 1
        assert sorted(path.name for path in output.iterdir()) == ["data-00000-of-00001.arrow", "dataset_info.json", "state.json"]

    with mounted("tmpfs", tmp_path / "disk") as disk:
        if place == "a disk":
            convert(disk)
            convert(disk)
        else:
            for layer in ("image", "changes", "work"):
                (disk / layer).mkdir()
            convert(disk / "image" / "out")
            (disk / "image" / "out" / "cache-1.arrow").touch()  # as datasets' map() leaves it
            layers = f"lowerdir={disk}/image,upperdir={disk}/changes,workdir={disk}/work"
            with mounted("overlay", tmp_path / "root", "-o", layers) as root:
                convert(root / "out")


def test_memory_does_not_grow_with_the_rows(tmp_path, bin_dir, checkpoint):
    def peak(count):
        rows = many_rows(tmp_path, count, 10.0)
        process = subprocess.Popen(
            [bin_dir / "mdl-toolkit", "convert-dataset", rows, "--model-name", checkpoint(), "--output", tmp_path / "out"],
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_maxrss * 1024

    few, many = peak(64), peak(256)
    assert (tmp_path / "out").is_dir()
    # 192 more clips are 123 MB of samples.
    assert many - few < 40e6, (few, many)


class Server(http.server.BaseHTTPRequestHandler):
    tries = {}

    def do_GET(self):
        name = self.path.strip("/")
        self.tries[name] = self.tries.get(name, 0) + 1
        if name == "moved.wav":
            self.send_response(302)
            self.send_header("Location", "/good.wav")
            self.end_headers()
        elif name == "missing.wav":
            self.send_error(404)
        elif name == "busy.wav" and self.tries[name] < 3:
            self.send_error(503)
        elif name == "down.wav":
            self.send_error(500)
        else:
            body = self.sound + (b"\0" * 100_000 if name == "large.wav" else b"")
            self.send_response(200)
            if name != "large.wav":  # as a server that does not say how much is to come
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_sounds_are_fetched_from_addresses(sounds, tmp_path, bin_dir, ours, checkpoint):
    clip = sounds / "wav-16000-1.wav"
    handler = type("Handler", (Server,), {"sound": clip.read_bytes(), "tries": {}})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        try:
            options = ["--model-name", checkpoint(), "--base-dir", sounds]
            names = ["good", "moved", "busy"]
            write_csv(tmp_path / "good.csv", [{"audio": f"{base}/{name}.wav", "prediction": name} for name in names])
            ours(tmp_path / "good.csv", *options, "--output", tmp_path / "fetched")
            write_csv(tmp_path / "local.csv", [{"audio": clip.name, "prediction": name} for name in names])
            ours(tmp_path / "local.csv", *options, "--output", tmp_path / "local")
            assert_equal(load_from_disk(tmp_path / "fetched"), load_from_disk(tmp_path / "local"), tolerance=0)
            assert handler.tries["busy.wav"] == 3

            write_csv(tmp_path / "bad.csv", [{"audio": f"{base}/{name}.wav", "prediction": name} for name in ("missing", "large", "down")])
            message, code = fails(
                bin_dir,
                tmp_path / "bad.csv",
                *options,
                "--output",
                tmp_path / "bad",
                "--download-attempts",
                "2",
                "--max-download-size",
                str(clip.stat().st_size + 1000),
            )
            assert code == 1
            for row, what in enumerate(["answered 404", "larger than", "answered 500 (tried 2 times)"], 1):
                assert any(f"row {row} " in line and what in line for line in message.split("\n")), message
            assert handler.tries["missing.wav"] == 1
            assert handler.tries["down.wav"] == 2
        finally:
            server.shutdown()

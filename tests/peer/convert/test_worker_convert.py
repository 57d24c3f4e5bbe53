"""convert-dataset beside the real Python tool, on real and made sounds."""

import contextlib
import csv
import http.server
import os
import resource
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from datasets import load_from_disk
from transformers import AutoProcessor

from made_inputs import made_once
from programs import run, run_python_tool

TEXTS = [
    "a bell",
    "Zu\u0308rich, \u201cquoted\u201d",
    "\u6f22\u5b57\u306e\u30c6\u30b9\u30c8",
    "two\nlines",
    "\u0645\u0631\u062d\u0628\u0627",
    "x" * 300,
    "5 o'clock",
    "\U0001f600 ok",
]


def sound(path, rate, channels, seconds, seed):
    rng = np.random.default_rng(seed)
    time = np.arange(int(rate * seconds)) / rate
    waves = [0.4 * np.sin(2 * np.pi * (200 + 150 * c) * time * (1 + time)) + 0.05 * rng.standard_normal(len(time)) for c in range(channels)]
    subtype = {"format": "OGG", "subtype": "OPUS"} if path.suffix == ".opus" else {}
    soundfile.write(path, np.stack(waves, 1).astype(np.float32), rate, **subtype)


@pytest.fixture(scope="module")
def sounds(data_dir):
    """A folder with all.csv: every format, rate and number of channels, and a few of Debian's real sounds."""
    target = data_dir / "convert-sounds"
    with made_once(target) as folder:
        if folder:
            folder.mkdir()
            rows = []
            for kind in ("wav", "flac", "ogg", "mp3", "opus"):
                for rate in (8000, 16000, 44100, 48000):
                    if kind == "opus" and rate == 44100:
                        continue  # Opus has no such rate
                    for channels in (1, 2):
                        seed = len(rows)
                        name = f"{kind}-{rate}-{channels}.{kind}"
                        sound(folder / name, rate, channels, 0.15 + 0.21 * seed % 2, seed)
                        rows.append({"audio": name})
            real = sorted(Path("/usr/share/sounds/alsa").glob("*.wav")) + sorted(Path("/usr/share/sounds/freedesktop/stereo").glob("*.oga"))
            rows += [{"audio": str(path)} for path in real[::6]]
            for i, row in enumerate(rows):
                row["prediction"] = TEXTS[i % len(TEXTS)]
                row["system_prompt"] = "Be brief." if i % 3 == 0 else ""
                row["user_prompt"] = f"What is it, no. {i}?" if i % 4 else ""
                row["unused"] = i
            write_csv(folder / "all.csv", rows)
    return target


def write_csv(path, rows):
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def ours(bin_dir):
    """ours(*arguments) -> what our convert-dataset printed; a failure fails the test."""
    return lambda *arguments: run([bin_dir / "mdl-toolkit", "convert-dataset", *arguments])


def fails(bin_dir, *arguments):
    """The message and exit code of a run of ours that must fail."""
    done = subprocess.run([bin_dir / "mdl-toolkit", "convert-dataset", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode != 0, done.stdout
    return done.stderr, done.returncode


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
    assert (saved / "processor_config.json").exists() and not (saved / "preprocessor_config.json").exists()
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


def test_all_bad_rows_are_listed_before_anything_is_written(sounds, tmp_path, bin_dir, checkpoint):
    good = str(sounds / "wav-8000-1.wav")
    (tmp_path / "text.wav").write_text("not a sound")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.float32), 16000)
    write_csv(
        tmp_path / "bad.csv",
        [
            {"audio": good, "user_prompt": "fine", "prediction": "p"},
            {"audio": "", "user_prompt": "", "prediction": "p"},
            {"audio": good, "user_prompt": "", "prediction": ""},
            {"audio": str(tmp_path / "missing.wav"), "user_prompt": "", "prediction": "p"},
            {"audio": str(tmp_path / "text.wav"), "user_prompt": "", "prediction": "p"},
            {"audio": str(tmp_path / "empty.wav"), "user_prompt": "", "prediction": "p"},
            {"audio": good, "user_prompt": "a <|AUDIO|> too many", "prediction": "p"},
        ],
    )
    message, code = fails(bin_dir, tmp_path / "bad.csv", "--model-name", checkpoint(), "--output", tmp_path / "out")
    assert code == 2
    assert "row 1 " not in message
    for row, what in {
        2: "audio is empty",
        3: "prediction is empty",
        4: "missing.wav",
        5: "text.wav",
        6: "empty.wav",
        7: "<|AUDIO|>",
    }.items():
        (line,) = [line for line in message.split("\n") if f"row {row} (line {row + 1})" in line]
        assert what in line
    assert not list(tmp_path.glob("out*"))


def test_a_missing_column_is_told_once_and_the_columns_are_listed(sounds, tmp_path, bin_dir, checkpoint):
    good = str(sounds / "wav-8000-1.wav")
    for columns, missing in (({"audio": good, "answer": "p"}, "prediction"), ({"file": good, "prediction": "p"}, "audio")):
        write_csv(tmp_path / "rows.csv", [columns, columns])
        message, code = fails(bin_dir, tmp_path / "rows.csv", "--model-name", checkpoint(), "--output", tmp_path / "out")
        assert code == 2
        assert message.count(missing) == 2 and f'no column "{missing}"; it has: {", ".join(columns)}' in message  # and in the hint
        assert "row 1" not in message


def test_a_missing_tokenizer_has_one_hint_for_every_command(sounds, tmp_path, bin_dir, checkpoint):
    model = tmp_path / "model"
    shutil.copytree(checkpoint(), model)
    (model / "tokenizer.json").unlink()
    # The file given as the data is looked at later.
    commands = (
        ["convert-dataset", sounds / "all.csv", "--output", tmp_path / "out"],
        ["inference", sounds / "all.csv", "--output", tmp_path / "o.csv"],
        ["train", "--train-dataset", sounds / "all.csv", "--output", tmp_path / "out"],
    )
    hints = set()
    for command in commands:
        done = subprocess.run([bin_dir / "mdl-toolkit", *command, "--model-name", model], capture_output=True, text=True)
        assert done.returncode == 2 and f"{model}/tokenizer.json" in done.stderr
        hints.add(done.stderr.splitlines()[-1])
    assert len(hints) == 1 and "AutoTokenizer.from_pretrained" in hints.pop()


@pytest.mark.parametrize(
    "options, what",
    [
        (["--output", "out", "--outptu", "x"], "--output"),
        ([], "--output is required"),
        (["--output", "out", "--num-workers", "0"], "--num-workers"),
        (["--output", "out", "--audio-encoding", "mp3"], "float32 or pcm16"),
        (["--output", "out", "--max-shard-size", "1TB"], "500MB"),
        (["--output", "out", "--model-name", "nobody/nothing"], "nobody/nothing"),
        (["--output", "out", "--from-modelscope", "true"], "downloads no models"),
        (["more.csv", "--output", "out"], "more.csv"),
        (["--output", "."], "lies there"),
    ],
)
def test_a_wrong_command_line_is_one_message_and_exit_2(sounds, bin_dir, checkpoint, options, what):
    model = [] if "--model-name" in options else ["--model-name", checkpoint()]
    done = subprocess.run(
        [bin_dir / "mdl-toolkit", "convert-dataset", sounds / "all.csv", *model, *options], capture_output=True, text=True, cwd=sounds
    )
    assert done.returncode == 2, done.stderr
    assert what in done.stderr


def many_rows(folder, count, seconds):
    sound(folder / "clip.wav", 16000, 1, seconds, 1)
    write_csv(folder / "many.csv", [{"audio": str(folder / "clip.wav"), "prediction": f"answer {i}"} for i in range(count)])
    return folder / "many.csv"


def test_a_dataset_never_takes_the_place_of_what_it_is_made_from(sounds, tmp_path, bin_dir, ours, checkpoint):
    """The CSV file, or a sound, lies in the dataset folder that would be replaced; also by another name of the folder."""
    rows = (sounds / "all.csv").read_text().splitlines()[:2]
    shutil.copy(sounds / rows[1].split(",")[0], tmp_path / "a.wav")
    (tmp_path / "rows.csv").write_text(f"audio,prediction\n{tmp_path}/a.wav,x\n")
    ours(tmp_path / "rows.csv", "--model-name", checkpoint(), "--output", tmp_path / "out")
    (tmp_path / "link").symlink_to("out")
    shutil.copy(tmp_path / "rows.csv", tmp_path / "out")
    shutil.copy(tmp_path / "a.wav", tmp_path / "out")
    (tmp_path / "inside.csv").write_text(f"audio,prediction\n{tmp_path}/link/a.wav,x\n")
    for source, output, what in (
        (tmp_path / "out" / "rows.csv", tmp_path / "link", "the CSV file"),
        (tmp_path / "inside.csv", tmp_path / "out", "the sounds'"),
    ):
        message, code = fails(bin_dir, source, "--model-name", checkpoint(), "--output", output)
        assert code == 2 and what in message and "lies there" in message
    assert (tmp_path / "out" / "rows.csv").exists() and (tmp_path / "out" / "a.wav").exists()


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


def test_a_link_is_followed_and_one_to_nothing_is_told_at_the_beginning(sounds, tmp_path, bin_dir, ours, checkpoint):
    write_csv(tmp_path / "rows.csv", [{"audio": "wav-16000-1.wav", "prediction": "a"}])
    options = [tmp_path / "rows.csv", "--model-name", checkpoint(), "--base-dir", sounds, "--output", tmp_path / "link"]
    (tmp_path / "link").symlink_to("disk/data")
    message, code = fails(bin_dir, *options, "--base-dir", tmp_path)  # with a bad row, which is not looked at
    assert code == 1
    assert "link is a link to disk/data, which does not exist" in message and "row" not in message
    (tmp_path / "disk" / "data").mkdir(parents=True)
    for _ in range(2):  # the second time in place of a dataset
        ours(*options)
        assert (tmp_path / "link").is_symlink()
        assert len(load_from_disk(tmp_path / "disk" / "data")) == 1
        assert [path.name for path in (tmp_path / "disk").iterdir()] == ["data"]


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


def test_a_sound_that_breaks_off_costs_its_own_data_file_only(sounds, tmp_path, bin_dir, ours, checkpoint):
    rows = [{"audio": str(sounds / "flac-48000-2.flac"), "prediction": str(i)} for i in range(6)]
    whole = (sounds / "flac-48000-1.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) // 2])
    rows[3]["audio"] = str(tmp_path / "cut.flac")
    write_csv(tmp_path / "rows.csv", rows)
    options = [
        tmp_path / "rows.csv",
        "--model-name",
        checkpoint(),
        "--tokenizing-batch-size",
        "1",
        "--max-shard-size",
        "1KB",
        "--output",
        tmp_path / "out",
    ]
    message, code = fails(bin_dir, *options)
    assert code == 1
    assert "row 4 (line 5)" in message and "cut.flac" in message
    assert not (tmp_path / "out").exists()
    (tmp_path / "cut.flac").write_bytes(whole)
    assert "(5 from an earlier run)" in ours(*options)
    assert len(load_from_disk(tmp_path / "out")) == 6


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


@pytest.mark.skipif("MDL_TEST_SANITIZE" in os.environ, reason="a sanitizer takes address space for itself")
def test_lengths_in_headers_take_no_memory_and_memory_that_runs_out_is_told(sounds, tmp_path, bin_dir, checkpoint):
    """A FLAC that was written to a pipe has no length in its header: the Python tool ends there, with an array of 2^63 samples."""
    name = "flac-44100-1.flac"
    flac = bytearray((sounds / name).read_bytes())
    flac[21] &= 0xF0
    flac[22:26] = bytes(4)
    (tmp_path / "piped.flac").write_bytes(flac)
    soundfile.write(tmp_path / "long.flac", np.zeros(3 * 3600 * 1000, "int16"), 1000)  # three hours of silence in a few kilobytes

    def convert(audio, memory):
        write_csv(tmp_path / "rows.csv", [{"audio": audio, "prediction": "a"}])
        return subprocess.run(
            [
                bin_dir / "mdl-toolkit",
                "convert-dataset",
                tmp_path / "rows.csv",
                "--model-name",
                checkpoint(),
                "--num-workers",
                "1",
                "--output",
                tmp_path / "out",
            ],
            capture_output=True,
            text=True,
            timeout=120,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (memory, memory)),
        )

    rows = []
    for path in (tmp_path / "piped.flac", sounds / name):
        done = convert(path, 3_000_000_000)
        assert done.returncode == 0, done.stderr
        rows.append(load_from_disk(tmp_path / "out")[0])
    assert rows[0] == rows[1]
    done = convert(tmp_path / "long.flac", 1_000_000_000)
    assert done.returncode == 1
    assert "row 1 (line 2), " in done.stderr and "long.flac: out of memory: " in done.stderr and "std::" not in done.stderr


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

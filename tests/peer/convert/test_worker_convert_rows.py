"""Rows in other forms than CSV, and sounds that ffmpeg reads: convert-dataset beside the Python tool's own code and the real ffmpeg."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from datasets import load_from_disk

from conversions import fails
from csv_files import write_csv

imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="scripts/requirements-peers.txt has it, build/venv-4.57 has not")


def arrow_bytes(folder):
    return b"".join(path.read_bytes() for path in sorted(folder.glob("data-*.arrow")))


@pytest.fixture(scope="module")
def rows(sounds):
    with (sounds / "all.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))[:14]


def test_tables_and_objects_convert_alike(sounds, rows, ours, checkpoint, tmp_path):
    write_csv(tmp_path / "rows.csv", rows)
    with (tmp_path / "rows.tsv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), dialect="excel-tab")
        writer.writeheader()
        writer.writerows(rows)
    lines = [json.dumps({**row, "unused": i, "system_prompt": row["system_prompt"] or None}) for i, row in enumerate(rows)]
    (tmp_path / "rows.jsonl").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    made = {}
    for kind in ("csv", "tsv", "jsonl"):
        ours(tmp_path / f"rows.{kind}", "--model-name", checkpoint(), "--base-dir", sounds, "--output", tmp_path / kind)
        made[kind] = arrow_bytes(tmp_path / kind)
    assert made["csv"] == made["tsv"] == made["jsonl"]


# The Python tool has no rows of messages: its own code that tokenizes and masks gets them in place of what it makes of a row's columns.
THEIRS = """
import json, sys
from pathlib import Path
import mdl_toolkit.convert_dataset as tool
model, rows, output = sys.argv[1:]
tool.build_conversation = lambda row, config, with_prediction: json.loads(row["messages"])
config = tool.ConvertConfig(model_name=model, num_workers=1, tokenizing_batch_size=2)
tool.process_data(config, Path(rows), "train").save_to_disk(output)
"""


def conversations(sounds, rows):
    """Of one, two and three turns, with the sound before, behind and between texts, with and without a system's message."""
    path = [str(sounds / row["audio"]) for row in rows]

    def user(*parts):
        return {
            "role": "user",
            "content": [
                {"type": "audio", "audio": part[6:]} if part.startswith("audio:") else {"type": "text", "text": part} for part in parts
            ],
        }

    def says(role, text):
        return {"role": role, "content": [{"type": "text", "text": text}]}

    return [
        [user(f"audio:{path[0]}", "What?"), says("assistant", "A bell.")],
        [
            says("system", "Be brief."),
            user("Listen.", f"audio:{path[1]}"),
            says("assistant", "Zürich"),
            user("And now?"),
            says("assistant", "漢字"),
        ],
        [
            user("Hear this:", f"audio:{path[2]}", "\nWhat?"),
            says("assistant", "One"),
            user("Two?"),
            says("assistant", "Two"),
            user("3?"),
            says("assistant", "3"),
        ],
        [user("Wait."), says("assistant", "Yes?"), user(f"audio:{path[3]}"), says("assistant", "A dog.")],
    ]


def test_turns_are_masked_as_the_python_tool_masks_them(sounds, rows, ours, checkpoint, tmp_path):
    talks = conversations(sounds, rows)
    write_csv(tmp_path / "rows.csv", [{"messages": json.dumps(talk)} for talk in talks])
    done = subprocess.run(
        [sys.executable, "-c", THEIRS, checkpoint(), tmp_path / "rows.csv", tmp_path / "theirs"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    # The same in the forms that upstream's README has, and paths relative to --base-dir.
    for talk in talks:
        for message in talk:
            for part in message["content"]:
                if part["type"] == "audio":
                    part["path"] = os.path.relpath(part.pop("audio"), sounds)
            if message["role"] != "user" and len(talk) > 3:
                message["content"] = message["content"][0]["text"]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps({"id": 1, "messages": talk}) for talk in talks), encoding="utf-8")
    options = ["--model-name", checkpoint(), "--base-dir", sounds, "--tokenizing-batch-size", "2"]
    ours(tmp_path / "rows.jsonl", *options, "--output", tmp_path / "ours")
    one, other = (load_from_disk(tmp_path / name).with_format("numpy") for name in ("ours", "theirs"))
    assert len(one) == len(other) == len(talks)
    for i in range(len(talks)):
        for column in ("input_ids", "attention_mask", "labels", "audio_length"):
            assert np.array_equal(one[i][column], other[i][column]), (i, column)
    # Each answer is labelled, and no question.
    turns = [np.count_nonzero(np.diff(np.concatenate([[0], row["labels"] != -100])) == 1) for row in one]
    assert turns == [1, 2, 3, 2]


def test_bad_lines_and_other_separators_are_told_before_anything_is_written(sounds, rows, bin_dir, checkpoint, tmp_path):
    sound = {"role": "user", "content": [{"type": "audio", "path": rows[0]["audio"]}]}
    answer = {"role": "assistant", "content": "x"}
    lines = [
        json.dumps({"messages": [sound, answer]}),
        "{nonsense",
        json.dumps({"messages": [sound, sound, answer]}),
        json.dumps({"messages": [sound]}),
        json.dumps({"messages": [{"role": "user", "content": "<audio>?"}, answer], "audios": ["gone.wav"]}),
        json.dumps({"audio": rows[0]["audio"]}),
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    options = ["--model-name", checkpoint(), "--base-dir", sounds, "--output", tmp_path / "out"]
    told, _ = fails(bin_dir, tmp_path / "rows.jsonl", *options)
    assert "5 problems in the rows" in told
    for expected in (
        "row 2 (line 2): it is not an object in JSON",
        "row 3 (line 3): it has 2 sounds; one a row is taken",
        "row 4 (line 4): its last message is not the assistant's",
        "row 5 (line 5): there is no sound file",
        "row 6 (line 6): the column prediction is empty",
    ):
        assert expected in told, told
    (tmp_path / "rows.csv").write_text(f"audio;prediction\n{rows[0]['audio']};x\n")
    assert 'rows.csv has ";" between its fields' in fails(bin_dir, tmp_path / "rows.csv", *options)[0]
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def ffmpeg(tmp_path_factory):
    """A folder whose `ffmpeg` is the real one."""
    folder = tmp_path_factory.mktemp("ffmpeg")
    (folder / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    return folder


def encoded(ffmpeg, wav, target, *options):
    command = [ffmpeg / "ffmpeg", "-nostdin", "-v", "error", "-i", wav, *options, target]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return target


def test_sounds_that_ffmpeg_reads_are_its_own_samples(sounds, ffmpeg, bin_dir, checkpoint, tmp_path, monkeypatch):
    """m4a without loss is the wav file bit by bit; of the others ffmpeg itself makes the wav file to compare with."""
    wav = Path("/usr/share/sounds/alsa/Front_Center.wav")
    stereo = sounds / "wav-44100-2.wav"
    video = ["-f", "lavfi", "-i", "color=size=64x64:rate=10:duration=1", "-shortest", "-c:v", "mpeg4"]
    made = {
        "lossless.m4a": encoded(ffmpeg, stereo, tmp_path / "lossless.m4a", "-c:a", "alac"),
        "lossy.m4a": encoded(ffmpeg, wav, tmp_path / "lossy.m4a", "-c:a", "aac", "-b:a", "64k"),
        "raw.aac": encoded(ffmpeg, stereo, tmp_path / "raw.aac", "-c:a", "aac"),
        "spoken.webm": encoded(ffmpeg, wav, tmp_path / "spoken.webm", "-c:a", "libopus"),
        "film.mp4": encoded(ffmpeg, wav, tmp_path / "film.mp4", *video, "-c:a", "aac"),
        "film.mkv": encoded(ffmpeg, stereo, tmp_path / "film.mkv", *video, "-c:a", "pcm_s16le"),
    }
    rows = [{"audio": str(path), "prediction": "x"} for path in made.values()]
    decoded = [
        {"audio": str(encoded(ffmpeg, path, tmp_path / f"{path.name}.wav", "-map", "0:a:0", "-c:a", "pcm_f32le")), "prediction": "x"}
        for path in made.values()
    ]
    decoded[0]["audio"] = str(stereo)
    write_csv(tmp_path / "rows.csv", rows)
    write_csv(tmp_path / "decoded.csv", decoded)

    def convert(name):
        command = [
            bin_dir / "mdl-toolkit",
            "convert-dataset",
            tmp_path / f"{name}.csv",
            "--model-name",
            checkpoint(),
            "--output",
            tmp_path / name,
            "--tokenizing-batch-size",
            "1",
        ]
        return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)

    monkeypatch.setenv("PATH", "/nowhere")
    done = convert("rows")
    assert done.returncode != 0 and done.stderr.count("cannot read the sound file") == len(made)
    monkeypatch.setenv("PATH", f"{ffmpeg}:/usr/bin:/bin")
    for name in ("rows", "decoded"):
        done = convert(name)
        assert done.returncode == 0, done.stderr
    one, other = (load_from_disk(tmp_path / name).with_format("numpy") for name in ("rows", "decoded"))
    for i, name in enumerate(made):
        assert one[i]["audio_length"] == other[i]["audio_length"], name
        assert np.array_equal(one[i]["input_values"], other[i]["input_values"]), name
        assert np.abs(one[i]["input_values"]).max() > 0.01, name


def test_damaged_and_tricky_files_reach_nothing_else(ffmpeg, bin_dir, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{ffmpeg}:/usr/bin:/bin")
    wav = tmp_path / "tone.wav"
    soundfile.write(wav, np.sin(np.arange(48000) * 0.05).astype("float32"), 48000)
    whole = encoded(ffmpeg, wav, tmp_path / "whole.m4a", "-c:a", "aac").read_bytes()
    (tmp_path / "cut.m4a").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.webm").write_bytes(b"")
    (tmp_path / "junk.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(range(256)) * 40)
    # Lists of other files, under a name that is for ffmpeg.
    (tmp_path / "list.m4a").write_text(f"ffconcat version 1.0\nfile '{wav}'\n")
    (tmp_path / "play.aac").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{wav}\n#EXT-X-ENDLIST\n")
    names = ["cut.m4a", "empty.webm", "junk.mp4", "list.m4a", "play.aac"]
    write_csv(tmp_path / "rows.csv", [{"audio": str(tmp_path / name), "prediction": "x"} for name in names])
    told, _ = fails(bin_dir, tmp_path / "rows.csv", "--model-name", checkpoint(), "--output", tmp_path / "out")
    assert f"{len(names)} problems" in told
    for name in names:
        assert f"{name}: ffmpeg fails: " in told, told
    assert not (tmp_path / "out").exists()

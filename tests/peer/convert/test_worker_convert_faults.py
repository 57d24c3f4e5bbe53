"""What is wrong with the input of convert-dataset is told with its row, before anything is written where it can be."""

import os
import resource
import shutil
import subprocess

import numpy as np
import pytest
import soundfile
from datasets import load_from_disk

from conversions import fails
from csv_files import write_csv


def test_all_bad_rows_are_listed_before_anything_is_written(sounds, tmp_path, bin_dir, checkpoint):
    good = str(sounds / "wav-8000-1.wav")
    (tmp_path / "text.wav").write_text("not a sound")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.float32), 16000)
    os.mkfifo(tmp_path / "pipe.wav")
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
            {"audio": str(tmp_path / "pipe.wav"), "user_prompt": "", "prediction": "p"},
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
        8: "pipe.wav is a named pipe, not a sound file",
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
    shutil.copy(checkpoint() / "tokenizer.json", model)
    (model / "tokenizer_config.json").unlink()
    (model / "special_tokens_map.json").unlink(missing_ok=True)
    message, code = fails(bin_dir, sounds / "all.csv", "--output", tmp_path / "out", "--model-name", model)
    assert code == 2 and "has no tokenizer_config.json" in message and "mdl-toolkit download NAME brings" in message


@pytest.mark.parametrize(
    "options, what",
    [
        (["--output", "out", "--outptu", "x"], "--output"),
        ([], "--output is required"),
        (["--output", "out", "--num-workers", "0"], "--num-workers"),
        (["--output", "out", "--audio-encoding", "mp3"], "float32 or pcm16"),
        (["--output", "out", "--max-shard-size", "1TB"], "500MB"),
        (["--output", "out", "--model-name", "nobody/nothing"], "nobody/nothing"),
        (["--output", "out", "--from-modelscope", "perhaps"], "--from-modelscope"),
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
        (tmp_path / "out" / "rows.csv", tmp_path / "link", "the file of rows"),
        (tmp_path / "inside.csv", tmp_path / "out", "the sounds'"),
    ):
        message, code = fails(bin_dir, source, "--model-name", checkpoint(), "--output", output)
        assert code == 2 and what in message and "lies there" in message
    assert (tmp_path / "out" / "rows.csv").exists() and (tmp_path / "out" / "a.wav").exists()


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

"""What goes wrong in a run of inference costs no answer that is there, and is told with its row."""

import functools
import http.server
import os
import resource
import shutil
import signal
import subprocess
import threading

import numpy as np
import pytest
import soundfile

from csv_files import read_csv, write_csv
from inference_runs import configured, infer, partial_answers
from launching import free_port


def test_a_killed_run_goes_on_where_it_was(checkpoint, prompts, bin_dir, tmp_path):
    options = [prompts, "--model-name", checkpoint(), "--max-new-tokens", 8, "--batch-size", 1, "--output", tmp_path / "out.csv"]
    partial = tmp_path / "out.csv.partial"
    process = subprocess.Popen([bin_dir / "mdl-toolkit", "inference", *map(str, options)], stdout=subprocess.DEVNULL)
    while not partial.exists() or partial.read_bytes().count(b"\n") < 4:
        with pytest.raises(subprocess.TimeoutExpired):  # it must not be done before it is killed
            process.wait(timeout=0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "out.csv").exists()
    kept = partial.read_bytes().count(b"\n") - 1
    assert 3 <= kept < 50
    assert f"({kept} by an earlier run)" in infer(bin_dir, *options)
    infer(bin_dir, *options[:-1], tmp_path / "whole.csv")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not partial.exists()


def test_sounds_are_fetched_from_addresses_and_a_missing_one_is_named(checkpoint, prompts, bin_dir, tmp_path):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    rows = read_csv(prompts)[1:4]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory="/")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        write_csv(tmp_path / "paths.csv", rows)
        write_csv(tmp_path / "addresses.csv", [{**row, "audio": address + row["audio"]} for row in rows])
        write_csv(tmp_path / "missing.csv", [rows[0], {**rows[1], "audio": address + "/none.wav"}])
        options = ["--model-name", checkpoint(), "--max-length", 100, "--output"]
        for name in ("paths", "addresses"):
            infer(bin_dir, tmp_path / f"{name}.csv", *options, tmp_path / f"{name}.out")
        message, code = failing(bin_dir, tmp_path / "missing.csv", *options, tmp_path / "missing.out")
        # A sound's length is not known before it is fetched: that it leaves no room comes out then.
        long, _ = failing(
            bin_dir, tmp_path / "addresses.csv", "--model-name", checkpoint(), "--max-length", 8, "--output", tmp_path / "long.out"
        )
        server.shutdown()
    paths, addresses = (read_csv(tmp_path / f"{name}.out") for name in ("paths", "addresses"))
    assert [row["prediction"] for row in paths] == [row["prediction"] for row in addresses]
    assert code == 1 and "row 2 (line 3)" in message and "none.wav" in message
    assert "row 1 (line 2)" in long and "--max-length 8 leaves no room for an answer" in long


def failing(bin_dir, *arguments, launcher=()):
    done = subprocess.run(
        [*map(str, launcher), bin_dir / "mdl-toolkit", "inference", *map(str, arguments)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode != 0, done.stdout
    return done.stderr, done.returncode


def test_all_bad_rows_are_listed_before_the_model_is_loaded(checkpoint, prompts, bin_dir, tmp_path):
    good = read_csv(prompts)[1]["audio"]
    write_csv(
        tmp_path / "bad.csv",
        [
            {"audio": good, "user_prompt": ""},
            {"audio": "", "user_prompt": ""},
            {"audio": "missing.wav", "user_prompt": ""},
            {"audio": good, "user_prompt": "word " * 200},
        ],
    )
    model = tmp_path / "model"
    shutil.copytree(checkpoint(), model, ignore=shutil.ignore_patterns("*.safetensors"))  # loading it would fail
    message, code = failing(bin_dir, tmp_path / "bad.csv", "--model-name", model, "--output", tmp_path / "out.csv", "--bf16", "false")
    assert code == 2
    for row, what in {2: "audio is empty", 3: "missing.wav", 4: "--max-length 128 leaves no room for an answer"}.items():
        assert [line for line in message.split("\n") if f"row {row} (line {row + 1})" in line and what in line], message
    assert "row 1 " not in message
    assert not list(tmp_path.glob("out*"))


def test_a_sound_that_breaks_off_does_not_cost_the_other_answers(checkpoint, prompts, bin_dir, tmp_path):
    rows = read_csv(prompts)[1:7]
    soundfile.write(tmp_path / "whole.flac", np.random.default_rng(0).standard_normal(48000) * 0.1, 16000)
    whole = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) // 2])
    rows[2]["audio"] = str(tmp_path / "cut.flac")
    write_csv(tmp_path / "rows.csv", rows)
    options = [
        tmp_path / "rows.csv",
        "--model-name",
        checkpoint(),
        "--max-new-tokens",
        4,
        "--batch-size",
        2,
        "--output",
        tmp_path / "out.csv",
    ]
    message, code = failing(bin_dir, *options)
    assert code == 1 and "row 3 (line 4)" in message and "cut.flac" in message
    assert len(partial_answers(tmp_path / "out.csv.partial")) == 5
    # With two ranks the message is rank 0's, wherever the row was.
    message, code = failing(
        bin_dir,
        *options[:-1],
        tmp_path / "two.csv",
        launcher=[bin_dir / "mdl-launch", "--standalone", "--nproc-per-node", 2, "--no-python"],
    )
    assert "rank 0: " in message and "row 3 (line 4)" in message
    assert len(partial_answers(tmp_path / "two.csv.partial")) == 5


def test_a_rank_that_dies_ends_the_others_with_an_error(checkpoint, prompts, bin_dir, tmp_path):
    options = ["--model-name", checkpoint(), "--max-new-tokens", 2, "--batch-size", 1, "--output", tmp_path / "out.csv"]
    ranks = start_two_ranks(bin_dir, prompts, *options)
    partial = tmp_path / "out.csv.partial"
    while not partial.exists() or partial.read_bytes().count(b"\n") < 3:
        with pytest.raises(subprocess.TimeoutExpired):
            ranks[0].wait(timeout=0.002)
    ranks[1].send_signal(signal.SIGKILL)
    ranks[1].wait()
    printed, _ = ranks[0].communicate(timeout=100)
    assert ranks[0].returncode == 1, printed
    assert "another rank ended" in printed
    assert not (tmp_path / "out.csv").exists()


def test_no_rank_is_done_before_the_answers_are_written(checkpoint, prompts, bin_dir, tmp_path):
    """Rank 0 may write no file as large as the table. A launcher whose workers have ended well would not start them again."""
    rows = [{"audio": row["audio"], "user_prompt": "", "note": "x" * 50_000} for row in read_csv(prompts)[1:7]]
    write_csv(tmp_path / "rows.csv", rows)
    options = ["--model-name", checkpoint(), "--max-new-tokens", 2, "--batch-size", 1, "--output", tmp_path / "out.csv"]
    ranks = start_two_ranks(bin_dir, tmp_path / "rows.csv", *options, largest_file_of_the_first=200_000)
    printed = [process.communicate(timeout=100)[0] for process in ranks]
    assert ranks[0].returncode == 1 and "File too large" in printed[0], printed[0]
    assert ranks[1].returncode == 1, printed[1]
    assert len(partial_answers(tmp_path / "out.csv.partial")) == 6


def start_two_ranks(bin_dir, *options, largest_file_of_the_first=resource.RLIM_INFINITY):
    """Without a launcher, which would kill one when the other fails."""
    port = free_port()
    ranks = []
    for rank, largest in enumerate([largest_file_of_the_first, resource.RLIM_INFINITY]):
        environment = {
            **os.environ,
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        ranks.append(
            subprocess.Popen(
                [bin_dir / "mdl-toolkit", "inference", *map(str, options)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                preexec_fn=functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (largest, largest)),
            )
        )
    return ranks


@pytest.mark.parametrize(
    "options, what",
    [
        (["--outptu", "x"], "--output"),
        ([], "--model-name is required"),
        (["--batch-size", "0"], "--batch-size"),
        (["--max-length", "x"], "--max-length"),
        (["--model-name", "nobody/nothing"], "nobody/nothing"),
        (["--from-modelscope", "perhaps"], "--from-modelscope"),
        (["--merge-adapter", "true"], "--adapter"),
        (["--adapter", "."], "no adapter's folder"),
        (["more.csv"], "more.csv"),
        (["--output", "missing/out.csv"], "no folder missing"),
    ],
)
def test_a_wrong_command_line_is_one_message_and_exit_2(prompts, bin_dir, checkpoint, options, what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = [] if not options or "--model-name" in options else ["--model-name", checkpoint()]
    output = [] if "--output" in options else ["--output", "out.csv"]
    message, code = failing(bin_dir, prompts, *model, *output, *options)
    assert code == 2 and what in message and message.count("error:") == 1


def test_the_answers_are_never_written_over_what_is_read(bin_dir, checkpoint, prompts, tmp_path):
    rows = shutil.copy(prompts, tmp_path / "rows.csv")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.csv").symlink_to("rows.csv")
    os.link(rows, tmp_path / "hard.csv")
    shutil.copytree(checkpoint(), tmp_path / "model")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for output, what in [
        (rows, "itself"),
        (f"{tmp_path}/sub/../rows.csv", "itself"),
        (tmp_path / "link.csv", "itself"),
        (tmp_path / "hard.csv", "itself"),
        (tmp_path / "model" / "config.json", "model's folder"),
    ]:
        message, code = failing(bin_dir, rows, "--model-name", tmp_path / "model", "--output", output)
        assert code == 2 and what in message and "--output" in message
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_beams_are_refused(checkpoint, prompts, bin_dir, tmp_path):
    model = configured(checkpoint(), tmp_path / "model", num_beams=4)
    message, code = failing(bin_dir, prompts, "--model-name", model, "--output", tmp_path / "out.csv")
    assert code == 2 and "num_beams" in message

"""Log options: the same folders, files and console lines as the real torchrun's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from launching import MDL_LAUNCH, TORCHRUN, environment, launch

# One write a line, so that torchrun does not mix the lines of its workers.
TALK = """
import os, sys
rank = os.environ["RANK"]
for line in ("apple", "orange, peeled", "last"):
    os.write(1, f"{rank} out {line}\\n".encode())
    os.write(2, f"{rank} err {line}\\n".encode())
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "talk.py"
    path.write_text(TALK)
    return path


def outcome(launcher, folder, script, options, env):
    """Files by path below the run's folder, and the workers' lines on the console."""
    done = launch("--standalone", "--nproc-per-node", "2", "--log-dir", folder, *options, script, launcher=launcher, env=env)
    assert done.returncode == 0, done.stderr
    (run,) = folder.iterdir()
    assert re.fullmatch(r"[0-9a-f-]{36}_\w+", run.name)
    files = {str(path.relative_to(run)): sorted(path.read_text().splitlines()) for path in run.rglob("*") if path.is_file()}
    folders = sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_dir())

    def ours(text):
        return sorted(line for line in text.splitlines() if " out " in line or " err " in line)

    return files, folders, ours(done.stdout), ours(done.stderr)


@pytest.mark.parametrize(
    "options, variables",
    [
        (["--redirects", "3"], {}),
        (["-r", "0:1,1:2"], {}),
        (["--tee", "3", "--role", "trainer"], {}),
        (["-t", "1", "-r", "2", "--log-line-prefix-template", "${hostname}:${rank}/${local_rank} ${role_name}: "], {}),
        (
            [
                "--tee",
                "3",
                "--local-ranks-filter",
                "1",
                "--duplicate-stdout-filters",
                "apple,,",
                "--duplicate-stderr-filters",
                "orange,, peeled,last",
            ],
            {"TORCHELASTIC_LOG_LINE_PREFIX_TEMPLATE": "<${rank}> "},
        ),
        (["--local_ranks_filter=0"], {"PET_REDIRECTS": "1:3"}),
    ],
)
def test_files_and_console_lines_are_torchruns(tmp_path, script, options, variables):
    env = environment(**variables)
    assert outcome(MDL_LAUNCH, tmp_path / "ours", script, options, env) == outcome(TORCHRUN, tmp_path / "theirs", script, options, env)


def test_a_restart_keeps_the_logs_of_each_attempt(tmp_path):
    program = "import os, sys; print('attempt', os.environ['TORCHELASTIC_RESTART_COUNT']); sys.exit(1)"
    done = launch("--standalone", "--max-restarts", "1", "--log-dir", tmp_path, "-r", "3", "--no-python", sys.executable, "-c", program)
    assert done.returncode == 1
    (run,) = tmp_path.iterdir()
    assert [(run / f"attempt_{n}/0/stdout.log").read_text() for n in (0, 1)] == ["attempt 0\n", "attempt 1\n"]


def test_a_redirected_workers_last_words_are_in_the_report_beside_its_error_file_and_all_files_are_named(tmp_path):
    fails = """echo '{"message": "no batch", "timestamp": 1}' > $$TORCHELASTIC_ERROR_FILE; echo my last words >&2; exit 4"""
    done = launch("--standalone", "--log-dir", tmp_path, "-r", "3", "--no-python", "/bin/sh", "-c", fails)
    assert done.returncode == 1
    assert "Its error file says: no batch" in done.stderr and "| my last words" in done.stderr
    (run,) = tmp_path.iterdir()
    files = run / "attempt_0" / "0"
    for line in (f"error_file: {files}/error.json", f"log file: {files}/stdout.log", f"log file: {files}/stderr.log"):
        assert f"  {line}\n" in done.stderr
    assert sorted(path.name for path in files.iterdir()) == ["error.json", "stderr.log", "stdout.log"]


@pytest.mark.parametrize("place", ["/no/such/folder", "/proc", "/etc/hostname"])
def test_a_temporary_folder_that_takes_no_files_is_a_warning_and_tmp_is_used(place):
    done = launch("--standalone", "--no-python", "/bin/sh", "-c", "echo $$TORCHELASTIC_ERROR_FILE", env=environment(TMPDIR=place))
    assert done.returncode == 0
    assert re.fullmatch(r"/tmp/torchelastic_.*/error\.json\n", done.stdout)
    assert re.search(rf"\[mdl-launch\] W.*TMPDIR={place}: .*; using /tmp instead", done.stderr)


def test_descriptors_that_are_closed_at_the_start_are_not_the_launchers_own_files(tmp_path):
    told = tmp_path / "told"
    command = [
        MDL_LAUNCH,
        "--standalone",
        "--nproc-per-node",
        "2",
        "--tee",
        "3",
        "--log-dir",
        tmp_path / "logs",
        "--no-python",
        "/bin/sh",
        "-c",
        "echo out; echo err >&2; readlink -v /proc/self/fd/0 /proc/$1/fd/0 /proc/$1/fd/1 /proc/$1/fd/2 > $2.$RANK",
        "sh",
    ]
    words = " ".join(f"'{word}'" for word in command)
    done = subprocess.run(["/bin/sh", "-c", f"exec {words} $$ {told} <&- >&- 2>&-"], env=environment(), timeout=60)
    assert done.returncode == 0
    for rank in "01":
        assert Path(f"{told}.{rank}").read_text().split() == ["/dev/null"] * 4
    assert sorted(path.read_text() for path in tmp_path.rglob("std*.log")) == ["err\n"] * 2 + ["out\n"] * 2


def test_a_shells_script_without_no_python_fails_with_a_hint_at_it(tmp_path):
    path = tmp_path / "train.sh"
    path.write_text("#!/bin/bash\necho hello\n")
    done = launch("--standalone", path)
    assert done.returncode == 1 and "SyntaxError" in done.stderr
    hint = f"{path}, whose first line names /bin/bash: if it is not a Python script, put --no-python before it"
    assert f"python ran {hint}" in done.stderr
    assert f"python runs {hint}" in launch("launch", "--cpu", path).stderr  # there is nobody to say it afterwards


def test_a_compiled_program_without_no_python_is_refused_with_a_hint_at_it():
    for words in ([], ["launch", "--cpu"]):
        done = launch(*words, MDL_LAUNCH, "--version")
        assert done.returncode == 2 and "Put --no-python before it." in done.stderr


@pytest.mark.parametrize(
    "line, cause",
    [
        ("#!/bin/bash\r\n", "carriage return"),
        ("#!/usr/bin/env sh\r\n", "carriage return"),
        ("#!/gone/venv/bin/python\n", "names the interpreter /gone/venv/bin/python"),
    ],
)
def test_a_script_that_cannot_start_for_its_first_line_says_so(tmp_path, line, cause):
    path = tmp_path / "tool"
    path.write_text(f"{line}echo hello\n", newline="")
    path.chmod(0o755)
    for words in (["--standalone", "--no-python"], ["launch", "--cpu", "--no-python"]):
        done = launch(*words, path)
        if words[0] == "launch" and "env" in line:
            continue  # the program replaces the launcher, and env itself says what it did not find
        assert (done.returncode, done.stdout) == (127, "")
        assert cause in done.stderr and str(path) in done.stderr


def test_a_text_without_a_first_line_for_the_kernel_is_told_apart(tmp_path):
    path = tmp_path / "tool"
    path.write_text("echo hello\n")
    path.chmod(0o755)
    done = launch("--standalone", "--nproc-per-node", "2", "--max-restarts", "3", "--no-python", path)
    assert done.returncode == 126 and "could not be started: Exec format error" in done.stderr
    assert "names its interpreter after #!" in done.stderr and "restart 1" not in done.stderr


def test_logs_without_a_folder_stay_in_a_temporary_one_that_is_named(tmp_path):
    done = launch("--standalone", "-r", "1", "--no-python", "/bin/echo", "text", env=environment(TMPDIR=tmp_path))
    assert str(tmp_path) in done.stderr
    assert [path.read_text() for path in tmp_path.rglob("stdout.log")] == ["text\n"]


def test_dev_null_as_the_folder_means_no_files(tmp_path):
    done = launch(
        "--standalone",
        "--log-dir",
        "/dev/null",
        "--no-python",
        "/bin/sh",
        "-c",
        'echo "[$$TORCHELASTIC_ERROR_FILE]"',
        env=environment(TMPDIR=tmp_path),
    )
    assert (done.returncode, done.stdout) == (0, "[]\n")
    assert list(tmp_path.iterdir()) == []


def test_a_log_folder_that_is_a_file_is_an_error(script):
    done = launch("--standalone", "--log-dir", script, script)
    assert done.returncode == 1
    assert str(script) in done.stderr


def test_virtual_local_ranks_are_torchruns():
    program = ["--no-python", "/bin/sh", "-c", "echo $$RANK $$LOCAL_RANK $$CUDA_VISIBLE_DEVICES"]
    options = ["--standalone", "--nproc-per-node", "2", "--virtual-local-rank", *program]
    for env in (environment(CUDA_VISIBLE_DEVICES="5, 3"), environment()):
        ours, theirs = (sorted(launch(*options, launcher=launcher, env=env).stdout.splitlines()) for launcher in (MDL_LAUNCH, TORCHRUN))
        assert ours == theirs


def test_run_path_runs_the_script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text("import os, sys; print(__name__, os.environ['RANK'], sys.argv)")
    ours, theirs = (launch("--standalone", "--run-path", path, "--flag", launcher=launcher).stdout for launcher in (MDL_LAUNCH, TORCHRUN))
    assert ours == theirs == f"__main__ 0 {[str(path), '--flag']}\n"

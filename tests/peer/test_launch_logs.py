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
    run, = folder.iterdir()
    assert re.fullmatch(r"[0-9a-f-]{36}_\w+", run.name)
    files = {str(path.relative_to(run)): sorted(path.read_text().splitlines()) for path in run.rglob("*") if path.is_file()}
    folders = sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_dir())

    def ours(text):
        return sorted(line for line in text.splitlines() if " out " in line or " err " in line)

    return files, folders, ours(done.stdout), ours(done.stderr)


@pytest.mark.parametrize("options, variables", [
    (["--redirects", "3"], {}),
    (["-r", "0:1,1:2"], {}),
    (["--tee", "3", "--role", "trainer"], {}),
    (["-t", "1", "-r", "2", "--log-line-prefix-template", "${hostname}:${rank}/${local_rank} ${role_name}: "], {}),
    (["--tee", "3", "--local-ranks-filter", "1", "--duplicate-stdout-filters", "apple,,", "--duplicate-stderr-filters", "orange,, peeled,last"],
     {"TORCHELASTIC_LOG_LINE_PREFIX_TEMPLATE": "<${rank}> "}),
    (["--local_ranks_filter=0"], {"PET_REDIRECTS": "1:3"}),
])
def test_files_and_console_lines_are_torchruns(tmp_path, script, options, variables):
    env = environment(**variables)
    assert outcome(MDL_LAUNCH, tmp_path / "ours", script, options, env) == outcome(TORCHRUN, tmp_path / "theirs", script, options, env)


def test_a_restart_keeps_the_logs_of_each_attempt(tmp_path):
    program = "import os, sys; print('attempt', os.environ['TORCHELASTIC_RESTART_COUNT']); sys.exit(1)"
    done = launch("--standalone", "--max-restarts", "1", "--log-dir", tmp_path, "-r", "3", "--no-python", sys.executable, "-c", program)
    assert done.returncode == 1
    run, = tmp_path.iterdir()
    assert [(run / f"attempt_{n}/0/stdout.log").read_text() for n in (0, 1)] == ["attempt 0\n", "attempt 1\n"]


def test_a_redirected_workers_last_words_are_in_the_report(tmp_path):
    done = launch("--standalone", "--log-dir", tmp_path, "-r", "3", "--no-python", "/bin/sh", "-c", "echo my last words >&2; exit 4")
    assert done.returncode == 1
    assert "| my last words" in done.stderr


def test_descriptors_that_are_closed_at_the_start_are_not_the_launchers_own_files(tmp_path):
    told = tmp_path / "told"
    command = [MDL_LAUNCH, "--standalone", "--nproc-per-node", "2", "--tee", "3", "--log-dir", tmp_path / "logs", "--no-python", "/bin/sh", "-c",
               'echo out; echo err >&2; readlink -v /proc/self/fd/0 /proc/$1/fd/0 /proc/$1/fd/1 /proc/$1/fd/2 > $2.$RANK', "sh"]
    words = " ".join(f"'{word}'" for word in command)
    done = subprocess.run(["/bin/sh", "-c", f"exec {words} $$ {told} <&- >&- 2>&-"], env=environment(), timeout=60)
    assert done.returncode == 0
    for rank in "01":
        assert Path(f"{told}.{rank}").read_text().split() == ["/dev/null"] * 4
    assert sorted(path.read_text() for path in tmp_path.rglob("std*.log")) == ["err\n"] * 2 + ["out\n"] * 2


def test_logs_without_a_folder_stay_in_a_temporary_one_that_is_named(tmp_path):
    done = launch("--standalone", "-r", "1", "--no-python", "/bin/echo", "text", env=environment(TMPDIR=tmp_path))
    assert str(tmp_path) in done.stderr
    assert [path.read_text() for path in tmp_path.rglob("stdout.log")] == ["text\n"]


def test_dev_null_as_the_folder_means_no_files(tmp_path):
    done = launch("--standalone", "--log-dir", "/dev/null", "--no-python", "/bin/sh", "-c", "echo \"[$$TORCHELASTIC_ERROR_FILE]\"",
                  env=environment(TMPDIR=tmp_path))
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

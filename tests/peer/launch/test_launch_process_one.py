"""mdl-launch as process 1 of a container: nobody above it passes signals on or collects what ends."""

import subprocess

import pytest

from launching import MDL_LAUNCH, launch, running, shell, wait_until

UNSHARE = ["--pid", "--mount-proc", "--fork", "--kill-child", MDL_LAUNCH, "--standalone"]

pytestmark = pytest.mark.skipif(
    subprocess.run(["unshare", *UNSHARE[:4], "true"], capture_output=True).returncode != 0, reason="needs the right to make a PID namespace"
)


def test_what_ends_without_a_parent_is_collected():
    script = """
        grep -q mdl-launch /proc/1/comm || exit 5
        for i in 1 2 3; do (true &); done
        while grep -q "^State:.Z" /proc/[0-9]*/status 2>/dev/null; do :; done
        echo none is left
    """
    done = launch(*UNSHARE, *shell(script), launcher="unshare")
    assert (done.returncode, done.stdout) == (0, "none is left\n"), done.stderr


def test_the_runtimes_sigterm_reaches_every_worker(tmp_path):
    script = 'trap "echo ended; exit 0" TERM; touch "$1/$RANK"; while :; do sleep 0.05; done'
    with running(*UNSHARE, "--nproc-per-node", "2", *shell(script, tmp_path), launcher="unshare") as unshare:
        wait_until((tmp_path / "0").exists)
        wait_until((tmp_path / "1").exists)
        process_one = subprocess.check_output(["pgrep", "--parent", str(unshare.pid)], text=True).strip()
        subprocess.run(["kill", "-TERM", process_one], check=True)
        output, errors = unshare.communicate(timeout=100)
    assert output.splitlines() == ["ended", "ended"]
    assert unshare.returncode == 1 and "ended by SIGTERM" in errors


def test_a_worker_that_fails_fails_the_container():
    assert launch(*UNSHARE, *shell("exit 3"), launcher="unshare").returncode == 1

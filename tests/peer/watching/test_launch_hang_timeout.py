"""--hang-timeout ends a job that hangs, on all nodes, with the rank that holds the others up; with real agents and workers."""

import re
from pathlib import Path

import pytest

from hang_stage import Stage, c10d, end
from launching import environment, free_port, launch, pids_in, running, wait_until


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def test_the_hang_timeout_ends_the_workers_and_the_job_succeeds_in_the_next_attempt(stage):
    script = stage.script(
        "steps(1, 30)\nif attempt == 0:\n    if rank == 1: os.kill(os.getpid(), signal.SIGSTOP)\n    stay('never')\nsteps(31, 100)\n"
    )
    done = launch(
        "--standalone", "--nproc-per-node", 2, "--max-restarts", 1, "--hang-timeout", 2, "--shutdown-timeout", 600, *script, env=stage.env
    )
    assert done.returncode == 0, done.stderr
    told = done.stderr.index("the job hangs: rank 1 is stopped (state T)")
    ended = re.search(
        r"worker rank 1 \(pid \d+\) failed with hang: no step for \d+ s \(--hang-timeout 2\): rank 1 is stopped .*: restart 1 of 1",
        done.stderr,
    )
    assert told < ended.start() and len(stage.reports()) == 1


def test_without_a_restart_the_hang_is_the_root_cause_on_all_nodes(stage):
    port = free_port()
    script = stage.script("steps(1, 30)\nif rank == 1: os.kill(os.getpid(), signal.SIGSTOP)\nstay('never')\n")
    timeout = ["--hang-timeout", 2, "--shutdown-timeout", 600]
    with (
        running(*c10d(port, 2, 1), *timeout, *script, env=stage.env) as first,
        running(*c10d(port, 2, 0), *timeout, *script, env=stage.env) as second,
    ):
        for launcher in (first, second):
            _, errors = launcher.communicate(timeout=60)
            assert launcher.returncode == 1
            # Whichever node watches: the rank that is stopped, and where it is.
            cause = r"Root cause: rank 1 \(local rank 0, pid \d+\) on \S+, hang: no step for \d+ s \(--hang-timeout 2\): rank 1 is stopped"
            assert re.search(cause, errors), errors


def test_where_no_rank_is_accused_the_root_cause_is_that_the_job_hung(stage):
    done = launch("--standalone", "--nproc-per-node", 2, "--hang-timeout", 1, *stage.script("steps(1, 30)\nstay('never')\n"), env=stage.env)
    assert done.returncode == 1 and "the job hangs: stopping all 2" in done.stderr
    cause = r"Root cause: the job hung, and no rank is accused, hang: no step for \d+ s \(--hang-timeout 1\): nothing tells the ranks apart"
    assert re.search(cause, done.stderr), done.stderr
    for rank in (0, 1):
        assert re.search(rf"rank {rank} \(local rank {rank}, pid \d+\) signal SIGTERM \(stopped by the launcher\)", done.stderr)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("os.kill(os.getpid(), signal.SIGSTOP)", r"the job hung: no step for \d+ s \(--hang-timeout 2\): rank 1 is stopped .*"),
        ("sys.exit(3)", r"rank 1 on \S+ failed with exit code 3"),
    ],
    ids=["hang", "failure"],
)
def test_both_nodes_say_why_their_workers_start_again(stage, fault, told):
    port = free_port()
    script = stage.script(f"""
been_here = stage / f"been_here_{{rank}}"  # a node that has paid for no failure counts no restart
if not been_here.exists():
    been_here.touch()
    steps(1, 30)
    if rank == 1: {fault}
    stay("never")
tell(section="evaluation", section_seconds=600)
stay("end")
""")
    options = ["--hang-timeout", 2, "--max-restarts", 1, "--shutdown-timeout", 600]
    with (
        running(*c10d(port, 2, 1), *options, *script, env=stage.env) as first,
        running(*c10d(port, 2, 0), *options, *script, env=stage.env) as second,
    ):
        status = ["status", "--rdzv-endpoint", f"localhost:{port}", "--rdzv-id", "j"]
        shown = wait_until(lambda: (text := launch(*status).stdout) and "round 1 begins" in text and text)
        assert "nodes of the job have changed" not in shown and "restart 1 of 1: " in shown
        errors = end(stage, first, second)
    assert sorted("restart 1 of 1" in text for text in errors) == [False, True]
    [other] = [text for text in errors if "restart 1 of 1" not in text]
    assert re.search(rf"{told}\. Restarting all workers$", other, re.MULTILINE), other


def test_where_the_workers_of_the_watching_node_are_done_the_other_node_watches(stage):
    port = free_port()
    script = stage.script("""
if rank < 2:
    steps(91, 100)
    sys.exit()
steps(1, 30)
if rank == 3: os.kill(os.getpid(), signal.SIGSTOP)
stay("never")
""")
    timeout = ["--nproc-per-node", 2, "--hang-timeout", 2, "--shutdown-timeout", 600]
    with (
        running(*c10d(port, 2, 1), *timeout, *script, env=stage.env) as first,
        running(*c10d(port, 2, 0), *timeout, *script, env=stage.env) as second,
    ):
        nodes = [(launcher.communicate(timeout=60)[1], launcher.returncode) for launcher in (first, second)]
        report = stage.report(r"rank 3 is stopped")
        assert len(re.findall(r"^rank [01] on \S+: step 100 .* ago; ended with exit code 0$", report, re.MULTILINE)) == 2, report
        # As under torchrun: what the node with ranks 0 and 1 had to do is done.
        [errors] = [errors for errors, code in nodes if code != 0]
        assert re.search(
            r"Root cause: rank 3 .*, hang: no step for \d+ s \(--hang-timeout 2\): rank 3 is stopped \(state T\): rank 2 waits for it",
            errors,
        ), errors


def test_a_worker_that_ends_for_no_signal_is_killed_after_the_shutdown_timeout(stage):
    script = stage.script(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(os.getpid(), file=open(stage / 'pids', 'a'))\nsteps(1, 30)\nstay('never')\n"
    )
    done = launch("--standalone", "--hang-timeout", 1, "--shutdown-timeout", 1, *script, env=stage.env)
    assert done.returncode == 1 and "has not ended on SIGTERM: killing it" in done.stderr
    [pid] = pids_in(stage.folder / "pids", 1)
    assert not Path(f"/proc/{pid}").exists()


def test_before_the_first_step_the_hang_timeout_counts_from_the_start(stage):
    done = launch("--standalone", "--hang-timeout", 1, *stage.script("tell(loss=1.0)\nstay('never')\n"), env=stage.env)
    assert done.returncode == 1 and "hang: no step for" in done.stderr


def test_a_hang_timeout_of_a_job_that_tells_no_steps_is_warned_of(stage):
    with running(
        "--standalone", "--hang-timeout", 0.2, *stage.script("stay('end')"), env=stage.env, stderr=open(stage.folder / "errors", "w")
    ) as launcher:
        wait_until(lambda: "--hang-timeout finds no hang yet" in (stage.folder / "errors").read_text())
        stage.go()
        assert launcher.wait(60) == 0


@pytest.mark.parametrize("value", ["0", "-1", "soon", "", "inf"])
def test_a_wrong_hang_timeout_is_told_at_once(value):
    done = launch("--standalone", f"--hang-timeout={value}", "--no-python", "/bin/true")
    assert done.returncode == 2 and "--hang-timeout must be a number of seconds above 0" in done.stderr, done.stderr


def test_a_wrong_floor_is_warned_of_and_the_job_runs():
    done = launch("--standalone", "--no-python", "/bin/true", env=environment(MDL_HANG_FLOOR="soon"))
    assert done.returncode == 0 and "MDL_HANG_FLOOR=soon is no number of seconds above 0: using 60" in done.stderr

"""What workers leave behind: processes that outlive them, and filters of their output."""

import os
import signal
import sys
import textwrap

import pytest

from launching import MDL_LAUNCH, TORCHRUN, alive, launch, pids_in, running, shell, wait_until

# A worker that ends at once and leaves three processes: one that writes, one that only has stderr, and one that has neither, and
# would be killed with the parent that adopted it.
LEAVER = """
wait_for() { until [ -e "$1" ]; do sleep 0.02; done; }
( trap '' HUP; wait_for "$1/first"; echo later; echo $? > "$1/written"; exec >/dev/null 2>&1; wait_for "$1/last"; touch "$1/lived_on" ) &
( wait_for "$1/second"; echo worse >&2; echo $? >> "$1/written" ) >/dev/null &
( wait_for "$1/adopted"; exec setpriv --pdeathsig KILL sh -c 'touch "$1/asked"; until [ -e "$1/last" ]; do sleep 0.02; done; touch "$1/silent"' sh "$1" ) >/dev/null 2>&1 &
echo now
"""


@pytest.mark.parametrize("program", [MDL_LAUNCH, TORCHRUN], ids=["mdl-launch", "torchrun"])
def test_what_a_worker_that_ended_well_left_behind_lives_on_and_still_reaches_the_console(tmp_path, program):
    with running("--standalone", *shell(LEAVER, tmp_path), launcher=program) as launcher:
        assert launcher.wait(timeout=100) == 0  # although what is left waits for us
        (tmp_path / "adopted").touch()
        wait_until((tmp_path / "asked").exists)
        (tmp_path / "first").touch()
        assert launcher.stdout.read() == "now\nlater\n"  # its end: that of the last process that has it
        (tmp_path / "second").touch()
        assert launcher.stderr.read().endswith("worse\n")
        assert (tmp_path / "written").read_text() == "0\n0\n"
        (tmp_path / "last").touch()
        wait_until(lambda: (tmp_path / "lived_on").exists() and (tmp_path / "silent").exists())


def test_the_relay_of_what_was_left_behind_ends_with_it_and_survives_a_signal_to_the_launchers_group(tmp_path):
    script = 'sh -c \'until [ -e "$1/go" ]; do sleep 0.02; done; echo later\' sh "$1" & echo $! > "$1/pid"; echo $PPID > "$1/guardian"'
    with running("--standalone", *shell(script, tmp_path), start_new_session=True) as launcher:
        assert launcher.wait(timeout=20) == 0
        (left,) = pids_in(tmp_path / "pid", 1)
        (guardian,) = pids_in(tmp_path / "guardian", 1)
        for name in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            with pytest.raises(ProcessLookupError):
                os.killpg(launcher.pid, name)  # nobody is left there
            os.kill(guardian, name)
        assert alive(left) and alive(guardian)
        (tmp_path / "go").touch()
        assert launcher.stdout.read() == "later\n"
        wait_until(lambda: not alive(guardian))


def test_what_was_left_behind_learns_that_the_reader_of_the_output_has_gone(tmp_path):
    script = """
        sh -c 'trap "" PIPE; until [ -e "$1/go" ]; do sleep 0.02; done; while echo more; do sleep 0.02; done 2>/dev/null; echo $? > "$1/end"' sh "$1" &
    """
    with running("--standalone", *shell(script, tmp_path)) as launcher:
        assert launcher.wait(timeout=20) == 0
        launcher.stdout.close()
        launcher.stdout = None
        (tmp_path / "go").touch()
        wait_until((tmp_path / "end").exists)


def test_much_that_was_begun_and_not_ended_is_handed_over_whole(tmp_path):
    """Six workers' background processes have written half lines of 50 kB to both streams, which nobody has seen yet."""
    program = """
import os, sys, time
for stream in (sys.stdout, sys.stderr):
    stream.write("x" * 50000)
    stream.flush()
open(sys.argv[1] + "/wrote" + os.environ["RANK"], "w").close()
while not os.path.exists(sys.argv[1] + "/go"):
    time.sleep(0.02)
sys.stdout.write("the end of " + os.environ["RANK"] + "\\n")
sys.stdout.flush()
"""
    (tmp_path / "left.py").write_text(program)
    script = f'{sys.executable} "$1/left.py" "$1" & until [ -e "$1/wrote$RANK" ]; do sleep 0.02; done'
    with running(
        "--standalone", "--nproc-per-node", "6", "--tee", "3", "--log-dir", tmp_path / "logs", *shell(script, tmp_path)
    ) as launcher:
        assert launcher.wait(timeout=60) == 0
        (tmp_path / "go").touch()
        output = launcher.stdout.read()
        assert "cannot hand over" not in launcher.stderr.read()
        assert all(f"xthe end of {rank}\n" in output for rank in range(6))


# A script that copies what it says into a log of its own, through a filter that takes its time.
SLOW_FILTER = """
filter() { while IFS= read -r line; do sleep 0.3; echo "filtered: $line"; done | tee -a "$1/train.log"; }
exec > >(filter "$1") 2> >(filter "$1" >&2)
echo step 1 of try $TORCHELASTIC_RESTART_COUNT
printf 'the\\nreason\\nof try %s\\n' $TORCHELASTIC_RESTART_COUNT >&2
exit 3
"""


def bash(script, *arguments):
    return ["--no-python", "/bin/bash", "-c", textwrap.dedent(script).replace("$", "$$"), "bash", *arguments]


def test_what_a_failed_worker_said_through_a_filter_is_read_to_its_end_before_it_is_killed(tmp_path):
    done = launch("--standalone", "--max-restarts", "1", *bash(SLOW_FILTER, tmp_path))
    assert done.returncode == 1
    log = (tmp_path / "train.log").read_text()
    for attempt in (0, 1):
        assert f"filtered: step 1 of try {attempt}\n" in done.stdout
        assert f"filtered: of try {attempt}\n" in done.stderr
        assert f"filtered: of try {attempt}\n" in log
    report = done.stderr[done.stderr.index("=====") :]
    assert "| filtered: of try 1\n" in report


def test_a_filter_of_a_redirected_worker_ends_as_well_before_anything_is_killed(tmp_path):
    done = launch("--standalone", "--redirects", "3", "--log-dir", tmp_path / "logs", *bash(SLOW_FILTER, tmp_path))
    assert done.returncode == 1
    assert (tmp_path / "train.log").read_text().count("filtered: ") == 4
    assert "| filtered: of try 0\n" in done.stderr


def test_what_never_stops_writing_is_killed_after_a_failure_all_the_same(tmp_path):
    done = launch("--standalone", *shell('sh -c "while :; do echo more; sleep 0.1; done" & echo $! > "$1"; exit 3', tmp_path / "pid"))
    assert done.returncode == 1
    assert not alive(int((tmp_path / "pid").read_text()))

"""What --event-log-handler console prints, and what --run-path records, beside the real torchrun."""

import json
from pathlib import Path

import pytest

from launching import MDL_LAUNCH, TORCHRUN, launch

SUCCESS = ["--no-python", "sh", "-c", "exit 0"]
FAILURE = ["--max-restarts", "1", "--no-python", "sh", "-c", "test $RANK = 0 || exit 3; sleep 60"]


def events(launcher, *options):
    done = launch("--standalone", "--nproc-per-node", "2", "--event-log-handler", "console", *options, launcher=launcher)
    return [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]


def comparable(event):
    """Without what differs from run to run; torch's message of a failure has further entries about kinds of errors."""
    metadata = event["metadata"]
    inner = json.loads(metadata["metadata"])
    pid = inner.pop("worker_pid", None)
    for name in ("run_id", "hostname", "total_run_time", "duration_ms"):
        metadata.pop(name)
    known = {"worker_id": metadata.pop("worker_id") is not None, "pid": pid and pid[0] is not None}
    raw_error = metadata.pop("raw_error")
    return (
        event["name"],
        event["source"],
        event["timestamp"],
        metadata | {"metadata": inner},
        known,
        raw_error and json.loads(raw_error)["message"],
    )


@pytest.mark.parametrize("program", [SUCCESS, FAILURE], ids=["success", "failure"])
def test_the_console_shows_torchruns_events(program):
    ours, theirs = ([comparable(event) for event in events(launcher, *program)] for launcher in (MDL_LAUNCH, TORCHRUN))
    assert len(theirs) >= 7
    assert ours == theirs


def test_without_the_option_no_event_is_printed():
    for options in ([], ["--event-log-handler", "null"]):
        assert '"torchelastic' not in launch("--standalone", *options, *SUCCESS).stderr


def test_another_handler_is_an_error():
    done = launch("--event-log-handler", "mine", *SUCCESS)
    assert done.returncode == 2 and "mine" in done.stderr and "console" in done.stderr


def test_run_path_records_what_a_script_raises_in_its_error_file(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys\nif len(sys.argv) > 1: sys.exit(3)\nraise ValueError('boom')\n")
    recorded = []
    for name, launcher in (("ours", MDL_LAUNCH), ("theirs", TORCHRUN)):
        done = launch("--standalone", "--run-path", "--log-dir", tmp_path / name, script, launcher=launcher)
        assert done.returncode == 1 and "ValueError: boom" in done.stderr
        (file,) = Path(tmp_path / name).rglob("error.json")
        recorded.append(json.loads(file.read_text()))
    ours, theirs = recorded
    assert ours["message"]["message"] == theirs["message"]["message"] == "ValueError: boom"
    assert type(ours["message"]["extraInfo"]["timestamp"]) is type(theirs["message"]["extraInfo"]["timestamp"])
    assert (
        ours["message"]["extraInfo"]["py_callstack"].splitlines()[-3:] == theirs["message"]["extraInfo"]["py_callstack"].splitlines()[-3:]
    )
    # An exit code is no exception: neither records one.
    done = launch("--standalone", "--run-path", "--log-dir", tmp_path / "exit", script, "3")
    assert done.returncode == 1 and "exit code 3" in done.stderr and not list((tmp_path / "exit").rglob("error.json"))

"""mdl-launch doctor --deep: nodes are measured by mdl-toolkit health, and the slow one is named."""

import json
import os
import shutil
import signal
import socket
import sys

import pytest

from launching import MDL_LAUNCH, alive, environment, free_port, launch, pids_in, running, wait_until

TOOLKIT = MDL_LAUNCH.with_name("mdl-toolkit")
LINE = (
    'echo "{\\"mdl_toolkit_health\\": 1, \\"rank\\": $RANK, \\"local_rank\\": $LOCAL_RANK, \\"device\\": \\"cpu\\", \\"type\\": \\"float32\\", '
    '\\"matrix_product\\": {\\"flop_per_s\\": %d}}"\n'
)
# Runs the real one in a hurry, and says that it multiplies as fast as the first argument tells.
WRAPPER = """#!%s
import json, os, subprocess, sys
with open(os.path.dirname(sys.argv[0]) + "/calls", "a") as calls:
    print(os.environ["WORLD_SIZE"], file=calls)
arguments = sys.argv[1:]
arguments[arguments.index("--seconds") + 1] = "10"
done = subprocess.run(["%s", *arguments], stdout=subprocess.PIPE, text=True)
line = json.loads(done.stdout)
line["matrix_product"]["flop_per_s"] = %d
for part in ("memory_copy", "disk"):  # of two processes on one machine one is always slower
    line.pop(part)
print(json.dumps(line))
sys.exit(done.returncode)
"""


def program(folder, text):
    """An mdl-toolkit of a node, in a folder of its own."""
    folder.mkdir()
    file = folder / "mdl-toolkit"
    file.write_text(text if text.startswith("#!") else "#!/bin/sh\n" + text)
    file.chmod(0o755)
    return file


def words(toolkit, *options):
    return ["doctor", "--deep", "--json", "--wait", "60", *options, "--no-python", toolkit, "train", "--output", toolkit.parent / "out"]


def of_two_nodes():
    return ["--nnodes", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{free_port()}"]


def reports(doctors):
    """What the doctors print, which run at the same time."""
    texts = [one.communicate(timeout=100) for one in doctors]
    assert [one.returncode for one in doctors] == [0] * len(doctors), texts
    return [json.loads(output) for output, _ in texts]


def findings(report, check, level="warning"):
    return [one["text"] for one in report["findings"] if one["check"] == check and one["level"] == level]


def test_a_node_that_is_slower_by_40_percent_measures_twice_and_is_named(tmp_path):
    fast = program(tmp_path / "fast", WRAPPER % (sys.executable, TOOLKIT, 1_000_000_000_000))
    slow = program(tmp_path / "slow", WRAPPER % (sys.executable, TOOLKIT, 600_000_000_000))
    nodes = of_two_nodes()
    with running(*words(fast, *nodes)) as first, running(*words(slow, *nodes)) as second:
        both = reports([first, second])
    for report in both:
        assert findings(report, "matrix product") == ["75 % of the median: 600 of 800 GFLOP/s"]
        assert findings(report, "health") == [] and findings(report, "all-reduce between nodes") == []
        ((between,),) = [findings(report, "all-reduce between nodes", "ok")]
        assert "B/s of bus bandwidth" in between
        ranks = [rank for node in report["nodes"] for rank in node["health"]["ranks"]]
        assert [rank["rank"] for rank in ranks] == [0, 1]
        assert all(rank["all_reduce"]["bytes_per_s"] > 0 and rank["all_reduce"]["latency_ns"] > 0 for rank in ranks)
        assert all(rank["memory"]["free_bytes"] > 0 for rank in ranks)
    assert (tmp_path / "fast" / "calls").read_text() == "2\n"
    assert (tmp_path / "slow" / "calls").read_text() == "2\n1\n", "once with the other node, once by itself"


def test_what_is_wrong_with_a_nodes_mdl_toolkit_is_told_with_the_node_and_the_other_one_is_measured(tmp_path):
    healthy = program(tmp_path / "healthy", LINE % 5)
    for name, text, told in [
        ("rubbish", "printf '\\033[31mhello\\n'", "printed what is not understood (it is no JSON): hello"),
        ("error", "echo 'mdl-toolkit: error: rank 0: the GPU is gone' >&2; exit 3", "ended with exit code 3: rank"),
        ("crash", "kill -9 $$", "was ended by SIGKILL, and said nothing"),
    ]:
        sick = program(tmp_path / name, text)
        nodes = of_two_nodes()
        with running(*words(healthy, *nodes)) as first, running(*words(sick, *nodes)) as second:
            for report in reports([first, second]):
                ((problem,),) = [findings(report, "health")]
                assert problem.startswith(f"not measured: {sick} health ") and told in problem
                assert findings(report, "matrix product", "ok") == ["5 FLOP/s in float32 on 2 nodes"]


def test_doctors_of_which_one_was_started_without_deep_say_which(tmp_path):
    healthy = program(tmp_path / "healthy", LINE % 5)
    deep = words(healthy, *of_two_nodes())
    with running(*deep) as first, running(*(word for word in deep if word != "--deep")) as second:
        both = reports([first, second])
    host = socket.gethostname()
    plain = f"not measured: {host} asked for --deep, and the doctor of this node was started without it"
    measures = f"not measured: the doctor of {host}, which has the nodes measure, was started without --deep"
    for report in both:
        is_deep = [node["deep_ranks"] >= 0 for node in report["nodes"]]  # the first to come is the first node
        assert findings(report, "health") == ([plain, measures] if is_deep == [False, True] else [plain]), is_deep
        advice = {one["advice"] for one in report["findings"] if one["check"] == "health"}
        assert advice == {f"Start `mdl-launch doctor --deep …` on all nodes, on {host} as well."}
        assert (findings(report, "matrix product", "ok") == []) == (not is_deep[0])


def test_a_node_without_mdl_toolkit_says_what_to_install(tmp_path):
    launcher = shutil.copy(MDL_LAUNCH, tmp_path / "mdl-launch")
    done = launch(
        "doctor", "--deep", "--standalone", "--no-python", "/bin/true", launcher=launcher, env=environment() | {"PATH": "/usr/bin:/bin"}
    )
    assert done.returncode == 0, done.stderr
    assert f"there is no native mdl-toolkit beside mdl-launch ({tmp_path}) or in PATH" in done.stdout
    assert "-> Install mdl_toolkit_native" in done.stdout


def test_the_doctors_wait_for_the_slower_node(tmp_path):
    go = tmp_path / "go"
    os.mkfifo(go)
    quick = program(tmp_path / "quick", LINE % 7 + f"echo $$ > {tmp_path}/quick/pid\n")
    late = program(tmp_path / "late", f"echo $$ > {tmp_path}/late/pid; read line < {go}; sleep 1\n" + LINE % 7)
    nodes = of_two_nodes()
    with running(*words(quick, *nodes)) as first, running(*words(late, *nodes)) as second:
        ((done,), (waiting,)) = [pids_in(tmp_path / name / "pid", 1) for name in ("quick", "late")]
        wait_until(lambda: not alive(done))
        assert alive(waiting) and first.poll() is None and second.poll() is None
        go.write_text("go\n")
        for report in reports([first, second]):
            assert findings(report, "matrix product", "ok") == ["7 FLOP/s in float32 on 2 nodes"]


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_doctor_that_is_ended_takes_its_programs_along(signo, tmp_path):
    pids = tmp_path / "pids"
    hanging = program(
        tmp_path / "hanging", f"trap '' TERM INT; echo $$ >> {pids}; sh -c 'echo $$ >> {pids}; sleep 1000; :' & wait; sleep 1000"
    )
    with running(*words(hanging)) as doctor:
        started = pids_in(pids, 2)
        doctor.send_signal(signo)
        assert doctor.wait(60) == -signo
        wait_until(lambda: not any(alive(pid) for pid in started))

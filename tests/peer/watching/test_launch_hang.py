"""A job that hangs is told, with the rank that holds the others up; with real agents and workers."""

import contextlib
import json
import os
import re
import signal
from pathlib import Path

import pytest

from hang_stage import WORKER, Stage, c10d, end
from launching import TORCHRUN, free_port, launch, running, wait_until


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


STOPPED = """
steps(1, 30)
if rank == 1:
    os.kill(os.getpid(), signal.SIGSTOP)
stay("end")
steps(31, 100)
"""


def test_a_stopped_rank_is_named_with_what_the_kernel_shows_of_all_and_once(stage):
    with running("--standalone", "--nproc-per-node", 3, *stage.script(STOPPED), env=stage.env) as launcher:
        report = stage.report(r"rank 1 is stopped \(state T\): ranks 0, 2 wait for it\. No rank has made a step for \d")
        [line] = re.findall(r"^rank 1 on .*", report, re.MULTILINE)
        assert re.search(r": step 30 \d.* ago; python\S* \(pid \d+\) in state T, CPU 0.00 s of \d\.\d s, 1 thread", line), line
        assert report.count(" in state S, CPU 0.") == 2
        # It was asked nothing and told nothing: it is stopped still, and goes on when somebody lets it.
        let_go_on(report)
        [errors] = end(stage, launcher)
        assert errors.count("the job hangs: rank 1 is stopped") == 1
        assert (
            errors.index("the job hangs")
            < errors.index("  rank 0 on")
            < errors.index("  the report is ")
            < errors.index("the job goes on after all")
        )


def let_go_on(report):
    pid = int(re.search(r"pid (\d+)\) in state T", report)[1])
    assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    os.kill(pid, signal.SIGCONT)


def test_it_is_told_again_after_progress_and_the_workers_get_no_signal(stage):
    script = stage.script("""
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
    signal.signal(number, lambda number, frame: (stage / f"signal_{number}").touch())
steps(1, 30)
stay("on")
steps(31, 60)
stay("end")
steps(61, 100)
""")
    with running("--standalone", "--nproc-per-node", 2, *script, env=stage.env) as launcher:
        first = stage.report("nothing tells the ranks apart; the kernel shows ")
        stage.go("on")
        wait_until(lambda: stage.reports()[-1] != first and "step 60" in stage.reports()[-1])
        [errors] = end(stage, launcher)
        assert errors.count("the job goes on after all") == errors.count("the job hangs: ") >= 2
    assert not list(stage.folder.glob("signal_*"))


@contextlib.contextmanager
def jobs(folder, works, text, *options):
    """One of each kind of work, all at the same time."""
    with contextlib.ExitStack() as stack:
        stages = []
        for number, work in enumerate(works):
            stages.append(Stage(folder / str(number)))
            stages[-1].folder.mkdir()
            script = stages[-1].script(text.replace("WORK", work))
            stages[-1].launcher = stack.enter_context(running("--standalone", *options, *script, env=stages[-1].env))
        yield stages


# Waits for a key of the workers' store as torch's client does, without torch.
STORE = """
import struct

store = socket.create_connection((os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])))
store.sendall(struct.pack("<BIBI", 0, 0x3C85F7CE, 13, 7))

def wait_for(key):
    store.sendall(struct.pack("<BQQ", 6, 1, len(key)) + key.encode())
    stay("end")

"""


def test_what_tells_ranks_apart_is_the_verdict(tmp_path):
    stopped = "import os; os.kill(os.getpid(), 19)"
    verdicts = {
        f"if rank == 1: subprocess.run([sys.executable, '-S', '-c', '{stopped}'])": r"rank 1 is stopped \(state T\), in its process python",
        "while rank == 2 and not (stage / 'end').exists(): pass": r"rank 2 computes, and ranks 0, 1 sleep",
        "if rank == 0: tell(section='checkpoint', section_seconds=0.5)": r'rank 0 is in section "checkpoint" since \d+ s: ranks 1, 2 wait',
        "if rank == 2: tell(step=29)": r"rank 2 is at step 29, and the others have come to step 30",
        "if rank < 2: wait_for('/barrier/2')": r'rank 2 has not come to where ranks 0, 1 wait \(store key "barrier/2"\)',
        "if rank == 1: wait_for('/from/0')": r'rank 1 waits for the store key "from/0", for which the others do not',
        "if rank == 0: sys.exit(0)": r"rank 0 has ended \(exit code 0\): ranks 1, 2 wait for it",
    }
    with jobs(tmp_path, verdicts, STORE + "steps(1, 30)\nWORK\nstay('end')\n", "--nproc-per-node", 3) as stages:
        for stage, verdict in zip(stages, verdicts.values(), strict=True):
            stage.report(verdict)
            if "computes" in verdict:
                stage.go()


NO_HANG = [
    "",
    "tell(loss=1.0)",
    "steps(1, 3); tell(section='evaluation', section_seconds=600)",
    "steps(1, 3); tell(section='evaluation')",
    "tell(section='loading', section_seconds=600) if rank == 0 else steps(1, 3)",
    "steps(98, 100)",
    "steps(1, 3); sys.exit(0) if rank == 0 else steps(98, 100)",
]


def test_what_is_no_hang_is_not_told(tmp_path):
    """Nothing is said; no step; in a section, also of one rank, also without a time; the last step; all have ended or made it."""
    hang = "stay('begin'); steps(1, 3)"
    with jobs(tmp_path, [*NO_HANG, hang], "WORK\nstay('end')\n", "--nproc-per-node", 2) as [*stages, hanging]:
        hanging.go("begin")
        hanging.report("nothing tells the ranks apart")  # for so long none of them
        for stage in stages:
            [errors] = end(stage, stage.launcher)
            assert "hang" not in errors and stage.reports() == []


def test_two_nodes_show_what_their_workers_do(stage):
    port = free_port()
    script = stage.script("steps(1, 30)\nif rank == 3: os.kill(os.getpid(), signal.SIGSTOP)\nstay('end')\nsteps(31, 100)\n")
    with (
        running(*c10d(port, 2, 1), "--nproc-per-node", 2, *script, env=stage.env) as first,
        running(*c10d(port, 2, 0), "--nproc-per-node", 2, *script, env=stage.env) as second,
    ):
        report = stage.report(r"rank 3 is stopped \(state T\): ranks 0 to 2 wait for it")
        assert report.count(" in state S, CPU ") == 3 and "no data" not in report and "has shown nothing" not in report
        status = ["status", "--rdzv-endpoint", f"localhost:{port}", "--rdzv-id", "j"]
        wait_until(lambda: re.search(r"^  \S+ \S+  \S+  the job hangs: rank 3 is stopped", launch(*status).stdout, re.MULTILINE))
        text = launch(*status).stdout
        assert re.match(
            r'Job "j" .*: round 0 complete; HANGS since .*, for \S+ s; .*\nHang: rank 3 is stopped.*\n  rank 3 on \S+.*, step 30 ', text
        )
        told = json.loads(launch(*status, "--json").stdout)
        assert (
            told["state"] == "hangs"
            and told["hang"]["ranks"] == [3]
            and [rank["suspect"] for rank in told["ranks"]] == [*[False] * 3, True]
        )
        let_go_on(report)
        errors = end(stage, first, second)
        assert sorted(text.count("the job hangs: rank 3") for text in errors) == [0, 1]


def test_a_rank_that_has_not_come_to_init_process_group_is_named(stage):
    path = stage.folder / "init.py"
    path.write_text(f"""{WORKER}
if rank == 1:
    step = 0
    while not all((stage / f"loaded{{other}}").exists() for other in (0, 2)):
        step += 1
        tell(step=step)
        time.sleep(0.02)
    stay("end")
import torch.distributed
(stage / f"loaded{{rank}}").touch()
torch.distributed.init_process_group("gloo")
""")
    with running("--standalone", "--nproc-per-node", 3, "--log-dir", stage.folder / "logs", path, env=stage.env) as launcher:
        wait = r'where ranks 0, 2 wait for it \(store key "default_pg/0//cpu//0/1"\)'
        stage.report(rf"rank 1 has not joined the process group \(init_process_group\), {wait}")
        end(stage, launcher)


DDP = """
import contextlib
import torch
import torch.distributed as dist
from torch.distributed.elastic.control_plane import worker_main
from torch.nn.parallel import DistributedDataParallel

server = worker_main() if os.environ["SERVER"] == "1" else contextlib.nullcontext()
server.__enter__()
dist.init_process_group("gloo")
model = DistributedDataParallel(torch.nn.Linear(8, 8))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(1, 61):
    if rank == 3 and step == 30:
        os.kill(os.getpid(), signal.SIGSTOP)  # the others go on to the all-reduce of this step
    optimizer.zero_grad()
    model(torch.ones(4, 8)).sum().backward()
    optimizer.step()
    tell(step=step, total=60)
server.__exit__(None, None, None)
# A process that ends while another one is still in Gloo may abort that one (torch 2.15): all leave it together.
(stage / f"done_{rank}").touch()
while not all((stage / f"done_{each}").exists() for each in range(4)):
    time.sleep(0.01)
os._exit(0)
"""


@contextlib.contextmanager
def ddp(stage, agents, server):
    """A job of four ranks under so many agents, whose workers run torch's server or not."""
    port = free_port()
    path = stage.folder / "ddp.py"
    path.write_text(WORKER + DDP)
    options = ["--nproc-per-node", 4 // agents, "--log-dir", stage.folder / "logs"]
    env = {**stage.env, "SERVER": str(server), "TORCH_FR_BUFFER_SIZE": "2000"}
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(running(*c10d(port, agents, int(agent == 0)), *options, path, env=env)) for agent in range(agents)]


def test_a_stopped_rank_of_a_job_of_pytorchs_on_two_nodes_is_named(stage):
    with ddp(stage, 2, 0) as launchers:
        report = stage.report(r"rank 3 is stopped \(state T\): ranks 0 to 2 wait for it")
        assert len(re.findall(r"^rank [012] on \S+: step 29 .* in state S, CPU 0", report, re.MULTILINE)) == 3, report
        let_go_on(report)
        end(stage, *launchers)


def test_torchs_server_in_a_python_script_tells_its_collectives_and_its_threads(stage):
    with ddp(stage, 1, 1) as launchers:
        report = stage.report(r"rank 3 is stopped \(state T\); ranks 0 to 2 wait in all-?reduce [\d,]+; there is no record of rank 3")
        for rank in range(3):
            assert f"Last collectives of rank {rank}, the newest last:\n  process group 0" in report
        assert "not done" in report and "Last collectives of rank 3" not in report
        assert re.search(r'Python threads of rank 0:\n(  .*\n)*  .*File ".*", line \d+ in ', report), report
        let_go_on(report)
        end(stage, *launchers)


def test_a_node_whose_workers_say_nothing_shows_what_they_do_as_well(stage):
    port = free_port()
    script = stage.script("""
if rank == 0: steps(1, 30)
if rank == 1: os.kill(os.getpid(), signal.SIGSTOP)
stay('end')
if rank == 0: steps(31, 100)
""")
    with running(*c10d(port, 2, 1), *script, env=stage.env) as first, running(*c10d(port, 2, 0), *script, env=stage.env) as second:
        report = stage.report(r"rank 1 is stopped \(state T\): rank 0 waits for it")
        assert re.search(r"^rank 1 on \S+: has told nothing of its progress; python\S* \(pid \d+\) in state T", report, re.MULTILINE)
        let_go_on(report)
        end(stage, first, second)


def test_beside_torchruns_agent_its_ranks_are_not_accused(stage):
    """Whose store it is, too. (That of ours with torchrun's agent as the guest asks no less of the report.)"""
    port = free_port()
    script = stage.script("steps(1, 30)\nstay('end')\nsteps(31, 100)\n")
    with (
        running(*c10d(port, 2, 1), *script, launcher=TORCHRUN, env=stage.env) as first,
        running(*c10d(port, 2, 0), *script, env=stage.env) as second,
    ):
        report = stage.report("nothing is known of other ranks than rank [01]; the kernel shows 1 in state S")
        assert report.splitlines()[-1] == "of 1 node there is no data: torchrun's agent, or none that answers"
        stage.go()
        assert (first.wait(60), second.wait(60)) == (0, 0)

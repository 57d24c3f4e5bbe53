"""Records of collectives: where workers' servers listen, and what is said of who holds the others up, beside the real torchfrtrace."""

import os
import signal

import pytest

from flight_dumps import dumps, probe, torchfrtrace, verdict
from launching import MDL_LAUNCH, environment, launch, running, shell, wait_until

RANKS = range(4)

# Each rank comes to its stages one after the other, and waits at each for a word. Rank 3 comes late to one all-reduce; later rank 1 brings
# another size, and rank 2 does something else in a second group.
WORKER = """
import os, pathlib, time
import torch, torch.distributed as dist
from torch.distributed.elastic.control_plane import worker_main

stage = pathlib.Path(os.environ["STAGE"])

def reach(name, word):
    (stage / f"{name}_{rank}").write_text(f"{os.getpid()} {os.environ['TORCH_WORKER_SERVER_SOCKET']}\\n")
    while not (stage / word).exists():
        time.sleep(0.01)

with worker_main():
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    tensor = torch.ones(4)
    group = dist.new_group()
    for _ in range(3):
        dist.all_reduce(tensor)
    work = dist.all_reduce(tensor, async_op=True) if rank != 3 else None
    reach("behind", "go on")
    (work or dist.all_reduce(tensor, async_op=True)).wait()
    dist.barrier()
    reach("fine", "differ")
    first = dist.all_reduce(torch.ones(3 if rank == 1 else 4), async_op=True)
    second = (dist.broadcast if rank == 2 else dist.all_reduce)(tensor, **({"src": 0} if rank == 2 else {}), group=group, async_op=True)
    reach("different", "end")
    os._exit(0)
"""


class Job:
    def __init__(self, folder, launcher):
        self.folder, self.launcher = folder, launcher

    def reached(self, stage):
        """[(pid, socket)] of the workers, once all of them are there."""

        def look():
            assert self.launcher.poll() is None, self.launcher.stderr.read()
            files = [self.folder / f"{stage}_{rank}" for rank in RANKS]
            texts = [file.read_text() for file in files if file.exists()]
            return len(texts) == len(RANKS) and all(texts) and texts

        return [(int(text.split()[0]), text.split()[1]) for text in wait_until(look)]

    def go(self, word):
        (self.folder / word).touch()


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    script = folder / "worker.py"
    script.write_text(WORKER)
    with running("--standalone", "--nproc-per-node", len(RANKS), script, env=environment(STAGE=folder)) as launcher:
        job = Job(folder, launcher)
        job.reached("behind")
        yield job


def test_the_rank_that_has_not_come_is_named_as_torchfrtrace_names_it(job, tmp_path):
    workers = job.reached("behind")
    texts = dumps(socket for _, socket in workers)
    told = verdict(tmp_path, texts)
    assert told["headline"] == "rank 3 did not reach all-reduce 4, in which ranks 0 to 2 wait"
    assert (told["finding"], told["ranks"]) == ("behind", [3])
    assert torchfrtrace(tmp_path, texts) == ({(4, "gloo:all_reduce"): {3}}, {})
    # What goes through the store says the same, and is short.
    records = [probe("ask", socket, 10) for _, socket in workers]
    assert [code for code, _, _ in records] == [0] * 4 and all(len(record) <= 2049 for _, record, _ in records)
    assert verdict(tmp_path, [record for _, record, _ in records]) == told


def test_a_worker_that_is_stopped_has_no_record_and_costs_the_limit_alone(job, tmp_path):
    workers = job.reached("behind")
    pid, socket = workers[3]
    os.kill(pid, signal.SIGSTOP)
    try:
        code, _, errors = probe("ask", socket, 0.5)
        assert (code, errors) == (1, "it does not answer within 0.5 s\n")
        told = verdict(tmp_path, [*dumps(socket for _, socket in workers[:3]), None])
    finally:
        os.kill(pid, signal.SIGCONT)
    assert told["headline"] == "ranks 0 to 2 wait in all-reduce 4; there is no record of rank 3"
    assert (told["finding"], told["ranks"]) == ("unrecorded", [3])
    assert probe("ask", socket, 30)[0] == 0


def test_python_says_where_it_is(job):
    code, lines, errors = probe("traceback", job.reached("behind")[3][1], 10)
    assert code == 0, errors
    assert b"worker.py" in lines and b" in reach" in lines and b"\x1b" not in lines


def test_where_all_is_done_nobody_is_named(job, tmp_path):
    job.go("go on")
    workers = job.reached("fine")
    texts = wait_until(
        lambda: (now := dumps(socket for _, socket in workers)) and verdict(tmp_path, now)["finding"] == "idle" and now
    )  # marked soon after
    told = verdict(tmp_path, texts)
    assert told["headline"] == "no rank waits in a collective" and told["ranks"] == []
    assert told["details"] == ["process group 0 (default_pg): nobody waits; the last of ranks 0 to 3 is 5"]
    assert torchfrtrace(tmp_path, texts) == ({}, {})


def test_another_size_or_operation_is_told_as_torchfrtrace_tells_it(job, tmp_path):
    job.go("go on")
    job.go("differ")
    texts = dumps(socket for _, socket in job.reached("different"))
    told = verdict(tmp_path, texts)
    assert told["headline"] == (
        "rank 1 does something else in all-reduce 6 of process group 0 (default_pg): "
        "ranks 0, 2, 3 all_reduce of [[4]] Float; rank 1 all_reduce of [[3]] Float"
    )
    assert (told["finding"], told["ranks"]) == ("mismatch", [1])
    other = (
        "rank 2 does something else in all-reduce 1 of process group 1: ranks 0, 1, 3 all_reduce of [[4]] Float; rank 2 broadcast of [[4]]"
    )
    assert other in told["details"]
    assert torchfrtrace(tmp_path, texts) == (
        {},
        {(6, "gloo:all_reduce"): {1: "SIZE_OR_SYNTAX_MISMATCH"}, (1, "gloo:all_reduce"): {2: "COLLECTIVE_TYPE_MISMATCH"}},
    )


def test_the_sockets_are_private_short_and_gone_at_the_end(job):
    job.go("go on")
    job.go("differ")
    sockets = [socket for _, socket in job.reached("different")]
    assert len(set(sockets)) == 4
    for socket in sockets:
        assert len(socket) <= 107 and os.stat(os.path.dirname(socket)).st_mode & 0o777 == 0o700 and os.path.exists(socket)
    job.go("end")
    assert job.launcher.wait(60) == 0, job.launcher.stderr.read()
    assert not any(os.path.exists(socket) for socket in sockets)


def test_a_path_of_the_users_stays_and_an_empty_one_means_none():
    echo = shell("""echo "${TORCH_WORKER_SERVER_SOCKET-none}" """)
    for given, seen in (("/tmp/mine", "/tmp/mine"), ("", "none")):
        done = launch("--standalone", *echo, env=environment(TORCH_WORKER_SERVER_SOCKET=given))
        assert (done.returncode, done.stdout) == (0, f"{seen}\n"), done.stderr


def test_workers_of_an_inner_launcher_have_paths_of_their_own():
    inner = [MDL_LAUNCH, "--standalone", "--nproc-per-node", "2", "--no-python", "/bin/sh", "-c", "echo $$$$TORCH_WORKER_SERVER_SOCKET"]
    done = launch("--standalone", *shell('echo "$TORCH_WORKER_SERVER_SOCKET"; exec "$@"', *inner))
    assert done.returncode == 0, done.stderr
    paths = done.stdout.split()
    assert len(set(paths)) == 3 and sorted(os.path.basename(path) for path in paths) == ["server_0", "server_0", "server_1"]

"""What workers say of their progress (MDL_PROGRESS) is heard by their agent, told in the job's store, and shown by `mdl-launch status`."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from launching import MDL_LAUNCH, TORCHRUN, environment, free_port, is_served, launch, running, shell, wait_until

REPOSITORY = Path(__file__).resolve().parents[3]
EXAMPLE, STEP_TIMES = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "watching.md").read_text(), re.DOTALL)[:2]

# The columns of a summary in the store (launcher/progress/node_summary.cpp), and those that hold whole numbers.
COLUMNS = """step total loss samples samples_per_s steps_per_s own waiting age step_age longest_step made_step own_lately own_step pid
learning_rate grad_norm eval_loss eval_step gpu section section_seconds section_age section_left_age dropped wrong ended""".split()
WHOLE = {"step", "total", "samples", "own_step", "pid", "eval_step", "dropped", "wrong"}

# Says what its arguments are, and stays until the file of its last argument is there.
SPEAKER = """
import json, os, pathlib, socket, sys, time

to_launcher = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

def tell(**fields):
    to_launcher.sendto(json.dumps(fields).encode(), os.environ["MDL_PROGRESS"])

rank = int(os.environ["RANK"])
attempt = int(os.environ["TORCHELASTIC_RESTART_COUNT"])

def stay(name):
    while not os.path.exists(os.path.join(os.environ["STAGE"], name)):
        time.sleep(0.01)
"""


def known_of_ranks(summary):
    """The last two parts of it as what is known of each rank, by its name; nothing of one that has sent nothing."""
    count, columns = summary[6:]
    ranks = [{} for _ in range(count)]
    for name, column in zip(COLUMNS, columns, strict=False):
        values = column if isinstance(column, list) else [column] * count
        last = 0
        for rank, value in zip(ranks, values, strict=False):
            if value is not None:
                rank[name] = last + value if name in WHOLE and isinstance(column, list) else value
                last = rank[name]
    return [rank if "age" in rank else {} for rank in ranks]


class Stage:
    """A job whose workers are the script that each test gives, and the folder where they wait for a word."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.env = environment(STAGE=folder)

    def script(self, text):
        path = self.folder / "worker.py"
        path.write_text(SPEAKER + text)
        return path

    def go(self, name="end"):
        (self.folder / name).touch()

    def c10d(self, nodes="1:2", *conf):
        conf = conf or ["last_call_timeout=1"]
        settings = ["--rdzv-conf", ",".join(conf)] if conf else []
        return ["--nnodes", nodes, "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{self.port}", "--rdzv-id", "j", *settings]

    def store(self):
        from torch.distributed import TCPStore

        return TCPStore("localhost", self.port, is_master=False, wait_for_workers=False)

    def told(self, *nodes, condition=lambda ranks: True):
        """What the nodes have put into the store, once all of it fulfils the condition: the round, the first rank, and its ranks' fields."""
        store = wait_until(self.store_once)

        def all_there():
            keys = [f"mdl-launch/j/progress/{node}" for node in nodes]
            if not store.check(keys):
                return None
            values = [[*value[:6], known_of_ranks(value)] for value in (json.loads(store.get(key)) for key in keys)]
            return values if condition([rank for value in values for rank in value[6]]) else None

        return wait_until(all_there)

    def store_once(self):
        if not is_served(self.port):
            return None
        with contextlib.suppress(Exception):
            return self.store()

    def events(self):
        store = self.store()
        keys = [f"mdl-launch/j/events/at/{slot}" for slot in range(32)]
        return sorted(json.loads(store.get(key))[1:] for key in keys if store.check([key]))


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def test_the_example_of_the_documentation_is_heard_by_ten_lines_of_python(stage):
    assert len(EXAMPLE.split("# in the loop")[0].strip().splitlines()) <= 10
    script = stage.folder / "worker.py"
    script.write_text("import sys\n" + EXAMPLE + SPEAKER.split("rank =")[0].split("def tell")[0] + SPEAKER[SPEAKER.index("def stay") :])
    with open(script, "a") as file:
        file.write("assert 'torch' not in sys.modules\nstay('end')\n")
    worker = ["--no-python", sys.executable, "-I", "-S", script]
    with running(*stage.c10d(), "--nproc-per-node", 2, *worker, env=stage.env) as launcher:
        [told] = stage.told(0, condition=lambda ranks: all(rank.get("step", 0) >= 10 for rank in ranks))
        for rank in told[6]:
            assert rank["total"] == 100 and rank["samples"] == 8 * rank["step"] and abs(rank["loss"] - 2.0 / rank["step"]) < 1e-5
        stage.go()
        assert launcher.wait(60) == 0, launcher.stderr.read()
    # By itself it does the same, and nobody hears it.
    done = subprocess.run([sys.executable, script], env=stage.env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_sends_a_loss_that_is_a_tensor_and_passes_over_what_is_no_number(stage):
    worker = (
        EXAMPLE.split("# in the loop")[0]
        + """
import time, torch
tell(step=1, loss=torch.tensor(0.5))
tell(step=2, loss=torch.ones(2))
tell(step=3, loss="low".encode())
tell(step=4, loss=object())
tell(step=5)
"""
    )
    script = stage.folder / "worker.py"
    script.write_text(worker + SPEAKER[SPEAKER.index("def stay") :] + "stay('end')\n")
    with running(*stage.c10d(), script, env=stage.env) as launcher:
        [told] = stage.told(0, condition=lambda ranks: all(rank.get("step") == 5 for rank in ranks))
        assert told[6][0]["loss"] == 0.5  # step 1 and 5 are all that came
        stage.go()
        assert launcher.wait(60) == 0, launcher.stderr.read()


def test_the_own_time_of_a_slow_rank_of_ddp_comes_out_larger(stage):
    script = stage.folder / "worker.py"
    script.write_text(f"""{EXAMPLE.split("# in the loop")[0]}
{STEP_TIMES}
import pathlib
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(0)
plain = torch.nn.Linear(8, 8)
model = DistributedDataParallel(torch.nn.Linear(8, 8))
model.module.load_state_dict(plain.state_dict())
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
times = StepTimes(model)
for step in range(1, 21):
    if rank == 1:
        time.sleep(0.1)
    optimizer.zero_grad()
    with model.no_sync():  # half of the batch, without a word to the others
        model(torch.full((4, 8), float(rank))).sum().backward()
        times.backward_done()
    model(torch.full((4, 8), float(rank))).sum().backward()
    times.backward_done()
    optimizer.step()
    times.step_done()
    tell(step=step, own=times.own, waiting=times.waiting)
# The hook has averaged the gradients of both, as without it.
weight = plain.weight.detach() - 20 * 0.01 * torch.full((8, 8), 4.0)
assert torch.allclose(model.module.weight.detach(), weight), (model.module.weight, weight)
pathlib.Path(os.environ["STAGE"], f"times_{{rank}}").write_text(f"{{times.own}} {{times.waiting}}")
dist.barrier()
os._exit(0)
""")
    done = launch("--standalone", "--nproc-per-node", 2, script, env={**stage.env, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    (own, waiting), (slow_own, slow_waiting) = (
        [float(word) for word in (stage.folder / f"times_{rank}").read_text().split()] for rank in (0, 1)
    )
    assert slow_own > 18 * 0.1 and slow_own > own and waiting > slow_waiting, (own, waiting, slow_own, slow_waiting)


def test_two_nodes_tell_the_store_of_all_their_ranks(stage):
    script = stage.script("tell(step=10 + rank, total=20, samples=8); stay('end')")
    with (
        running(*stage.c10d(2, "is_host=1"), "--nproc-per-node", 2, script, env=stage.env) as first,
        running(*stage.c10d(2, "is_host=0"), "--nproc-per-node", 3, script, env=stage.env) as second,
    ):
        told = stage.told(0, 1, condition=lambda ranks: len(ranks) == 5 and all(ranks))
        assert [value[:3] for value in told] == [[2, 0, 0], [2, 0, 1]]
        sizes = [len(value[6]) for value in told]
        assert sorted(sizes) == [2, 3] and [value[5] for value in told] == [0, sizes[0]]
        assert [rank["step"] for value in told for rank in value[6]] == [10, 11, 12, 13, 14]
        assert [event[3] for event in stage.events()] == ["round"]
        stage.go()
        assert (first.wait(60), second.wait(60)) == (0, 0)


@pytest.mark.parametrize("host", [MDL_LAUNCH, TORCHRUN], ids=["ours is the host", "torchrun is the host"])
def test_beside_torchruns_agent_ours_tells_and_torchruns_does_not(stage, host):
    script = stage.script("tell(step=10 + rank, own=0.5) if 'MDL_PROGRESS' in os.environ else None; stay('end')")
    guest = TORCHRUN if host == MDL_LAUNCH else MDL_LAUNCH
    with (
        running(*stage.c10d(2, "is_host=1"), script, launcher=host, env=stage.env) as first,
        running(*stage.c10d(2, "is_host=0"), script, launcher=guest, env=stage.env) as second,
    ):
        store = wait_until(stage.store_once)
        keys = [f"mdl-launch/j/progress/{node}" for node in (0, 1)]
        ours = wait_until(lambda: [key for key in keys if store.check([key])])
        shown = status(stage)
        told = json.loads(status(stage, "--json"))
        assert len(ours) == 1 and shown.count("  no data\n") == 1 and "step 1" in shown
        [rank] = told["ranks"]
        assert rank["step"] == 10 + rank["rank"] and told["progress"]["ranks"] == 1 and f"mdl-launch/j/progress/{rank['node']}" in ours
        assert [node["told_age_s"] is None for node in told["nodes"]].count(True) == 1
        stage.go()
        assert (first.wait(60), second.wait(60)) == (0, 0)


def status(stage, *options, env=None):
    command = ["status", "--rdzv-endpoint", f"localhost:{stage.port}", "--rdzv-id", "j", *options]
    done = launch(*command, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_restart_forgets_what_the_workers_had_said_and_is_told_with_its_reason(stage):
    script = stage.script("""
if attempt == 0:
    tell(step=70, total=90, loss=1.5, section="evaluation")
    stay("fail")
    sys.exit(7 if rank == 1 else 0)
tell(step=3)
stay("end")
""")
    with running(*stage.c10d(), "--nproc-per-node", 2, "--max-restarts", 1, script, env=stage.env) as launcher:
        [told] = stage.told(0, condition=lambda ranks: len(ranks) == 2 and all(ranks))
        first = told[6][0]
        assert (told[1], first["step"], first["total"], first["loss"]) == (0, 70, 90, 1.5)
        stage.go("fail")
        [told] = stage.told(0, condition=lambda ranks: all(rank.get("step") == 3 for rank in ranks))
        assert told[1] == 1 and not any({"total", "loss", "samples", "section"} & rank.keys() for rank in told[6])
        kinds = wait_until(lambda: len(stage.events()) == 3 and stage.events())
        assert [event[3] for event in kinds] == ["round", "restart", "round"]
        shown = status(stage)
        assert "restarts: 1" in shown and "restart 1 of 1: rank 1 failed with exit code 7" in shown and "evaluation" not in shown
        stage.go()
        assert launcher.wait(60) == 0


def test_a_worker_gone_wild_is_counted_and_steers_no_terminal(stage):
    script = stage.script("""
bell = "\\x1b[2J\\x07evil"
for message in ("{", "[" * 1024, json.dumps({"step": 1, "section": bell}) + " " * 2000, "", bell):
    to_launcher.sendto(message.encode(), os.environ["MDL_PROGRESS"])
to_launcher.sendto(b'{"step": 5, "path": "/etc/passwd", "command": ["rm"], "total": "many", "loss": NaN}', os.environ["MDL_PROGRESS"])
tell(section=bell)
for step in range(3000):
    tell(step=step)
time.sleep(1.1)
tell(step=9, section=bell)
stay("end")
""")
    with running(*stage.c10d(), script, env=stage.env) as launcher:
        [told] = stage.told(0, condition=lambda ranks: ranks and ranks[0].get("step") == 9 and "section" in ranks[0])
        rank = told[6][0]
        assert rank["section"] == "evil" and rank["wrong"] == 5 and 2500 <= rank["dropped"] <= 3000
        shown = status(stage)
        assert "\x1b" not in shown and "\x07" not in shown and "evil since" in shown and "loss nan" in shown
        assert "  5 wrong messages" in shown and re.search(r"  \d{4} messages beyond 100 a second", shown)
        [rank] = json.loads(status(stage, "--json"))["ranks"]
        assert (rank["section"], rank["wrong"], rank["loss"], rank["total"]) == ("evil", 5, "nan", None)
        stage.go()
        _, errors = launcher.communicate(timeout=60)
        assert launcher.returncode == 0
        assert errors.count("has sent to MDL_PROGRESS what is no JSON object") == 1 and "\x1b" not in errors


@pytest.mark.parametrize("folder", ["short", "long", "/dev/null", "none"])
def test_a_worker_reaches_its_socket_wherever_the_logs_are(stage, folder, request):
    temporary = stage.folder / "t"
    temporary.mkdir()
    long = stage.folder / ("x" * 120)
    short = tempfile.mkdtemp(prefix="l", dir="/tmp")
    request.addfinalizer(lambda: shutil.rmtree(short))
    logs = {"short": short, "long": long, "/dev/null": "/dev/null", "none": ""}[folder]
    options = ["--log-dir", logs] if logs else []
    worker = shell("""echo "$MDL_PROGRESS"; stat -c '%a %F' "$(dirname "$MDL_PROGRESS")" "$MDL_PROGRESS" """)
    script = stage.script("print(os.environ['MDL_PROGRESS']); tell(step=4); stay('end')")
    done = launch("--standalone", *options, *worker, env={**stage.env, "TMPDIR": str(temporary)})
    path, *modes = done.stdout.splitlines()
    assert done.returncode == 0 and modes[0] == "700 directory" and modes[1].endswith(" socket"), done.stderr
    assert len(path) <= 107 and Path(path).is_relative_to(logs if folder == "short" else temporary)
    assert not Path(path).exists() and list(temporary.iterdir()) == []
    with running(*stage.c10d(), *options, script, env={**stage.env, "TMPDIR": str(temporary)}) as launcher:
        [told] = stage.told(0, condition=all)
        assert told[6][0]["step"] == 4
        stage.go()
        assert launcher.wait(60) == 0
    assert list(temporary.iterdir()) == []


def test_the_workers_of_an_inner_launcher_do_not_speak_for_the_outer_one():
    inner = [MDL_LAUNCH, "--standalone", "--no-python", "/bin/sh", "-c", 'echo "$$$$MDL_PROGRESS"']
    done = launch("--standalone", *shell('echo "$MDL_PROGRESS"; exec "$@"', *inner))
    assert done.returncode == 0, done.stderr
    outer, worker = done.stdout.splitlines()
    assert outer.endswith("/progress_0") and worker.endswith("/progress_0") and outer != worker


def test_a_static_job_tells_it_in_the_store_of_node_0(stage):
    script = stage.script("tell(step=10 + rank); stay('end')")
    static = ["--nnodes", 2, "--master-addr", "localhost", "--master-port", stage.port, "--rdzv-id", "j"]
    with (
        running(*static, "--node-rank", 0, script, env=stage.env) as first,
        running(*static, "--node-rank", 1, script, env=stage.env) as second,
    ):
        told = stage.told(0, 1, condition=lambda ranks: len(ranks) == 2 and all(ranks))
        assert [[value[2], value[5], value[6][0]["step"]] for value in told] == [[0, 0, 10], [1, 1, 11]]
        stage.go()
        assert (first.wait(60), second.wait(60)) == (0, 0)

"""A program that prints its environment and arguments prints the same under mdl-launch and the real torchrun."""

import json
import re
import sys

import pytest

from launching import MDL_LAUNCH, TORCHRUN, environment, free_port, launch

# Into a file each: torchrun lets the lines of its workers mix.
PRINT_ALL = """
import json, os, pathlib, sys
facts = {'env': dict(os.environ), 'argv': sys.argv[1:], 'cwd': os.getcwd()}
pathlib.Path(os.environ['FACTS'], os.environ['RANK']).write_text(json.dumps(facts))
"""

# What differs from run to run: ports, ids, folders with random names. Everything else must be equal.
RANDOM = {
    "MASTER_PORT": r"\d+",
    "TORCHELASTIC_RUN_ID": r"[0-9a-f-]{36}",
    "TORCHELASTIC_ERROR_FILE": r"/tmp/torchelastic_\w+/RUNID_\w+/attempt_0/\d/error\.json",
}


@pytest.fixture
def facts_of(tmp_path):
    """facts_of(launcher, *options) -> what each worker saw, by rank."""

    def ask(launcher, *options, env=None, tail=()):
        done = launch(
            *options,
            "--no-python",
            sys.executable,
            "-c",
            PRINT_ALL,
            *tail,
            launcher=launcher,
            env={**(env or environment()), "FACTS": str(tmp_path)},
        )
        assert done.returncode == 0, done.stderr
        files = sorted(tmp_path.iterdir(), key=lambda file: int(file.name))
        facts = [json.loads(file.read_text()) for file in files]
        for file in files:
            file.unlink()
        return facts

    return ask


def without_random_parts(fact):
    env = dict(fact["env"])
    env.pop("_", None)  # the shell's or torchrun's own last command
    env.pop("MDL_PROGRESS", None)  # ours alone: test_launch_progress.py
    env.pop("TORCH_WORKER_SERVER_SOCKET", None)  # ours alone: test_launch_flight.py
    env["TORCHELASTIC_ERROR_FILE"] = env["TORCHELASTIC_ERROR_FILE"].replace(env["TORCHELASTIC_RUN_ID"], "RUNID")
    for name, pattern in RANDOM.items():
        if re.fullmatch(pattern, env[name]):
            env[name] = f"<{name}>"
    return {**fact, "env": env}


@pytest.mark.parametrize(
    "options, extra",
    [
        (["--standalone", "--nproc-per-node", "2"], {}),
        (["--standalone"], {}),
        (["--nproc_per_node=2", "--max-restarts=3", "--role", "trainer"], {"OMP_NUM_THREADS": 3, "TORCH_NCCL_ASYNC_ERROR_HANDLING": 0}),
        (
            [
                "--nnodes",
                "1",
                "--rdzv-backend",
                "c10d",
                "--rdzv-endpoint",
                "localhost:0",
                "--rdzv-id",
                "11111111-2222-4333-8444-555555555555",
            ],
            {},
        ),
        (["--standalone", "--nproc-per-node", "2"], {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": 1}),
        ([], {"PET_NPROC_PER_NODE": 2, "PET_STANDALONE": 1, "PET_MAX_RESTARTS": 1, "RANK": 77, "MASTER_ADDR": "elsewhere"}),
    ],
)
def test_workers_get_torchruns_environment(options, extra, facts_of):
    env = environment(TMPDIR="/tmp", **extra)
    theirs = [without_random_parts(fact) for fact in facts_of(TORCHRUN, *options, env=env)]
    ours = [without_random_parts(fact) for fact in facts_of(MDL_LAUNCH, *options, env=env)]
    assert ours == theirs
    assert all(fact["env"]["MASTER_PORT"] == "<MASTER_PORT>" for fact in ours)


def test_a_static_job_gets_torchruns_environment(facts_of):
    options = ["--nproc-per-node", "2", "--master-addr", "127.0.0.1", "--master-port", str(free_port()), "--rdzv-id", "job/7"]
    theirs = facts_of(TORCHRUN, *[option.replace("/", "-") for option in options])  # torchrun cannot have '/' in an id
    ours = facts_of(MDL_LAUNCH, *options)
    for name in ("MASTER_ADDR", "MASTER_PORT", "GROUP_RANK", "WORLD_SIZE", "TORCHELASTIC_USE_AGENT_STORE"):
        assert [fact["env"][name] for fact in ours] == [fact["env"][name] for fact in theirs]
    assert ours[0]["env"]["TORCHELASTIC_RUN_ID"] == "job/7"


def test_arguments_are_passed_on_and_their_macros_replaced_as_torchrun_does(facts_of):
    tail = ["--rank=${local_rank}", "$local_rank", "$$5", "${other}", "--nproc-per-node", "9", "", "two words", "--", "-x"]
    options = ["--standalone", "--nproc-per-node", "2"]
    ours = facts_of(MDL_LAUNCH, *options, tail=tail)
    assert [fact["argv"] for fact in ours] == [fact["argv"] for fact in facts_of(TORCHRUN, *options, tail=tail)]
    assert ours[1]["argv"][0] == "--rank=1"

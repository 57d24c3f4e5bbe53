"""The training whose episodes these are: what each host is told to run, and what its output says."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

ENDPOINT_PORT = 29400
# Short, so that an episode is. join_timeout is how long too few nodes are waited for, read_timeout how long a lost store is.
TIMES = {
    "join_timeout": 15,
    "last_call_timeout": 1,
    "close_timeout": 5,
    "keep_alive_interval": 1,
    "keep_alive_max_attempt": 3,
    "heartbeat_timeout": 2,
    "read_timeout": 12,
}
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "TORCH_ELASTIC_EXIT_BARRIER_TIMEOUT": "20", "HF_HUB_OFFLINE": "1"}
SHUTDOWN_TIMEOUT = 5
COLLECTIVE_TIMEOUT = 20
# The worker as a user would write it: from the newest checkpoint where there is one. Its process id is how a fault finds it.
PROGRAM = """#!/bin/sh
echo $$ > {pids}/$MDL_TEST_HOST
set -- "$@"
ls -d {output}/checkpoint-*[0-9] >/dev/null 2>&1 && set -- "$@" --resume-from-checkpoint true
exec {toolkit} train "$@"
"""


@dataclass(frozen=True)
class Programs:
    launcher: str  # mdl-launch or torchrun: how its options are to be written
    launch: Path
    toolkit: Path
    clock: Path  # libshifted_clock.so


@dataclass(frozen=True)
class Training:
    """What is trained: the same in every episode, so that undisturbed runs of it can be kept."""

    programs: Programs
    model: Path
    data: Path
    epochs: int = 4

    def options(self, output):
        # With frozen statistics the loss of a clip does not depend on the clips beside it, and so on no rank's number.
        options = {
            "model-name": self.model,
            "train-dataset": self.data,
            "output": output,
            "lora-rank": 16,
            "lr": "1e-3",
            "batch-size": 1,
            "num-epochs": self.epochs,
            "save-steps": 1,
            "merge-lora": "false",
            "batch-norm": "frozen",
            "ddp-timeout": COLLECTIVE_TIMEOUT,
        }
        return [text for name, value in options.items() for text in (f"--{name}", str(value))]

    def write_program(self, path, output, pids):
        path.write_text(PROGRAM.format(output=output, pids=pids, toolkit=self.programs.toolkit))
        path.chmod(0o755)


def agent_command(training, host, store_host, nodes, program, output, log_dir):
    """The command line of the agent on `host`, a host of tests/hosts/harness/network.py."""
    times = dict(TIMES)
    kind = training.programs.launcher
    more = []
    if kind == "torchrun":
        # It looks its own name up to learn whether the endpoint is this host, and takes the name for its address.
        times["is_host"] = int(host is store_host)
        more = ["--local-addr", host.address]
    return [
        training.programs.launch,
        "--nnodes",
        nodes,
        "--nproc-per-node",
        "1",
        "--max-restarts",
        "100",
        "--shutdown-timeout" if kind == "mdl-launch" else "--monitor-interval",
        SHUTDOWN_TIMEOUT if kind == "mdl-launch" else "0.1",
        "--rdzv-backend",
        "c10d",
        "--rdzv-endpoint",
        f"{store_host.address}:{ENDPOINT_PORT}",
        "--rdzv-id",
        "chaos",
        "--rdzv-conf",
        ",".join(f"{key}={value}" for key, value in times.items()),
        "--log-dir",
        log_dir,
        "--tee",
        "3",
        *more,
        "--no-python",
        program,
        *training.options(output),
    ]


def agent_environment(training, host, clock_file):
    environment = {**os.environ, **ENVIRONMENT}
    if clock_file:
        environment.update(LD_PRELOAD=str(training.programs.clock), MDL_TEST_CLOCK_FILE=str(clock_file))
    return environment


RESUMED = re.compile(r"resuming from (\S+): step (\d+) of .*?(?:written by \d+ processes, now (\d+))?$")
STEP = re.compile(r"\{'loss':")
FREE_RESTART = re.compile(r"^\[mdl-launch\] .*the nodes of the job have changed(, or .*)?\. Restarting all workers")
PAID_RESTART = re.compile(
    r"^\[mdl-launch\] (?!.*the nodes of the job have changed).*Restarting all workers(: restart \d+ of |$)"
)  # here, or by another node
CLEAR_ERROR = re.compile(r"mdl-launch: error: |^\s*Root cause: |ended by SIG|the job has ended on another node")

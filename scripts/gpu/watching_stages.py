"""Stages of what watches a job: how fast the GPU is, and what is told of a training while it runs and while it hangs."""

import contextlib
import http.client
import json
import os
import pickle
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from acceptance import Acceptance
from runs import VARIABLE
from small_stages import small_data
from table import peak_of

WATCHED_STEPS = 3  # done when the training is looked at
MOST_OF_STATUS = 10  # seconds
SAME_PRODUCT = 1.5  # times, between LibTorch's matrix products from C++ and from Python
LEAST_OF_PEAK = 0.3  # of what the data sheet has, a product reaches
HANDLERS = {"nccl": ("dump_nccl_trace_pickle", pickle.loads), "gloo": ("fr_trace_json", json.loads)}
PRODUCT = """
import sys, time, torch
rows, device = int(sys.argv[1]), sys.argv[2]
a, b = (torch.randn(rows, rows, device=device, dtype=torch.float32 if device == "cpu" else torch.bfloat16) for _ in range(2))
wait = torch.cuda.synchronize if device == "cuda" else lambda: None
times = []
for _ in range(12):
    begin = time.perf_counter()
    a @ b
    wait()
    times.append(time.perf_counter() - begin)
print(2 * rows**3 / min(times))
"""


def health(work: Acceptance) -> None:
    """mdl-toolkit health measures this GPU as PyTorch's own products do; the doctor takes its numbers."""
    toolkit, launcher = work.options.bin_dir / "mdl-toolkit", work.options.launcher
    run = work.run("health", [toolkit, "health", "--json", "true", "--output", work.work("out"), *work.device()])
    if not run.passed:
        return
    measured = json.loads(run.text().splitlines()[-1])
    work.facts["health"] = measured
    device = "cpu" if work.dry else "cuda"
    work.check(measured.get("device") == device, f"health measured {measured.get('device')} in place of {device}")
    wanted = ["matrix_product", "memory_copy", "memory", "disk", *([] if work.dry else ["gpu_errors"])]
    missing = [name for name in wanted if "not_measured" in measured.get(name, {"not_measured": ""})]
    work.check(not missing, f"health has not measured {', '.join(missing)}: {measured}")
    product = measured.get("matrix_product", {})
    if product.get("flop_per_s"):
        compare_product(work, product, device)
    doctor = work.run(
        "doctor-deep",
        [launcher, "doctor", "--deep", "--json", "--standalone", "--nproc-per-node", 1, "--no-python", toolkit, "train", *work.device()],
    )
    if doctor.passed:
        told = json.loads(doctor.text()[doctor.text().index("{") :])
        names = [finding.get("check") for finding in told.get("findings", [])]
        work.check("matrix product" in names, f"doctor --deep says nothing of a matrix product: {names}")


def compare_product(work: Acceptance, product: dict, device: str) -> None:
    run = work.run("product-python", [work.options.python, "-c", PRODUCT, product["rows"], device])
    if not run.passed or work.dry:  # a busy CPU says nothing of either
        return
    ours, theirs = product["flop_per_s"], float(run.text())
    work.check(1 / SAME_PRODUCT < ours / theirs < SAME_PRODUCT, f"health has {ours:.4g} FLOP/s where PyTorch has {theirs:.4g}")
    peak = peak_of(work.facts.get("card", ""))
    work.check(not peak or LEAST_OF_PEAK * peak < ours <= peak, f"health has {ours:.4g} FLOP/s on a card with at most {peak:.4g}")


class Watch:
    """Looks at a training after some steps, stops its worker (SIGSTOP), and lets it go on when that was told as a hang."""

    def __init__(self, work: Acceptance):
        self.work, self.status, self.collectives, self.worker, self.looked = work, {}, [], None, False

    def __call__(self, process: subprocess.Popen, run) -> None:
        if not self.looked and len(run.steps) >= WATCHED_STEPS:
            self.looked = True
            self.look(process.pid)
        elif self.worker and "the job hangs" in run.lines[-1][1]:
            os.kill(self.worker, signal.SIGCONT)

    def look(self, launcher: int) -> None:
        try:
            worker, place = worker_of(launcher)
            self.collectives = recorded(place, *HANDLERS["gloo" if self.work.dry else "nccl"])
            os.kill(worker, signal.SIGSTOP)
            self.worker = worker
            self.status = status_with_steps(self.work)
        except Exception as error:  # in a thread that must go on reading
            self.work.check(False, f"the training could not be looked at: {error}")


def worker_of(launcher: int) -> tuple[int, str]:
    """The process id of a launcher's worker, and the Unix socket of torch's server in it."""
    wanted = variables_of(launcher)[VARIABLE]
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            found = variables_of(folder.name)
            if found.get(VARIABLE) == wanted and "TORCH_WORKER_SERVER_SOCKET" in found:
                return int(folder.name), found["TORCH_WORKER_SERVER_SOCKET"]
    raise OSError(f"the launcher ({launcher}) has no worker with a server of torch's")


def variables_of(process: int | str) -> dict[str, str]:
    """The environment that it was started with."""
    words = os.fsdecode(Path(f"/proc/{process}/environ").read_bytes()).split("\0")
    return dict(word.split("=", 1) for word in words if "=" in word)


def status_with_steps(work: Acceptance) -> dict:
    """What status tells of the training; the launcher passes on what workers say once a second."""
    end = time.monotonic() + MOST_OF_STATUS
    while True:
        command = [work.options.launcher, "status", "--rdzv-id", "watched", "--json"]
        asked = subprocess.run(command, capture_output=True, text=True, timeout=MOST_OF_STATUS)
        told = json.loads(asked.stdout) if asked.returncode == 0 else {"error": asked.stderr}
        if any(rank.get("step") for rank in told.get("ranks", [])) or time.monotonic() > end:
            return told
        time.sleep(0.2)


def recorded(place: str, handler: str, load: Callable) -> list[dict]:
    """What torch's flight recorder has of this worker's collectives."""
    connection = http.client.HTTPConnection("localhost", timeout=20)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(20)
    connection.sock.connect(place)
    connection.request("POST", f"/handler/{handler}")
    answer = connection.getresponse()
    return load(answer.read()).get("entries", []) if answer.status == 200 else []


def watched(work: Acceptance) -> None:
    """status knows the training and its GPU, the worker has a record of its collectives, and a stopped worker is told as a hang."""
    watch, logs = Watch(work), work.work("watched-logs")
    launcher = [work.options.launcher, "--nnodes", 1, "--nproc-per-node", 1, "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    launcher += ["--rdzv-id", "watched", "--log-dir", logs, "--no-python"]
    environment = {"MDL_FORCE_GROUP": "1", "MDL_HANG_FLOOR": "1"}
    name, data = "watched", [*small_data(work), "--bf16", "false", "--num-epochs", 2]
    run = work.train(name, data, launcher=launcher, environment=environment, watch=watch)
    ranks = watch.status.get("ranks", [])
    if work.check(len(ranks) == 1 and (ranks[0].get("step") or 0) >= 1, f"status does not know the training: {watch.status}"):
        gpu = ranks[0].get("gpu") or ""
        work.check(work.dry or re.search(r"\d+ °C", gpu) is not None, f"status says of the GPU: {gpu or 'nothing'}")
    work.check(bool(watch.collectives), "torch's flight recorder has no collective of the worker")
    hang = re.search(r"the job hangs: (.*)", run.text())
    work.check(bool(hang) and "is stopped (state T)" in hang[1], f"a stopped worker was told as: {hang and hang[1]}")
    work.check(bool(list(logs.glob("*/hang_1.txt"))), f"there is no report of the hang in {logs}")

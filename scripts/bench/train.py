#!/usr/bin/env python3
"""Trains a model of 31.9 million parameters: our mdl-toolkit train beside the Python tool's, in one run on one machine.

Prints a JSON line a case: bench, case, ours, theirs, ratio (larger is better), unit. The same model, dataset folder and options
(batch 4, LoRA rank 16, float32); the programs take turns, the median of the repetitions counts. Two ranks are started by
each stack's own launcher: ours by mdl-launch, theirs by torchrun.
  throughput          clips a second between the first and the last log line of a step, what comes before left out.
  time to first step  from the command's start to the first step's log line.
  wall time           from start to end, the merged model written.
  processor time      user and system time of all processes from start to end: what a loaded machine changes least.
  peak memory         the largest resident set of one training process.
  roofline            the matrix products of a training step alone (forward and backward, no gradients of frozen weights, padding
                      left out), by the same LibTorch with as many threads, as clips a second: what no program can exceed.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
VENV_BIN = Path(sys.executable).parent
MODEL = {"hidden": 512, "layers": 6, "intermediate": 1408, "heads": 8, "kv-heads": 4, "embed-dim": 384, "depth": 6, "encoder-heads": 6}
BATCH = 4


def peak_of_children(pid, peaks, stop):
    """Follows the resident sets of a process and what it starts."""
    while not stop.wait(0.05):
        pids, todo = [], [pid]
        while todo:
            one = todo.pop()
            pids.append(one)
            try:
                tasks = os.listdir(f"/proc/{one}/task")
                for task in tasks:
                    todo += [int(child) for child in open(f"/proc/{one}/task/{task}/children").read().split()]
            except OSError:
                continue
        for one in pids:
            try:
                peaks[one] = max(peaks.get(one, 0), int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{one}/status").read()).group(1)))
            except (OSError, AttributeError):
                pass


def train(command, env):
    """(seconds to the first step, seconds from the first to the last step, steps, wall, peak KiB, processor seconds) of one run."""
    started, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **env}
        )
        peaks, stop = {}, threading.Event()
        watcher = threading.Thread(target=peak_of_children, args=(process.pid, peaks, stop))
        watcher.start()
        try:
            process.stdin.write(b"y\n" * 4)  # the Python tool asks whether the checkpoint's code may run
            process.stdin.close()
        except BrokenPipeError:
            pass
        times = [time.perf_counter() for line in process.stdout if b"'loss'" in line and b"'grad_norm'" in line]
        code = process.wait()
        stop.set()
        watcher.join()
        if code != 0:
            log.seek(0)
            sys.exit(f"{command} exited with {code}:\n{log.read().decode()[-3000:]}")
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return times[0] - started, times[-1] - times[0], len(times), time.perf_counter() - started, max(peaks.values()), processor


ROOFLINE = """
import json, sys, time, torch
shapes, repetitions = json.load(open(sys.argv[1])), int(sys.argv[2])
torch.manual_seed(0)
work = []
for rows, columns, inner, times in shapes:
    work.append((torch.randn(rows, inner), torch.randn(inner, columns), times))
def once():
    for a, b, times in work:
        for _ in range(times):
            a @ b
once()
best = float("inf")
for _ in range(repetitions):
    start = time.perf_counter()
    once()
    best = min(best, time.perf_counter() - start)
print(best)
"""


def matrix_products(rows, rank, checkpointing):
    """[rows, columns, inner, times] of a step on a batch: rows = (patches, audio tokens, text tokens, labels, vocabulary)."""
    patches, audio, text, labels, vocabulary = rows
    e, h, m = MODEL["embed-dim"], MODEL["hidden"], MODEL["intermediate"]
    kv = h // MODEL["heads"] * MODEL["kv-heads"]
    again = 2 if checkpointing else 1  # a checkpointed layer runs its forward pass twice
    products = []

    def linear(count, n, inner, out, adapted, recomputed=True):
        products.append((n, out, inner, count * (again if recomputed else 1)))  # forward
        products.append((n, inner, out, count))  # gradient of the input
        if adapted:
            products.append((n, rank, inner, count * again))
            products.append((n, out, rank, count * again))
            products.append((n, rank, out, count))  # gradient behind A
            products.append((rank, inner, n, count))  # of A
            products.append((rank, out, n, count))  # of B
            products.append((n, inner, rank, count))

    d = MODEL["depth"]
    linear(d, patches, e, 3 * e, True)
    linear(d, patches, e, e, True)
    linear(d, patches, e, 4 * e, False)
    linear(d, patches, 4 * e, e, False)
    linear(1, audio, 5 * e, h, True, recomputed=False)
    linear(1, audio, h, h, True, recomputed=False)
    n = MODEL["layers"]
    linear(n, text, h, h + 2 * kv, False)
    linear(n, text, h, h, False)
    linear(n, text, h, 2 * m, True)
    linear(n, text, m, h, True)
    products.append((labels, vocabulary, h, 1))
    products.append((labels, h, vocabulary, 1))
    return products


def roofline(dataset, model, threads, checkpointing, work):
    """Clips a second of a step's matrix products alone, on the average batch of the data."""
    counts = (
        "import sys, json; from datasets import load_from_disk; d = load_from_disk(sys.argv[1]); n = len(d);"
        "print(json.dumps([sum(d['audio_length']) / n, sum(sum(m) for m in d['attention_mask']) / n,"
        "sum(sum(1 for l in row if l != -100) for row in d['labels']) / n]))"
    )
    done = subprocess.run([VENV_BIN / "python", "-c", counts, dataset], check=True, stdout=subprocess.PIPE, text=True)
    samples, tokens, labels = json.loads(done.stdout)
    config = json.loads((model / "config.json").read_text())
    patches = samples / 640
    rows = [max(1, round(BATCH * value)) for value in (patches, patches / 5, tokens, labels)]
    shapes = work / "shapes.json"
    shapes.write_text(json.dumps(matrix_products((*rows, config["text_config"]["vocab_size"]), 16, checkpointing)))
    done = subprocess.run(
        [VENV_BIN / "python", "-c", ROOFLINE, shapes, "20"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
    )
    return BATCH / float(done.stdout)


def report(case, ours, theirs, unit, ratio):
    print(
        json.dumps(
            {
                "bench": "train",
                "case": case,
                "ours": round(ours, 3),
                "theirs": None if theirs is None else round(theirs, 3),
                "ratio": None if ratio is None else round(ratio, 2),
                "unit": unit,
            }
        ),
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin-dir", type=Path, required=True)
    parser.add_argument("--repeat", type=int, default=4, help="how often the data holds each sound")
    parser.add_argument("--repetitions", type=int, default=2)
    parser.add_argument("--threads", type=int, help="of each process (the cores, shared by the ranks)")
    parser.add_argument("--ranks", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--gradient-checkpointing", nargs="*", default=["true", "false"])
    args = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="mdl-bench-") as folder:
        work = Path(folder)
        os.environ["HF_HOME"] = str(work / "huggingface")
        model, sounds, dataset = work / "model", work / "sounds", work / "train"
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        sizes = [part for name, value in MODEL.items() for part in (f"--{name}", str(value))]
        subprocess.run([VENV_BIN / "python", SCRIPTS / "peer" / "make_checkpoint.py", "--out", model, *sizes], **quiet)
        subprocess.run([VENV_BIN / "python", SCRIPTS / "peer" / "make_dataset.py", "--out", sounds, "--repeat", str(args.repeat)], **quiet)
        subprocess.run(
            [args.bin_dir / "mdl-toolkit", "convert-dataset", sounds / "train.csv", "--model-name", model, "--output", dataset], **quiet
        )
        programs = {"ours": args.bin_dir / "mdl-toolkit", "theirs": VENV_BIN / "mdl-toolkit"}
        launchers = {"ours": args.bin_dir / "mdl-launch", "theirs": VENV_BIN / "torchrun"}
        for ranks in args.ranks:
            for checkpointing in args.gradient_checkpointing:
                env = {"ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": str(args.threads or max(1, cores // ranks))}
                runs = {name: [] for name in programs}
                for _ in range(args.repetitions):
                    for name, program in programs.items():
                        output = work / "out"
                        subprocess.run(["rm", "-rf", output], check=True)
                        launcher = [] if ranks == 1 else [launchers[name], "--standalone", "--nproc-per-node", ranks, "--no-python"]
                        runs[name].append(
                            train(
                                [
                                    *launcher,
                                    program,
                                    "train",
                                    "--model-name",
                                    model,
                                    "--train-dataset",
                                    dataset,
                                    "--output",
                                    output,
                                    "--lora-rank",
                                    "16",
                                    "--batch-size",
                                    BATCH,
                                    "--bf16",
                                    "false",
                                    "--gradient-checkpointing",
                                    checkpointing,
                                ],
                                env,
                            )
                        )
                ours, theirs = ([statistics.median(run[i] for run in runs[name]) for i in range(6)] for name in ("ours", "theirs"))
                case = f"{ranks} rank{'s' if ranks > 1 else ''}, gradient checkpointing {checkpointing}"
                rates = [(run[2] - 1) * BATCH * ranks / run[1] for run in (ours, theirs)]
                report(f"{case}: throughput", rates[0], rates[1], "clips/s", rates[0] / rates[1])
                report(f"{case}: time to first step", ours[0], theirs[0], "s", theirs[0] / ours[0])
                report(f"{case}: wall time", ours[3], theirs[3], "s", theirs[3] / ours[3])
                report(f"{case}: processor time", ours[5], theirs[5], "s", theirs[5] / ours[5])
                report(f"{case}: peak memory", ours[4] / 1024, theirs[4] / 1024, "MiB", theirs[4] / ours[4])
                if ranks == 1:
                    limit = roofline(dataset, model, args.threads or cores, checkpointing == "true", work)
                    report(f"{case}: roofline (ours is the limit, ratio our part of it)", limit, None, "clips/s", rates[0] / limit)


if __name__ == "__main__":
    main()

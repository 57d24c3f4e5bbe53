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
                      left out), by the same LibTorch with as many threads, as clips a second: each layer with its own weight,
                      in the network's order, the median. What no program can exceed.
  kernels             seconds of our step with our kernels for this processor beside LibTorch's operations alone, in turns.
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
blocks, checkpointing, rank, repetitions = json.load(open(sys.argv[1])), sys.argv[2] == "true", int(sys.argv[3]), int(sys.argv[4])
torch.manual_seed(0)
linear = torch.nn.functional.linear
network = []
for block in blocks:
    layers = []
    for rows, inner, out, adapted in block["layers"]:
        lora = (torch.randn(rank, inner), torch.randn(out, rank)) if adapted else None
        layers.append((torch.randn(rows, inner), torch.randn(rows, out), torch.randn(out, inner), lora))
    network.append((layers, block["recomputed"] and checkpointing))
def forward(layers):
    lows = []
    for x, _, w, lora in layers:
        y = linear(x, w)
        lows.append(linear(x, lora[0]) if lora else None)
        if lora:
            y.addmm_(lows[-1], lora[1].t())
    return lows
def backward(layers, lows, first):
    for i in reversed(range(len(layers))):
        (x, g, w, lora), low = layers[i], lows[i]
        of_x = None if first and i == 0 else g @ w  # nothing before the first layer is trained
        if lora:
            of_low = g @ lora[1]
            if of_x is not None:
                of_x.addmm_(of_low, lora[0])
            of_low.t() @ x
            g.t() @ low
def once():
    kept = [forward(layers) for layers, _ in network]
    for i in reversed(range(len(network))):
        layers, recomputed = network[i]
        backward(layers, forward(layers) if recomputed else kept[i], i == 0)
once()
times = []
for _ in range(repetitions):
    start = time.perf_counter()
    once()
    times.append(time.perf_counter() - start)
print(sorted(times)[len(times) // 2])
"""


def blocks_of(patches, audio, text, labels, vocabulary):
    """The linear layers in the network's order, block by block: [rows, in, out, with an adapter]. In the last decoder layer only the rows
    that predict a label go past the attention."""
    e, h, m = MODEL["embed-dim"], MODEL["hidden"], MODEL["intermediate"]
    kv = h // MODEL["heads"] * MODEL["kv-heads"]
    encoder = [[patches, e, 3 * e, True], [patches, e, e, True], [patches, e, 4 * e, False], [patches, 4 * e, e, False]]
    blocks = [{"layers": encoder, "recomputed": True} for _ in range(MODEL["depth"])]
    blocks.append({"layers": [[audio, 5 * e, h, True], [audio, h, h, True]], "recomputed": False})
    for i in range(MODEL["layers"]):
        last = i + 1 == MODEL["layers"]
        n = labels if last else text
        attention = [[text, h, h, False], [text, h, kv, False], [text, h, kv, False], [n, h, h, False]]
        blocks.append({"layers": [*attention, [n, h, m, True], [n, h, m, True], [n, m, h, True]], "recomputed": not last})
    blocks.append({"layers": [[labels, h, vocabulary, False]], "recomputed": False})
    return blocks


def roofline(dataset, model, threads, checkpointing, work):
    """Clips a second of a step's matrix products alone, on the average batch of the data: each layer with a weight of its own as it lies,
    [out, in], in the network's order; the median."""
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
    shapes.write_text(json.dumps(blocks_of(*rows, config["text_config"]["vocab_size"])))
    done = subprocess.run(
        [VENV_BIN / "python", "-c", ROOFLINE, shapes, "true" if checkpointing else "false", "16", "21"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
    )
    return BATCH / float(done.stdout)


def kernels(probe, dataset, model, threads, checkpointing):
    """Steps with worker/kernels/ beside the same steps with LibTorch's operations alone, in turns in one process: what
    tests/worker/kernels/training_probe.cpp prints."""
    done = subprocess.run(
        [probe, model, dataset, str(BATCH), "3", "1" if checkpointing else "0"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
    )
    return json.loads(done.stdout)


def watched(command, env, repetitions):
    """The same run of two ranks under mdl-launch, with and without its being told of each step, in turns."""
    runs = {"told": [], "alone": []}
    for _ in range(repetitions):
        for name, prefix in (("told", []), ("alone", ["env", "-u", "MDL_PROGRESS"])):
            launcher, worker, output = command
            subprocess.run(["rm", "-rf", output], check=True)
            runs[name].append(train([*launcher, *prefix, *worker], env))
    return ([statistics.median(run[i] for run in runs[name]) for i in range(6)] for name in ("told", "alone"))


def report(case, ours, theirs, unit, ratio):
    print(
        json.dumps(
            {
                "bench": "train",
                "case": case,
                "ours": round(ours, 3) if ours == 0 or abs(ours) >= 0.01 else float(f"{ours:.2g}"),
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
        output = work / "out"
        launchers = {"ours": args.bin_dir / "mdl-launch", "theirs": VENV_BIN / "torchrun"}
        for ranks in args.ranks:
            for checkpointing in args.gradient_checkpointing:
                env = {"ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": str(args.threads or max(1, cores // ranks))}
                runs = {name: [] for name in programs}
                options = ["--lora-rank", "16", "--batch-size", BATCH, "--bf16", "false", "--gradient-checkpointing", checkpointing]

                def worker(program, options=options):
                    return [program, "train", "--model-name", model, "--train-dataset", dataset, "--output", output, *options]

                for _ in range(args.repetitions):
                    for name, program in programs.items():
                        subprocess.run(["rm", "-rf", output], check=True)
                        launcher = [] if ranks == 1 else [launchers[name], "--standalone", "--nproc-per-node", ranks, "--no-python"]
                        runs[name].append(train([*launcher, *worker(program)], env))
                ours, theirs = ([statistics.median(run[i] for run in runs[name]) for i in range(6)] for name in ("ours", "theirs"))
                case = f"{ranks} rank{'s' if ranks > 1 else ''}, gradient checkpointing {checkpointing}"
                rates = [(run[2] - 1) * BATCH * ranks / run[1] for run in (ours, theirs)]
                report(f"{case}: throughput", rates[0], rates[1], "clips/s", rates[0] / rates[1])
                report(f"{case}: time to first step", ours[0], theirs[0], "s", theirs[0] / ours[0])
                report(f"{case}: wall time", ours[3], theirs[3], "s", theirs[3] / ours[3])
                report(f"{case}: processor time", ours[5], theirs[5], "s", theirs[5] / ours[5])
                report(f"{case}: peak memory", ours[4] / 1024, theirs[4] / 1024, "MiB", theirs[4] / ours[4])
                if ranks > 1:
                    launcher = [launchers["ours"], "--standalone", "--nproc-per-node", ranks, "--no-python"]
                    told, alone = watched((launcher, worker(programs["ours"]), output), env, args.repetitions)
                    steps = [(run[2] - 1) / run[1] for run in (told, alone)]
                    report(f"{case}: steps of which the launcher is told (theirs: is not)", *steps, "steps/s", steps[0] / steps[1])
                    report(f"{case}: the same, processor time", told[5], alone[5], "s", alone[5] / told[5])
                if ranks == 1:
                    threads, checkpointed = args.threads or cores, checkpointing == "true"
                    limit = roofline(dataset, model, threads, checkpointed, work)
                    report(f"{case}: roofline (ours is the limit, ratio our part of it)", limit, None, "clips/s", rates[0] / limit)
                    pair = kernels(args.bin_dir / "training_probe", dataset, model, threads, checkpointed)
                    report(
                        f"{case}: a step with kernels for {pair['kernels']} (theirs is LibTorch's operations alone)",
                        pair["with"],
                        pair["without"],
                        "s",
                        pair["ratio"],
                    )
                    report(
                        f"{case}: largest difference of a loss with them, over 30 steps", pair["largest_difference"], None, "relative", None
                    )


if __name__ == "__main__":
    main()

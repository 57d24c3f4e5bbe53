"""MiDashengLM 7B at its true size, from the checkpoint to answers: scripts/check_7b.sh."""

import csv
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import checkpoint
from options import options

GB = 1_000_000_000
BOUND = {"train": 19.0, "train with merge": 22.0, "merge": 7.0}  # GB of memory that cannot be taken back
SOUNDS = Path("/usr/share/sounds/alsa")
WORDS = ["Front_Center", "Front_Left", "Front_Right", "Rear_Center"]


def fail(text):
    sys.exit(f"check_7b.sh: {text}")


def memory_of(pid):
    """Bytes of a process that lie in no file: the kernel cannot drop them when memory gets short."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 1024 * sum(int(number) for number in re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+) kB", status, re.MULTILINE))


@dataclass
class Run:
    lines: list  # (seconds since the start, text)
    seconds: float
    memory: list  # (seconds, bytes)

    def time_of(self, beginning):
        return next((at for at, text in self.lines if text.startswith(beginning)), None)

    def peak(self, until=float("inf")):
        return max((held for at, held in self.memory if at <= until), default=0) / GB


def run(name, command):
    print(f"\n== {name}: {' '.join(str(part) for part in command)}", flush=True)
    begin, lines, memory = time.monotonic(), [], []
    env = {**os.environ, "OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))}
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env) as process:

        def watch():
            while process.poll() is None:
                memory.append((time.monotonic() - begin, memory_of(process.pid)))
                time.sleep(0.2)

        watcher = threading.Thread(target=watch)
        watcher.start()
        for line in process.stdout:
            lines.append((time.monotonic() - begin, line.rstrip()))
            print("  ", line, end="", flush=True)
        process.wait()
        watcher.join()
    if process.returncode != 0:
        fail(f"{name} ended with {process.returncode}")
    done = Run(lines, time.monotonic() - begin, memory)
    print(f"   {done.seconds:.1f} s, {done.peak():.2f} GB at most")
    return done


def write_rows(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["audio", "user_prompt", "prediction"])
        writer.writerows([SOUNDS / f"{word}.wav", "What is said?", word.replace("_", " ")] for word in rows)


def require_room(work, needed):
    work.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(work).free
    print(f"disk: {needed / GB:.0f} GB are needed in {work}, {free / GB:.0f} GB are free", flush=True)
    if free < needed:
        fail("not enough room. Give another place with --work")


def train(toolkit, model, work):
    write_rows(work / "train.csv", WORDS)
    run("convert-dataset", [toolkit, "convert-dataset", work / "train.csv", "--model-name", model, "--output", work / "train"])
    # Two rows a step, two steps.
    options = ["--batch-size", 2, "--num-epochs", 1, "--bf16", "true", "--output", work / "output"]
    done = run("train", [toolkit, "train", "--model-name", model, "--train-dataset", work / "train", *options])
    loaded, trained = done.time_of("trainable params"), done.time_of("{'train_runtime'")
    steps = [at for at, text in done.lines if text.startswith("{'loss'")]
    if loaded is None or trained is None or len(steps) != 2:
        fail("the run did not print two steps")
    print(
        f"   loaded in {loaded:.1f} s, steps of {steps[0] - loaded:.1f} and {steps[1] - steps[0]:.1f} s, the end in {done.seconds - trained:.1f} s"
    )
    peaks = {"train": done.peak(until=trained), "train with merge": done.peak()}
    for name, peak in peaks.items():
        print(f"   {name}: {peak:.2f} GB at most, the bound is {BOUND[name]:.0f} GB")
    return all(peak <= BOUND[name] for name, peak in peaks.items())


def answer(toolkit, model, work):
    write_rows(work / "ask.csv", WORDS[:2])
    (work / "answers.csv").unlink(missing_ok=True)
    options = ["--output", work / "answers.csv", "--bf16", "true", "--max-new-tokens", 8]
    run("inference", [toolkit, "inference", work / "ask.csv", "--model-name", model, *options])


def merge(toolkit, model, work):
    """The last checkpoint's adapter into the float32 weights, as bfloat16. The disk has room for one such model."""
    adapter = max((work / "output").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    shutil.rmtree(work / "output" / "final", ignore_errors=True)
    shutil.rmtree(work / "merged", ignore_errors=True)
    done = run("merge", [toolkit, "merge", model, adapter, "--dtype", "bfloat16", "--output", work / "merged"])
    print(f"   merge: {done.peak():.2f} GB at most, the bound is {BOUND['merge']:.0f} GB")
    return done.peak() <= BOUND["merge"]


def main():
    args = options()
    work, toolkit = args.work.resolve(), args.bin_dir / "mdl-toolkit"
    model, final = work / "checkpoint", work / "output" / "final"
    weights = checkpoint.total_bytes()
    reused = (model / "model.safetensors.index.json").exists()
    require_room(work, (0 if reused else weights) + weights // 2 + 2 * GB)  # final/ is in bfloat16; optimizer and adapter
    if not reused:
        begin = time.monotonic()
        shutil.rmtree(model, ignore_errors=True)
        tensors, shards = checkpoint.make(model)
        print(f"\n== made {model}: {weights / GB:.1f} GB, {tensors} tensors in {shards} shards, in {time.monotonic() - begin:.0f} s")
    good = True
    if args.only is None:
        run("info", [toolkit, "info", model])
    if args.only in (None, "train"):
        shutil.rmtree(work / "output", ignore_errors=True)
        shutil.rmtree(work / "train", ignore_errors=True)
        good = train(toolkit, model, work)
    if args.only in (None, "inference"):
        answer(toolkit, final if final.exists() else model, work)
    if args.only in (None, "merge"):
        good = merge(toolkit, model, work) and good
    if not args.keep:
        shutil.rmtree(work)
    if not good:
        fail("training or merging needed more memory than its bound")


if __name__ == "__main__":
    main()

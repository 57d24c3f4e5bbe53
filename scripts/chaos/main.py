"""Faults on three hosts: see scripts/chaos.sh --help."""

import contextlib
import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tests/hosts/harness")]

import episode as episodes  # noqa: E402
import report  # noqa: E402
from job import Programs, Training  # noqa: E402
from lineage import UndisturbedRuns  # noqa: E402
from network import why_not  # noqa: E402
from options import options  # noqa: E402
from scenario import BOUND, KINDS, draw  # noqa: E402


def leave_process(cluster):
    subprocess.Popen(cluster.hosts[1].command(["sleep", "60"]))


def change_weight(cluster):
    from safetensors.numpy import load_file, save_file

    from lineage import newest

    path = newest(cluster.output) / "adapter_model.safetensors"
    tensors = load_file(path)
    name = sorted(tensors)[0]
    tensors[name] = tensors[name] + 0.001
    copy = path.parent.with_name("copy")
    shutil.copytree(path.parent, copy)
    save_file(tensors, copy / path.name, {"format": "pt"})
    shutil.rmtree(path.parent)
    copy.rename(path.parent)


def cut_checkpoint(cluster):
    from lineage import newest

    half = newest(cluster.output).with_name("checkpoint-9999")
    shutil.copytree(newest(cluster.output), half)
    (half / "optimizer.pt").write_bytes((half / "optimizer.pt").read_bytes()[:1000])


def sabotage(cluster):
    leave_process(cluster)
    change_weight(cluster)
    cut_checkpoint(cluster)


def make_training(args):
    """The model and its data, made once."""
    model, data = args.work / "model", args.work / "data"
    scripts = HERE.parent
    if not data.is_dir():
        for path in (model, args.work / "sounds"):
            shutil.rmtree(path, ignore_errors=True)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True}
        subprocess.run([sys.executable, scripts / "peer/make_checkpoint.py", "--out", model], **quiet)
        subprocess.run([sys.executable, scripts / "peer/make_dataset.py", "--out", args.work / "sounds"], **quiet)
        subprocess.run(
            [
                args.bin_dir / "mdl-toolkit",
                "convert-dataset",
                args.work / "sounds/train.csv",
                "--model-name",
                model,
                "--output",
                args.work / "data.made",
            ],
            **quiet,
        )
        (args.work / "data.made").rename(data)
    launch = args.bin_dir / "mdl-launch" if args.launcher == "mdl-launch" else Path(sys.executable).with_name("torchrun")
    return Training(Programs(args.launcher, launch, args.bin_dir / "mdl-toolkit", args.bin_dir / "libshifted_clock.so"), model, data)


@contextlib.contextmanager
def scratch(folder):
    """A file system in memory for undisturbed runs: a disk would make each of their checkpoints wait."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g", "chaos", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def show(result, command):
    print(
        f"episode {result.scenario.episode}: {result.result} after {result.seconds:.1f} s, {result.steps} steps, "
        f"{result.checkpoints} checkpoints, {result.agents} agents, {result.idle_rounds} rounds without work: {result.scenario.describe()}",
        flush=True,
    )
    if result.wrong:
        for line in result.log:
            print(f"    {line}")
        for text in result.wrong:
            print(f"  wrong: {text}")
        print(f"  again: {command}", flush=True)


def main():
    args = options()
    if reason := why_not():
        sys.exit(f"chaos.sh: needs network namespaces: {reason}")
    args.work.mkdir(parents=True, exist_ok=True)
    seed = args.seed if args.seed is not None else random.randrange(1_000_000)
    training = make_training(args)
    results, kinds = [], args.kinds.split(",")
    session = args.work / f"session-{time.strftime('%H%M%S')}-{seed}-{args.launcher}"
    print(f"seed {seed}, {training.programs.launcher}, bound {BOUND:.0f} s, logs of what is not well in {session}", flush=True)
    end = time.monotonic() + args.minutes * 60
    with scratch(session / "undisturbed") as undisturbed:
        runs = UndisturbedRuns(training, undisturbed)
        number = args.episode or 0
        while time.monotonic() < end and len(results) < (args.episodes or 1 << 30):
            scenario = draw(seed, number, kinds, args.spares)
            folder = session / f"episode{number}"
            folder.mkdir()
            result = episodes.run(scenario, training, runs, folder, sabotage if args.sabotage else None)
            results.append(result)
            again = f"scripts/chaos.sh --launcher {args.launcher} --seed {seed} --episode {number}"
            if args.spares != (0, 0):
                again += f" --spares {args.spares[0]}..{args.spares[1]}"
            show(result, again + (f" --kinds {args.kinds}" if len(kinds) < len(KINDS) else ""))
            with (args.results or args.work / "results.jsonl").open("a") as file:
                file.write(json.dumps(result.to_json()) + "\n")
            runs.forget()
            if not result.wrong:
                shutil.rmtree(folder)
            if args.episode is not None:
                break
            number += 1
    print(report.table(results))
    bad = [result for result in results if result.wrong]
    sys.exit(1 if bad and args.launcher == "mdl-launch" else 0)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("chaos.sh: interrupted; what it had started and made is gone")

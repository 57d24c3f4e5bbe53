"""Acceptance of mdl-toolkit on one GPU, stage by stage (accept.sh)."""

import json
import os
import platform
import shutil
import sys
import time
import traceback

import large_stages
import options as command_line
import small_stages
import start_stage
import stop
import table
import watching_stages
from acceptance import LEAST, Acceptance, Failed, NoTimeLeft, Stage
from stop import Stopped

# In the order of importance, with the most seconds that each may take. A dry run tells no times: a busy machine may take its own.
PATIENCE_OF_DRY_RUN = 10
STAGES = {
    "start": (start_stage.start, 60),
    "prepare": (large_stages.prepare, 60),
    "small": (small_stages.small, 90),
    "trainer": (small_stages.trainer, 60),
    "group": (small_stages.group, 90),
    "model": (large_stages.model, 150),
    "training": (large_stages.training, 90),
    "training_python": (large_stages.training_python, 170),
    "inference": (large_stages.inference, 120),
    "health": (watching_stages.health, 60),
    "watched": (watching_stages.watched, 60),
    "quantized": (large_stages.quantized, 120),
    "memory": (large_stages.memory, 80),
    "mixed": (large_stages.mixed, 60),
    "mixed_python": (large_stages.mixed_python, 120),
    "small_quantized": (small_stages.small_quantized, 60),
    "kept": (large_stages.kept, 60),
    "cudnn": (large_stages.cudnn, 120),
}
# What a stage goes on from or compares with; `start` comes before all.
NEEDS = {
    "small": ("prepare",),
    "trainer": ("small",),
    "group": ("prepare",),
    "model": ("prepare",),
    "training": ("model",),
    "training_python": ("training",),
    "inference": ("model",),
    "watched": ("prepare",),
    "quantized": ("training",),
    "memory": ("small", "model"),
    "mixed": ("model",),
    "mixed_python": ("mixed",),
    "small_quantized": ("prepare",),
    "kept": ("training",),
    "cudnn": ("training", "mixed"),
}
NEEDS_OF_DRY_RUN = {"small_quantized": ("small",)}  # there is no GPU to compare the CPU with


def with_needed(wanted: list[str], dry: bool) -> list[str]:
    """In the order of STAGES."""
    needs = NEEDS | (NEEDS_OF_DRY_RUN if dry else {})
    found, ahead = set(), ["start", *wanted]
    while ahead:
        name = ahead.pop()
        found.add(name)
        ahead += needs.get(name, ())
    return [name for name in STAGES if name in found]


def run_stage(work: Acceptance, name: str) -> Stage:
    function, limit = STAGES[name]
    limit *= PATIENCE_OF_DRY_RUN if work.dry else 1
    stage = work.stage = Stage(name, limit)
    begin = time.monotonic()
    work.end_of_stage = begin + limit
    if work.end - begin < LEAST:
        stage.why = "no time left"
        return stage
    try:
        function(work)
        stage.result = "passed"
    except Stopped as signal:
        stage.why = str(signal)
        raise
    except NoTimeLeft as missing:
        stage.why = str(missing)
    except Failed as reason:
        stage.problems.append(str(reason))
    except Exception:  # a fault of the script's must not hide the other stages
        stage.problems.append(traceback.format_exc())
    finally:
        stage.seconds = round(time.monotonic() - begin, 2)
    if stage.problems:
        stage.result = "failed"
    return stage


def tell(stage: Stage) -> None:
    print(f"{stage.result:8} {stage.name:16} {stage.seconds:6.1f} s  {stage.why}".rstrip(), flush=True)
    for problem in stage.problems:
        print(f"    {problem}", flush=True)


def write(work: Acceptance, stages: list[Stage]) -> str:
    """results.json and table.txt, after each stage anew: who is killed leaves what is known. Returns the latter."""
    made = table.make(work)
    told = f"{work.facts.get('card', 'no GPU')}; {work.facts.get('toolkit', '')}; {work.facts.get('versions', '')}\n\n{table.text_of(made)}"
    results = {
        "dry_run": work.dry,
        "machine": platform.node(),
        "facts": work.facts,
        "stages": [vars(stage) for stage in stages],
        "table": made,
        "runs": [run.as_json() for run in work.runs.values()],
    }
    for name, text in (("results.json", json.dumps(results, indent=1) + "\n"), ("table.txt", told)):
        unfinished = work.options.output / f"{name}.unfinished"
        unfinished.write_text(text)
        os.replace(unfinished, work.options.output / name)
    return told


def status_of(stages: list[Stage]) -> int:
    results = {stage.result for stage in stages}
    return 1 if "failed" in results else 3 if "skipped" in results else 0


def run_stages(work: Acceptance, stages: list[Stage]) -> str:
    """Into `stages`, one by one; returns the table."""
    text = ""
    for name in with_needed(work.options.stages, work.dry):
        stages.append(run_stage(work, name))
        tell(stages[-1])
        text = write(work, stages)
        if name == "start" and stages[-1].result == "failed":
            print("no other stage was run, as none would mean anything", flush=True)
            break
    return text


def main(arguments: list[str]) -> int:
    options = command_line.read(arguments, list(STAGES))
    work, stages, place = None, [], options.output / "results.json"
    try:
        stop.by_signals()
        work = Acceptance(options)
        text = run_stages(work, stages)
    except Stopped as signal:
        if work:
            work.close()
            broken_off = [work.stage] if work.stage.name in STAGES and work.stage not in stages else []
            write(work, stages + broken_off)
        print(f"accept.sh: {signal}{f' in the stage {work.stage.name}; what is known: {place}' if work else ''}", file=sys.stderr)
        return signal.status
    finally:
        stop.by_none()
        if work:
            work.close()
        shutil.rmtree(options.work, ignore_errors=True)
    print(f"\n{text}")
    for result in ("failed", "skipped"):
        if names := [stage.name for stage in stages if stage.result == result]:
            print(f"{result}: {', '.join(names)}")
    print(f"results: {place}")
    return status_of(stages)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

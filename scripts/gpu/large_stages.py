"""Stages on the 7B of random weights: speed and memory, ours and Python's on the same rows. In a dry run a small model stands for it."""

import contextlib
import csv
import re
import resource
import subprocess

from acceptance import HERE, Acceptance, Failed
from small_stages import CLOSE_IN_BFLOAT16, FLOAT32, SAME, small_data

PARAMETERS_OF_7B = 8_281_739_904
BATCH = 8
EPOCHS = 1.5
CLOSE_TO_PLAN = 0.05
QUANTIZED_APART = 0.1
ROOM = 100_000_000  # bytes that a dry run of the stage memory leaves
NF4 = ("--quantization", "4bit", "--quantization-type", "nf4")


def prepare(work: Acceptance) -> None:
    """Adapter and rows; the 7B's checkpoint is begun, which the stage `model` waits for."""
    work.python(
        "small-adapter", "random_adapter.py", work.checkpoint, work.work("small-adapter"), "--rank", 8, "--alpha", 16, "--deviation", 0.02
    )
    sizes = ("--sizes", "same", "--device", "cpu") if work.dry else ("--sizes", "7b")
    make = [work.options.python, HERE / "make_model.py", work.vocabulary, work.work("model"), *sizes]
    # Into files, as nobody reads pipes before the stage `model`.
    with work.work("make_model.log").open("w") as log:
        streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        work.making_model = subprocess.Popen(list(map(str, make)), env=work.environment(), start_new_session=True, **streams)
    rows = 16 if work.dry else 64
    for kind, count in (("equal", rows), ("mixed", rows), ("sounds", BATCH), *([("long", 12)] if work.dry else [])):
        work.python(f"rows-{kind}", "make_rows.py", work.vocabulary, work.work(kind), kind, "--rows", count)
    work.python("rows-edges", "make_rows.py", work.checkpoint, work.work("edges"), "edges", "--rows", 8)


def model(work: Acceptance) -> None:
    """The 7B's checkpoint is there, and has an adapter."""
    if not work.making_model:
        raise Failed("the stage prepare makes the model, and did not run")
    try:
        status = work.making_model.wait(timeout=max(1, work.left()))
    except subprocess.TimeoutExpired:
        raise Failed("the model was not made in time") from None
    said = work.work("make_model.log").read_text()
    if not work.check(status == 0, f"make_model.py ended with {status}: {said[-500:]}"):
        return
    count = int(re.search(r"parameters (\d+)", said)[1])
    work.check(work.dry or count == PARAMETERS_OF_7B, f"the model has {count} parameters instead of {PARAMETERS_OF_7B}")
    work.python("model-adapter", "random_adapter.py", work.work("model"), work.work("model-adapter"))


def large_data(work: Acceptance, rows: str) -> list:
    work.require("model-adapter")
    data = [
        "--model-name",
        work.work("model"),
        "--initial-adapter",
        work.work("model-adapter"),
        "--batch-size",
        BATCH,
        "--num-epochs",
        EPOCHS,
    ]
    return [*data, "--train-dataset", work.work(rows), "--save-steps", 0]


def compare_with_plan(work: Acceptance, name: str, data: list, *options) -> None:
    planned = work.plan(data, *options)["device_training"] / (1 << 30)
    peak = work.runs[name].peaks.get("training")
    if work.runs[name].passed and work.check(peak is not None or work.dry, f"{name} told no peak of its memory") and peak:
        far = abs(peak - planned) > CLOSE_TO_PLAN * planned
        work.check(not far, f"{name} took {peak:.2f} GiB at its peak, and `mdl-toolkit plan` says {planned:.2f} GiB")


def training(work: Acceptance) -> None:
    """Rows of one length, in bfloat16 with checkpointing."""
    data = large_data(work, "equal")
    work.train("equal", data)
    work.check(work.dry or "memory: by its plan" in work.runs["equal"].text(), "equal did not begin with a line of its plan")
    compare_with_plan(work, "equal", data)


def python_large(work: Acceptance, rows: str) -> None:
    work.require("model-adapter")
    name, kind = f"python-{rows}", "float32" if work.dry else "bfloat16"
    data = ["--model", work.work("model"), "--adapter", work.work("model-adapter"), "--train-dataset", work.work(rows)]
    data += ["--batch-size", BATCH, "--num-epochs", EPOCHS, "--dtype", kind]
    work.python(name, "py_train.py", *data, "--output", work.work("out", name), output=work.work("out", name))
    work.same(rows, name, CLOSE_IN_BFLOAT16)
    if not work.dry and work.runs[name].passed:  # a machine's other work may slow a dry run's few milliseconds
        work.check(step_seconds(work.runs[rows]) <= step_seconds(work.runs[name]), f"a step of {rows} takes longer than Python's")


def step_seconds(run) -> float:
    """The mean from the third step on."""
    if len(run.steps) < 3:
        return float("inf")
    return (run.steps[-1] - run.steps[1]) / (len(run.steps) - 2)


def training_python(work: Acceptance) -> None:
    """Hugging Face's Trainer on the same rows of one length."""
    work.require("equal")
    python_large(work, "equal")


def mixed(work: Acceptance) -> None:
    """Rows of 2 to 25 seconds."""
    data = large_data(work, "mixed")
    work.train("mixed", data)
    compare_with_plan(work, "mixed", data)


def mixed_python(work: Acceptance) -> None:
    """Hugging Face's Trainer on the rows of 2 to 25 seconds."""
    work.require("mixed")
    python_large(work, "mixed")


def quantized(work: Acceptance) -> None:
    """Weights in 4 bits (nf4) and 8 bits."""
    data = large_data(work, "equal")
    work.require("equal")
    for name, options in (("4bit", NF4), ("8bit", ("--quantization", "8bit"))):
        work.train(name, data, *options)
        compare_with_plan(work, name, data, *options)
        mine, theirs = work.runs[name].losses, work.runs["equal"].losses
        apart = max((abs(mine[step] - theirs[step]) for step in mine if step in theirs), default=0)
        work.check(apart <= QUANTIZED_APART, f"losses of {name} are up to {apart:.3f} from those in bfloat16")


def kept(work: Acceptance) -> None:
    """Without checkpointing: more memory, less time."""
    data = large_data(work, "equal")
    work.require("equal")
    work.train("kept", data, "--gradient-checkpointing", "false")
    work.same("kept", "equal", CLOSE_IN_BFLOAT16)
    compare_with_plan(work, "kept", data, "--gradient-checkpointing", "false")


def cudnn(work: Acceptance) -> None:
    """With cuDNN's attention, which is off otherwise: what that gains or costs."""
    for rows in ("equal", "mixed"):
        work.require(rows)
        work.train(f"{rows}-cudnn", large_data(work, rows), environment={"MDL_CUDNN_ATTENTION": "1"})
        work.same(f"{rows}-cudnn", rows, CLOSE_IN_BFLOAT16)


def answers_in(path) -> list[str]:
    with path.open(newline="") as file:
        return [row["prediction"] for row in csv.DictReader(file)]


def inference(work: Acceptance) -> None:
    """Greedy answers of ours and of transformers' generate(), and their tokens a second."""
    work.require("model-adapter")
    new, kind = (8, FLOAT32) if work.dry else (64, ())
    toolkit = [work.options.bin_dir / "mdl-toolkit", "inference", work.work("sounds/rows.csv"), "--model-name", work.work("model")]
    toolkit += [*kind, *work.device()]
    for count in (1, new):
        output = work.work(f"answers-{count}.csv")
        work.run(f"answers-{count}", [*toolkit, "--output", output, "--batch-size", BATCH, "--max-new-tokens", count])
    rows = ("--model", work.work("model"), "--rows", work.work("sounds/rows.csv"), "--output", work.work("python-answers.csv"))
    work.python("python-answers", "py_generate.py", *rows, "--max-new-tokens", new, *(("--dtype", "float32") if work.dry else ()))
    ours, theirs = work.runs[f"answers-{new}"], work.runs["python-answers"]
    if not (ours.passed and theirs.passed and work.runs["answers-1"].passed):
        return
    seconds = ours.seconds - work.runs["answers-1"].seconds
    work.facts["answers"] = {
        "tokens_per_second": round(BATCH * (new - 1) / seconds, 1) if seconds > 0 else None,
        "tokens_per_second_python": float(re.search(r"tokens per second: ([\d.]+)", theirs.text())[1]),
    }
    pairs = list(zip(answers_in(work.work(f"answers-{new}.csv")), answers_in(work.work("python-answers.csv")), strict=True))
    equal = sum(mine == other for mine, other in pairs)
    work.facts["answers"]["equal"] = f"{equal} of {len(pairs)}"
    work.check(equal * 4 >= len(pairs) * 3, f"only {equal} of {len(pairs)} answers are those of transformers")


def memory(work: Acceptance) -> None:
    """Memory that runs out: one error, status 1, and the GPU can be used afterwards."""
    work.require("small-float32")
    if work.dry:
        run_out_on_cpu(work)
    else:
        run_out_on_gpu(work)
    text = work.runs["memory"].text()
    work.check("out of memory" in text, "memory: no line says that it is out of memory")
    # By the plan it fits into the whole GPU, so the advice is to look for the other program.
    work.check(work.dry or "another program may hold the rest" in text, "memory: the error does not say what the plan says")
    errors = re.findall(r"^.*\bE\d{4} .*$|^mdl-toolkit: .*$", text, re.M)
    work.check(len(errors) == 1, f"memory: {len(errors)} errors instead of one")
    work.train("memory-after", small_data(work), *FLOAT32)
    work.same("memory-after", "small-float32", SAME)


def run_out_on_gpu(work: Acceptance) -> None:
    """Another program takes so much that the step fits with checkpointing and not without it."""
    data = large_data(work, "equal")
    enough = work.plan(data)
    too_much = work.plan(data, "--gradient-checkpointing", "false")
    room = (enough["device_training"] + too_much["device_training"]) // 2 + enough["device_beside"]
    holder = subprocess.Popen(
        [work.options.python, HERE / "fill_memory.py", str(room)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=work.environment(),
        start_new_session=True,
    )
    try:
        work.check(holder.stdout.readline().startswith("holding"), "fill_memory.py could not take the GPU's memory")
        work.train("memory", data, "--gradient-checkpointing", "false", expected=1)
    finally:
        holder.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            holder.wait(timeout=10)
        holder.kill()


def run_out_on_cpu(work: Acceptance) -> None:
    """A row of ten minutes, and little memory once the first step was done."""

    def limit(process, run):
        if len(run.steps) == 1 and run.lines[-1][0] == run.steps[-1]:
            with open(f"/proc/{process.pid}/status") as status:
                size = int(re.search(r"VmSize:\s+(\d+)", status.read())[1]) * 1024
            resource.prlimit(process.pid, resource.RLIMIT_AS, (size + ROOM, size + ROOM))

    data = ["--model-name", work.checkpoint, "--train-dataset", work.work("long"), "--batch-size", 1, "--seed", 1, "--save-steps", 0]
    work.train("memory", data, "--num-epochs", 2, expected=1, watch=limit)

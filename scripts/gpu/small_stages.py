"""Stages on a small model of random weights and real sounds: what is computed, not how fast."""

import signal

from acceptance import Acceptance

FLOAT32 = ("--bf16", "false")
BFLOAT16 = ("--bf16", "true")
CLOSE_ON_DEVICES = 2e-4
CLOSE_IN_BFLOAT16 = 2e-2
SAME = 1e-5
STOPPED_AFTER = 5


def small_data(work: Acceptance) -> list:
    """The options of the small runs: 35 clips, nine steps an epoch."""
    data = ["--model-name", work.checkpoint, "--initial-adapter", work.work("small-adapter"), "--batch-size", 4, "--lr", 1e-3]
    return [*data, "--train-dataset", work.options.train_rows, "--eval-dataset", work.options.test_rows, "--save-steps", 0]


def on_cpu(work: Acceptance) -> dict[str, str]:
    return {"CUDA_VISIBLE_DEVICES": "", "ACCELERATE_USE_CPU": "1", **({} if work.dry else {"OMP_NUM_THREADS": "4"})}


def small_edges(work: Acceptance) -> list:
    return [
        "--model-name",
        work.checkpoint,
        "--initial-adapter",
        work.work("small-adapter"),
        "--batch-size",
        4,
        "--train-dataset",
        work.work("edges"),
    ]


def small(work: Acceptance) -> None:
    """The GPU computes what the CPU does, whatever the options."""
    data = small_data(work)

    def train(name, *options, **environment):
        return lambda: work.train(f"small-{name}", data, *options, environment=environment)

    train("float32", *FLOAT32)()
    work.together(
        train("cpu", *FLOAT32, **on_cpu(work)),
        train("kept", *FLOAT32, "--gradient-checkpointing", "false"),
        train("accumulated", *FLOAT32, "--batch-size", 2, "--gradient-accumulation-steps", 2),
        train("bfloat16", *BFLOAT16),
        train("bfloat16-blocking", *BFLOAT16, CUDA_LAUNCH_BLOCKING="1"),
    )
    work.together(
        train("dropout", *FLOAT32, "--lora-dropout", 0.1),
        train("dropout-again", *FLOAT32, "--lora-dropout", 0.1),
        train("cudnn", *BFLOAT16, MDL_CUDNN_ATTENTION="1"),
    )
    edges = small_edges(work)
    work.together(
        lambda: work.train("edges-float32", edges, *FLOAT32),
        lambda: work.train("edges-cpu", edges, *FLOAT32, environment=on_cpu(work)),
        lambda: work.train("edges-bfloat16", edges, *BFLOAT16),
        *([] if work.dry else [train("tf32", *FLOAT32, "--tf32", "true")]),  # which a CPU refuses
    )
    work.same("edges-float32", "edges-cpu", CLOSE_ON_DEVICES, norms=1e-3)
    work.same("edges-bfloat16", "edges-float32", CLOSE_IN_BFLOAT16)
    if not work.dry:
        work.same("small-tf32", "small-float32", CLOSE_IN_BFLOAT16)
    work.same("small-float32", "small-cpu", CLOSE_ON_DEVICES, norms=1e-3)
    work.same("small-kept", "small-float32", SAME, norms=1e-4)
    work.same("small-accumulated", "small-float32", CLOSE_IN_BFLOAT16)  # the encoder's first norm sees other batches
    work.same("small-bfloat16", "small-float32", CLOSE_IN_BFLOAT16)
    work.same("small-bfloat16-blocking", "small-bfloat16", SAME)
    work.same("small-dropout-again", "small-dropout", SAME)
    work.same("small-cudnn", "small-bfloat16", CLOSE_IN_BFLOAT16)


def group(work: Acceptance) -> None:
    """NCCL with one rank under mdl-launch and torchrun; a stop by SIGTERM, and the run that goes on from there."""
    data = [*small_data(work), *FLOAT32, "--num-epochs", 2]
    ours = [work.options.launcher, "--standalone", "--nproc-per-node", 1, "--no-python"]
    torchrun = [work.options.python, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 1, "--no-python"]
    grouped = {"MDL_FORCE_GROUP": "1", "NCCL_DEBUG": "INFO"}
    work.together(
        lambda: work.train("group-none", data),
        lambda: work.train("group-launch", data, launcher=ours, environment=grouped),
        lambda: work.train("group-torchrun", data, launcher=torchrun, environment=grouped),
    )
    for name in ("group-launch", "group-torchrun"):
        work.same(name, "group-none", SAME, norms=1e-4)
        text = work.runs[name].text()
        work.check(work.dry or "NCCL INFO" in text, f"{name} never came to NCCL: its NCCL_DEBUG=INFO prints nothing")
        work.check("destroy_process_group" not in text, f"{name} ends with NCCL's warning about destroy_process_group")
    stop_and_go_on(work, data, ours, grouped)


def stop_and_go_on(work: Acceptance, data: list, launcher: list, environment: dict[str, str]) -> None:
    def stop(process, run):
        if len(run.steps) == STOPPED_AFTER and run.lines[-1][0] == run.steps[-1]:
            process.send_signal(signal.SIGTERM)

    arguments = {"launcher": launcher, "output": "group-stopped", "environment": environment}
    stopped = work.train("group-stopped", data, expected=1, watch=stop, **arguments)
    folder = work.work("out/group-stopped")
    kept = sorted(int(path.name.split("-")[1]) for path in folder.glob("checkpoint-*"))
    if not work.check(bool(kept), "group-stopped left no checkpoint") or not stopped.passed:
        return
    work.check(kept[-1] < max(work.runs["group-none"].losses, default=0), f"group-stopped went on to its last step, {kept[-1]}")
    work.train("group-resumed", data, "--resume-from-checkpoint", "true", **arguments)
    work.same("group-resumed", "group-none", SAME, norms=1e-4)


def trainer(work: Acceptance) -> None:
    """Hugging Face's Trainer on the same rows has the same losses."""

    def compare(type_name: str, tolerance: float):
        name = f"trainer-{type_name}"
        data = ["--model", work.checkpoint, "--adapter", work.work("small-adapter"), "--train-dataset", work.options.train_rows]
        data += ["--eval-dataset", work.options.test_rows, "--batch-size", 4, "--lr", 1e-3, "--dtype", type_name]
        work.python(name, "py_train.py", *data, "--output", work.work("out", name), output=work.work("out", name))
        work.same(f"small-{type_name}", name, tolerance)

    work.require("small-float32")
    cases = [lambda: compare("float32", 1e-3)]
    if not work.dry:
        cases.append(lambda: compare("bfloat16", CLOSE_IN_BFLOAT16))
    work.together(*cases)


def small_quantized(work: Acceptance) -> None:
    """Weights in 4 and 8 bits on the GPU and on the CPU, which another library of bitsandbytes computes."""
    kinds = {
        "nf4": ("--quantization", "4bit", "--quantization-type", "nf4"),
        "nf4-double": ("--quantization", "4bit", "--quantization-type", "nf4", "--double-quantization", "true"),
        "8bit": ("--quantization", "8bit"),
    }
    data = small_data(work)
    calls = []
    for name, options in kinds.items():
        calls.append(lambda name=name, options=options: work.train(f"small-{name}", data, *options))
        if not work.dry:
            calls.append(lambda name=name, options=options: work.train(f"small-{name}-cpu", data, *options, environment=on_cpu(work)))
    work.together(*calls)
    for name in kinds:
        work.same(f"small-{name}", "small-float32" if work.dry else f"small-{name}-cpu", CLOSE_IN_BFLOAT16)

"""Rates of the trainings, and the table of them: ours, Python's Trainer on the same rows, and their ratio."""

import json
import statistics

from acceptance import Acceptance
from large_stages import BATCH, step_seconds

# Products of matrices in bfloat16 with float32 sums, without sparsity, a second, as NVIDIA's data sheets have them.
PEAKS = {"H100 PCIe": 756e12, "H100 NVL": 835e12, "H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "RTX 4090": 165e12}
TRAININGS = {  # the name in the table: our run, Python's, the rows
    "bf16, equal lengths": ("equal", "python-equal", "equal"),
    "bf16, mixed lengths": ("mixed", "python-mixed", "mixed"),
    "4 bits (nf4)": ("4bit", None, "equal"),
    "8 bits": ("8bit", None, "equal"),
    "bf16, no checkpointing": ("kept", None, "equal"),
    "bf16, equal, cuDNN's attention": ("equal-cudnn", None, "equal"),
    "bf16, mixed, cuDNN's attention": ("mixed-cudnn", None, "mixed"),
}
COLUMNS = {
    "load s": "load_seconds",
    "first step s": "first_step_seconds",
    "step s": "step_seconds",
    "clips/s": "clips_per_second",
    "tokens/s": "tokens_per_second",
    "MFU %": "mfu_percent",
    "peak GiB": "peak_gib",
    "reserved GiB": "reserved_gib",
}


def operations_of_step(config: dict, tokens: float, patches: float, labels: float) -> float:
    """Of a pass forward and the gradients of what flows back; an adapter's own and attention's scores are left out, as is what is computed anew."""
    text, audio = config["text_config"], config["audio_encoder_config"]
    width, head = text["hidden_size"], text["hidden_size"] // text["num_attention_heads"]
    layer = 2 * width * width + 2 * width * head * text["num_key_value_heads"] + 3 * width * text["intermediate_size"]
    block = (4 + 2 * audio["mlp_ratio"]) * audio["embed_dim"] ** 2
    return 4 * (text["num_hidden_layers"] * layer * tokens + audio["depth"] * block * patches + text["vocab_size"] * width * labels)


def peak_of(card: str) -> float | None:
    return next((peak for name, peak in PEAKS.items() if name in card), None)


def rates(work: Acceptance, name: str, rows: str) -> dict[str, float | None]:
    """None for what this machine, or so short a run, does not tell."""
    run = work.runs[name]
    sizes = json.loads(work.work(rows, "sizes.json").read_text())
    tokens, patches, labels = (sizes[what] * BATCH / sizes["clips"] for what in ("tokens", "patches", "labels"))
    gaps = [after - before for before, after in zip(run.steps[2:], run.steps[3:], strict=False)]
    # Steps of one length are told by their median; of mixed ones each is another, so that only the mean says what a clip costs.
    step = statistics.median(gaps) if rows == "equal" and gaps else step_seconds(run)
    step = step if 0 < step < float("inf") else None
    peak, mfu = peak_of(work.facts.get("card", "")), None
    if peak and step:
        config = json.loads(work.work("model/config.json").read_text())
        mfu = 100 * operations_of_step(config, tokens, patches, labels) / step / peak
    return {
        "load_seconds": run.loaded,
        "first_step_seconds": run.steps[0] - run.loaded if run.loaded and run.steps else None,
        "step_seconds": step,
        "clips_per_second": BATCH / step if step else None,
        "tokens_per_second": tokens / step if step else None,
        "mfu_percent": mfu,
        "peak_gib": run.peaks.get("training"),
        "reserved_gib": run.peaks.get("reserved"),
    }


def ratio_of(ours: dict, theirs: dict) -> dict[str, float | None]:
    """Python's divided by ours: of seconds and GiB above 1 is good; of rates ours by Python's."""
    both = {key: (ours[key], theirs[key]) for key in ours}
    up = ("clips_per_second", "tokens_per_second", "mfu_percent")
    return {key: None if not (a and b) else (a / b if key in up else b / a) for key, (a, b) in both.items()}


def make(work: Acceptance) -> list[dict]:
    """The table's rows: setting, program, and COLUMNS."""
    table = []
    for setting, (ours, theirs, rows) in TRAININGS.items():
        found = {}
        for program, name in (("mdl-toolkit", ours), ("Python's Trainer", theirs)):
            if name in work.runs and work.runs[name].passed:
                found[program] = rates(work, name, rows)
        if len(found) == 2:
            found["ratio"] = ratio_of(*found.values())
        table += [{"setting": setting, "program": program, **row} for program, row in found.items()]
    if answers := work.facts.get("answers"):
        ours, theirs = answers["tokens_per_second"], answers["tokens_per_second_python"]
        of_answers = {"mdl-toolkit": ours, "Python's generate": theirs, "ratio": ours / theirs if ours else None}
        nothing = dict.fromkeys(COLUMNS.values())
        table += [{"setting": "answers", "program": name, **nothing, "tokens_per_second": rate} for name, rate in of_answers.items()]
    return table


def text_of(table: list[dict]) -> str:
    """As Markdown."""

    def cell(value) -> str:
        return "–" if value is None else value if isinstance(value, str) else f"{value:.4g}"

    titles = {"setting": "setting", "program": "program", **{key: title for title, key in COLUMNS.items()}}
    rows = [list(titles.values()), ["---"] * len(titles), *[[cell(row[key]) for key in titles] for row in table]]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)

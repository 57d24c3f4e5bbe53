"""inference beside the real transformers, peft and Python mdl-toolkit, in float32."""

import functools
import json
import os
import subprocess

import pytest
import safetensors.torch
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from csv_files import read_csv, write_csv
from inference_runs import configured, infer
from make_checkpoint import DECODERS
from programs import run, run_python_tool
from training_runs import train_command

NEW_TOKENS = 16
LEAST_SAMPLES = 3200  # of one audio token
torch.set_num_threads(1)


tokenizers = {}  # the text of a tokenizer.json -> the first checkpoint with it


@functools.cache
def python_rows(tokenizer_of, path):
    """What the real mdl-toolkit makes of a file; the checkpoints share their tokenizer, so once is enough."""
    from mdl_toolkit.convert_dataset import ConvertConfig, process_data

    return process_data(ConvertConfig(model_name=tokenizer_of, num_workers=1, tokenizing_batch_size=1), path, "generation")


def python_ids(checkpoint, path, adapter=None):
    """transformers' greedy continuation of each row, one at a time."""
    from mdl_toolkit.convert_dataset import padding

    model = AutoModelForCausalLM.from_pretrained(checkpoint, trust_remote_code=True, dtype=torch.float32)
    if adapter:
        model = PeftModel.from_pretrained(model, adapter)
    model.eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    tokenizers.setdefault((checkpoint / "tokenizer.json").read_text(), str(checkpoint))
    converted = python_rows(tokenizers[(checkpoint / "tokenizer.json").read_text()], path)
    answers = []
    for i in range(len(converted)):
        batch = padding([converted[i]], tokenizer=tokenizer, dtype=torch.float32)
        # As MiDashengLM does with a lone short clip; the reference model does not.
        batch["input_values"] = torch.nn.functional.pad(batch["input_values"], (0, max(0, LEAST_SAMPLES - batch["input_values"].shape[1])))
        answers.append(model.generate(**batch, max_new_tokens=NEW_TOKENS)[0].tolist())
    return answers


def our_ids(bin_dir, checkpoint, path, *adapter, batch_size=8):
    return json.loads(run([bin_dir / "generation_probe", "ids", checkpoint, path, batch_size, NEW_TOKENS, *adapter]).splitlines()[-1])


@pytest.mark.parametrize("options", [*((decoder,) for decoder in DECODERS), ("qwen3", "--encoder", "tokenizer")], ids=" ".join)
def test_greedy_token_ids_are_transformers(options, checkpoint, prompts, bin_dir, tmp_path):
    settings = {"repetition_penalty": 1.3, "min_new_tokens": 3} if options[0] == "qwen3" else {}
    model = configured(checkpoint(*options), tmp_path / "model", **settings)
    theirs, ours = python_ids(model, prompts), our_ids(bin_dir, model, prompts)
    assert len(theirs) == 50 and len({tuple(ids) for ids in theirs}) > 25
    assert ours == theirs

    infer(bin_dir, prompts, "--model-name", model, "--output", tmp_path / "out.csv", "--max-new-tokens", NEW_TOKENS, "--batch-size", 7)
    tokenizer = AutoTokenizer.from_pretrained(model)
    rows, answered = read_csv(prompts), read_csv(tmp_path / "out.csv")
    assert answered == [
        {**row, "prediction": tokenizer.decode(ids, skip_special_tokens=True)} for row, ids in zip(rows, theirs, strict=True)
    ]
    assert not (tmp_path / "out.csv.partial").exists()


def test_an_adapter_of_pefts_is_applied_as_peft_applies_it(checkpoint, prompts, bin_dir, tmp_path):
    torch.manual_seed(3)
    base = AutoModelForCausalLM.from_pretrained(checkpoint(), trust_remote_code=True, dtype=torch.float32)
    model = get_peft_model(
        base,
        LoraConfig(
            r=4,
            lora_alpha=24,
            use_rslora=True,
            task_type="CAUSAL_LM",
            exclude_modules=["lm_head"],
            target_modules=r".*(qkv|q_proj|down_proj|net\.0)",
            modules_to_save=["lm_head"],
        ),
    )
    for name, tensor in model.named_parameters():
        if "lora_B" in name or "lm_head.modules_to_save" in name:
            torch.nn.init.normal_(tensor, std=0.05)
    model.save_pretrained(tmp_path / "adapter")
    few = tmp_path / "few.csv"
    write_csv(few, read_csv(prompts)[:12])
    theirs = python_ids(checkpoint(), few, tmp_path / "adapter")
    assert our_ids(bin_dir, checkpoint(), few, tmp_path / "adapter") == theirs
    assert our_ids(bin_dir, checkpoint(), few) != theirs

    options = [few, "--max-new-tokens", NEW_TOKENS, "--output"]
    infer(bin_dir, *options, tmp_path / "applied.csv", "--model-name", checkpoint(), "--adapter", tmp_path / "adapter")
    infer(
        bin_dir,
        *options,
        tmp_path / "merged.csv",
        "--model-name",
        checkpoint(),
        "--adapter",
        tmp_path / "adapter",
        "--merge-adapter",
        "true",
    )
    tokenizer = AutoTokenizer.from_pretrained(checkpoint())
    expected = [tokenizer.decode(ids, skip_special_tokens=True) for ids in theirs]
    assert [row["prediction"] for row in read_csv(tmp_path / "applied.csv")] == expected
    assert read_csv(tmp_path / "merged.csv") == read_csv(tmp_path / "applied.csv")
    # The adapter's folder names its model, so it can stand for it, as in transformers.
    infer(bin_dir, *options, tmp_path / "named.csv", "--model-name", tmp_path / "adapter")
    assert read_csv(tmp_path / "named.csv") == read_csv(tmp_path / "applied.csv")


def last_eval_loss(output):
    (state,) = output.glob("checkpoint-*/trainer_state.json")
    return [entry["eval_loss"] for entry in json.loads(state.read_text())["log_history"] if "eval_loss" in entry][-1]


def test_kept_as_adapter_or_merged_a_run_gives_one_model_also_with_peft(toolkit, data, prompts, bin_dir, tmp_path, monkeypatch):
    """The statistics of batch normalisation, which training moves, go along with the adapter."""
    model, train, test = data
    options = ["--eval-dataset", test, "--eval-batch-size", "9", "--merge-lora"]
    for merge in ("true", "false"):
        run(train_command(toolkit, data, tmp_path / merge, "--num-epochs", "2", "--lr", "3e-3", *options, merge))
    trained = last_eval_loss(tmp_path / "true")
    assert last_eval_loss(tmp_path / "false") == trained

    # A step at a learning rate of 0 changes nothing, so that its evaluation is that of what the run started from.
    def evaluated(name, base, *start):
        run(
            train_command(
                toolkit,
                (base, test, test),
                tmp_path / name,
                "--lr",
                "0",
                "--batch-norm",
                "frozen",
                "--batch-size",
                "9",
                *options,
                "false",
                *start,
            )
        )
        return last_eval_loss(tmp_path / name)

    kept = tmp_path / "false" / "final"
    assert evaluated("from-adapter", model, "--initial-adapter", kept) == pytest.approx(trained, rel=1e-6)
    assert evaluated("from-merged", tmp_path / "true" / "final") == pytest.approx(trained, rel=1e-4)

    write_csv(tmp_path / "few.csv", read_csv(prompts)[:12])
    infer(
        bin_dir,
        tmp_path / "few.csv",
        "--output",
        tmp_path / "merged.csv",
        "--max-length",
        "200",
        "--model-name",
        tmp_path / "true" / "final",
    )
    for name, folder in (("final", kept), ("checkpoint", next((tmp_path / "false").glob("checkpoint-*")))):
        infer(
            bin_dir,
            tmp_path / "few.csv",
            "--output",
            tmp_path / f"{name}.csv",
            "--max-length",
            "200",
            "--model-name",
            model,
            "--adapter",
            folder,
        )
        assert read_csv(tmp_path / f"{name}.csv") == read_csv(tmp_path / "merged.csv")

    readme = (kept / "README.md").read_text()
    code = readme.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(kept)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    with_statistics = python_loss(names["model"], model, test)
    assert with_statistics == pytest.approx(trained, rel=1e-3)
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model, trust_remote_code=True), kept).eval()
    assert abs(python_loss(plain, model, test) / trained - 1) > 1e-3


def python_loss(model, checkpoint, dataset):
    """The loss of all clips in one batch."""
    from datasets import load_from_disk
    from mdl_toolkit.convert_dataset import padding

    clips = load_from_disk(str(dataset))
    batch = padding([clips[i] for i in range(len(clips))], tokenizer=AutoTokenizer.from_pretrained(checkpoint), dtype=torch.float32)
    with torch.no_grad():
        return model(**batch).loss.item()


def test_the_python_tool_writes_the_same_rows(checkpoint, prompts, bin_dir, venv_bin, tmp_path):
    few = tmp_path / "few.csv"
    write_csv(few, read_csv(prompts)[1:6])
    options = [
        few,
        "--model-name",
        checkpoint(),
        "--max-length",
        "100",
        "--batch-size",
        "1",
        "--tokenizing-batch-size",
        "1",
        "--num-workers",
        "1",
    ]
    run_python_tool(venv_bin, "inference", *options, "--output", tmp_path / "theirs.csv", answers="y\ny\ny\n")
    infer(bin_dir, *options, "--output", tmp_path / "ours.csv")
    header = [(tmp_path / name).read_bytes().split(b"\r\n")[0] for name in ("ours.csv", "theirs.csv")]
    assert header[0] == header[1]
    assert read_csv(tmp_path / "ours.csv") == read_csv(tmp_path / "theirs.csv")
    assert all(row["prediction"] for row in read_csv(tmp_path / "ours.csv"))


def test_rows_in_json_are_answered_in_json(checkpoint, prompts, bin_dir, tmp_path):
    """Columns and messages get the answers of the table with the same rows; what else is in an object stays."""
    rows = read_csv(prompts)[:6]
    write_csv(tmp_path / "rows.csv", rows)
    options = ["--model-name", checkpoint(), "--max-length", "100"]
    infer(bin_dir, tmp_path / "rows.csv", *options, "--output", tmp_path / "answers.csv")
    answers = [row["prediction"] for row in read_csv(tmp_path / "answers.csv")]

    def talk(row):
        system = [{"role": "system", "content": row["system_prompt"]}] if row["system_prompt"] else []
        sound = {"type": "audio", "path": row["audio"]}
        user = {"role": "user", "content": [sound, {"type": "text", "text": row["user_prompt"]}]}
        return [*system, user, {"role": "assistant", "content": "no answer is read here"}]

    objects = [{**row, "user_prompt": row["user_prompt"], "tags": [1, {"a": None}]} for row in rows[:3]]
    objects += [{"messages": talk(row), "note": "漢字"} for row in rows[3:]]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(each) for each in objects), encoding="utf-8")
    infer(bin_dir, tmp_path / "rows.jsonl", *options, "--output", tmp_path / "answers.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines == [{**each, "prediction": answer} for each, answer in zip(objects, answers, strict=True)]
    command = [bin_dir / "mdl-toolkit", "inference", tmp_path / "rows.jsonl", *options, "--output", tmp_path / "answers.csv"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "in the format of" in done.stderr
    os.mkfifo(tmp_path / "pipe.jsonl")
    done = subprocess.run([str(word) for word in [*command[:-1], tmp_path / "pipe.jsonl"]], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "pipe.jsonl is a named pipe, not a file" in done.stderr and (tmp_path / "pipe.jsonl").is_fifo()


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.7, "top_k": 12, "top_p": 0.9, "repetition_penalty": 1.2},
        {"temperature": 1.5, "top_k": 0, "top_p": 0.5, "min_p": 0.02},
        {"top_k": 3, "repetition_penalty": 0.8},
        {"top_k": 0, "top_p": 0.0},
        {"top_k": 0, "min_p": 0.2},
    ],
)
def test_scores_are_processed_as_transformers_does_and_sampled_with_these_probabilities(settings, bin_dir, tmp_path):
    torch.manual_seed(0)
    scores = torch.randn(3, 60) * 2
    seen = torch.randint(60, (3, 9))
    safetensors.torch.save_file({"scores": scores, "seen": seen}, tmp_path / "in.safetensors")
    (tmp_path / "generation_config.json").write_text(json.dumps({"do_sample": True, **settings}))
    run([bin_dir / "generation_probe", "scores", tmp_path / "in.safetensors", tmp_path, tmp_path / "out.safetensors"])
    ours = safetensors.torch.load_file(tmp_path / "out.safetensors")

    config = GenerationConfig(**{"top_k": 50, "top_p": 1.0, "min_p": 0.0, "temperature": 1.0, "repetition_penalty": 1.0, **settings})
    penalized = (
        RepetitionPenaltyLogitsProcessor(float(config.repetition_penalty))(seen, scores) if config.repetition_penalty != 1 else scores
    )
    warpers = LogitsProcessorList([TemperatureLogitsWarper(float(config.temperature))])
    if config.top_k > 0:
        warpers.append(TopKLogitsWarper(config.top_k))
    if config.top_p < 1:
        warpers.append(TopPLogitsWarper(config.top_p))
    if config.min_p > 0:
        warpers.append(MinPLogitsWarper(config.min_p))
    filtered = warpers(seen, penalized)
    torch.testing.assert_close(ours["penalized"], penalized, rtol=1e-6, atol=0)
    assert torch.equal(ours["filtered"].isinf(), filtered.isinf())
    torch.testing.assert_close(ours["filtered"], filtered, rtol=1e-6, atol=1e-6)
    probabilities = filtered.softmax(1)
    assert (ours["frequency"] - probabilities).abs().max() < 5 * (0.25 / 20_000) ** 0.5
    assert torch.equal(ours["frequency"] > 0, probabilities * 20_000 > 0) or (probabilities[ours["frequency"] == 0] < 1e-3).all()


def test_sampled_answers_are_reproducible_and_do_not_depend_on_the_batch(checkpoint, prompts, bin_dir, tmp_path):
    model = configured(checkpoint(), tmp_path / "model", do_sample=True, temperature=0.9, max_new_tokens=8)
    few = tmp_path / "few.csv"
    write_csv(few, read_csv(prompts)[:20])
    for name, options in {"one": [], "same": ["--batch-size", 3], "other": ["--seed", 7]}.items():
        infer(bin_dir, few, "--model-name", model, "--output", tmp_path / name, *options)
    one, same, other = (read_csv(tmp_path / name) for name in ("one", "same", "other"))
    assert one == same
    assert sum(a != b for a, b in zip(one, other, strict=True)) > 15


@pytest.mark.parametrize("launcher", ["mdl-launch", "torchrun"])
def test_two_ranks_under_a_launcher_share_the_rows(launcher, checkpoint, prompts, bin_dir, venv_bin, tmp_path):
    launcher = bin_dir / launcher if launcher == "mdl-launch" else venv_bin / launcher
    options = [prompts, "--model-name", checkpoint(), "--max-new-tokens", 4, "--batch-size", 4]
    infer(bin_dir, *options, "--output", tmp_path / "alone.csv")
    printed = run(
        [
            launcher,
            "--standalone",
            "--nproc-per-node",
            2,
            "--no-python",
            bin_dir / "mdl-toolkit",
            "inference",
            *options,
            "--output",
            tmp_path / "two.csv",
        ]
    )
    assert "50 rows answered" in printed and "by 2 processes" in printed
    assert (tmp_path / "two.csv").read_bytes() == (tmp_path / "alone.csv").read_bytes()

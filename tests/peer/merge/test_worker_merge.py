"""`mdl-toolkit merge` beside PEFT's merge_and_unload, which it is to equal, and as a command that may fail."""

import json
import os
import re
import shutil
import subprocess

import pytest
import torch
from safetensors.torch import load_file, save_file

import preloaded
from csv_files import read_csv, write_csv
from training_runs import run

MERGE = """
import sys, torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], trust_remote_code=True, dtype=getattr(torch, sys.argv[3]))
model = PeftModel.from_pretrained(model, sys.argv[2]).merge_and_unload()
save_file({name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}, sys.argv[4])
"""
MAKE = """
import json, sys, torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM
torch.manual_seed(5)
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], trust_remote_code=True, dtype=torch.float32)
model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **json.loads(sys.argv[3])))
with torch.no_grad():
    for name, tensor in model.named_parameters():
        if "lora_B" in name:
            tensor.normal_(0, 0.05)
        if "magnitude" in name or "modules_to_save" in name:
            tensor.mul_(1 + 0.1 * torch.rand_like(tensor))
model.save_pretrained(sys.argv[2])
"""
LAYERS = ["up_proj", "gate_proj", "down_proj", "q_proj", "attn.qkv", "audio_projector.net.0"]
KINDS = {
    "plain": {"r": 8, "lora_alpha": 16, "target_modules": LAYERS},
    "rslora": {"r": 9, "lora_alpha": 12, "use_rslora": True, "target_modules": LAYERS},
    "patterns": {
        "r": 8,
        "lora_alpha": 16,
        "rank_pattern": {"q_proj": 3},
        "alpha_pattern": {"layers.0.mlp.up_proj": 40},
        "target_modules": LAYERS,
    },
    "dora": {"r": 4, "lora_alpha": 8, "use_dora": True, "target_modules": ["up_proj", "q_proj", "attn.qkv"]},
    "whole": {"r": 8, "lora_alpha": 16, "target_modules": ["up_proj"], "modules_to_save": ["embed_tokens", "lm_head"]},
}


def in_python(code, *arguments):
    done = preloaded.run(["-c", code, *arguments], preloaded.TRAINER)
    assert done.returncode == 0, done.stderr


def test_the_card_of_a_best_checkpoint_tells_of_that_one(toolkit, data, tmp_path):
    words = ["--merge-lora", "false", "--max-steps", "6", "--eval-steps", "2", "--save-steps", "2", "--load-best-model-at-end", "true"]
    words += ["--metric-for-best-model", "token-accuracy", "--greater-is-better", "false", "--lr", "1e-2"]  # an early one is "best"
    data_words = ["--model-name", data[0].name, "--train-dataset", data[1], "--eval-dataset", data[2]]
    run([toolkit, "train", *data_words, "--output", tmp_path / "run", *words], cwd=data[0].parent)
    state = json.loads((tmp_path / "run" / "checkpoint-6" / "trainer_state.json").read_text())
    step = int(state["best_model_checkpoint"].rsplit("-", 1)[1])
    assert step < 6
    merge(toolkit, tmp_path / "run" / "final", "--output", tmp_path / "merged", cwd=tmp_path)  # it names its model from anywhere
    card = (tmp_path / "merged" / "README.md").read_text()
    assert f"{step} steps, " in card and f"(step {step})" in card and "(step 6)" not in card
    assert f"| chosen by | eval_token_accuracy {str(state['best_metric'])[:5]}" in card, card
    done = merge(toolkit, data[0], tmp_path / "run", "--output", tmp_path / "none", check=False)
    assert done.returncode == 2 and f"Is {tmp_path / 'run' / 'final'} meant" in done.stderr
    done = merge(toolkit, data[0], tmp_path / "merged", "--output", tmp_path / "none", check=False)
    assert done.returncode == 2 and "It is a whole model" in done.stderr


@pytest.fixture(scope="module")
def made(checkpoint, tmp_path_factory):
    """made(kind, checkpoint_folder) -> a PEFT adapter."""
    folder = tmp_path_factory.mktemp("adapters")

    def make(kind, model):
        target = folder / f"{kind}-{model.name}"
        if not target.exists():
            in_python(MAKE, model, target, json.dumps(KINDS[kind]))
        return target

    return make


def weights(folder):
    index = folder / "model.safetensors.index.json"
    files = sorted(set(json.loads(index.read_text())["weight_map"].values())) if index.exists() else ["model.safetensors"]
    return {name: tensor for file in files for name, tensor in load_file(folder / file).items()}


def merge(toolkit, *words, check=True, **options):
    return run([toolkit, "merge", *words], check=check, **options)


def largest_difference(ours, theirs):
    return max((ours[name].double() - theirs[name].double()).abs().max().item() for name in ours)


@pytest.mark.parametrize("kind", KINDS)
def test_the_merged_weights_are_pefts(toolkit, checkpoint, made, kind, tmp_path):
    model = checkpoint()
    adapter = made(kind, model)
    told = merge(toolkit, model, adapter, "--output", tmp_path / "ours", "--verify", "false" if kind == "dora" else "true")
    in_python(MERGE, model, adapter, "float32", tmp_path / "theirs.safetensors")
    ours, theirs, before = weights(tmp_path / "ours"), load_file(tmp_path / "theirs.safetensors"), weights(model)
    assert ours.keys() == before.keys() <= theirs.keys()
    assert largest_difference(ours, theirs) < 1e-6
    changed = [name for name in ours if not torch.equal(ours[name], before[name])]
    assert len(changed) == int(re.search(r"with (\d+) merged layers", told.stdout).group(1)) + 2 * (kind == "whole")
    assert kind == "dora" or "the first token is the same" in told.stdout
    assert not [path for path in tmp_path.iterdir() if "unfinished" in path.name]


def test_a_tied_head_comes_apart_where_embeddings_were_trained(toolkit, checkpoint, made, tmp_path):
    model = checkpoint("qwen3")
    adapter = made("whole", model)
    merge(toolkit, model, adapter, "--output", tmp_path / "ours", "--verify", "true")
    in_python(MERGE, model, adapter, "float32", tmp_path / "theirs.safetensors")
    ours = weights(tmp_path / "ours")
    assert largest_difference(ours, load_file(tmp_path / "theirs.safetensors")) < 1e-6
    assert "decoder.lm_head.weight" in ours and "decoder.lm_head.weight" not in weights(model)
    assert json.loads((tmp_path / "ours" / "config.json").read_text())["tie_word_embeddings"] is False


def test_shards_types_and_companions(toolkit, checkpoint, made, tmp_path):
    model = checkpoint()
    adapter = made("plain", model)
    merge(toolkit, model, adapter, "--output", tmp_path / "one", "--dtype", "bfloat16", "--verify", "true")
    merge(toolkit, model, adapter, "--output", tmp_path / "many", "--torch_dtype", "bfloat16", "--shard-size", "200KB")
    index = json.loads((tmp_path / "many" / "model.safetensors.index.json").read_text())
    files = sorted((tmp_path / "many").glob("*.safetensors"))
    assert len(files) > 3 and all(file.stat().st_size < 2.2e5 for file in files if len(load_file(file)) > 1)
    assert index["metadata"]["total_size"] == sum(tensor.nbytes for file in files for tensor in load_file(file).values())
    one, many = weights(tmp_path / "one"), weights(tmp_path / "many")
    assert one.keys() == many.keys() and all(torch.equal(one[name], many[name]) for name in one)
    assert {tensor.dtype for name, tensor in one.items() if "mlp" in name} == {torch.bfloat16}
    buffers = [name for name, tensor in one.items() if "init_bn" in name or "front_end" in name]
    assert {one[name].dtype for name in buffers if "running" in name or "front_end" in name} <= {torch.float32}
    again = merge(toolkit, tmp_path / "many", adapter, "--output", tmp_path / "again")  # from shards, in bfloat16
    assert "bfloat16" in again.stdout
    in_python(MERGE, tmp_path / "many", adapter, "bfloat16", tmp_path / "theirs.safetensors")
    parameters = {name: tensor for name, tensor in weights(tmp_path / "again").items() if tensor.dtype == torch.bfloat16}
    assert largest_difference(parameters, load_file(tmp_path / "theirs.safetensors")) == 0  # whose buffers are rounded, too
    assert all(name in parameters for name in one if ".mlp." in name)
    companions = {path.name for path in model.iterdir() if ".safetensors" not in path.name}
    assert companions <= {path.name for path in (tmp_path / "many").iterdir()}
    assert json.loads((tmp_path / "many" / "config.json").read_text())["dtype"] == "bfloat16"


def test_a_trained_adapter_answers_alike_merged_and_its_card_tells_of_it(toolkit, data, tmp_path):
    model, train, test = data
    words = ["--lora-rank", "8", "--lr", "5e-3", "--batch-size", "4", "--merge-lora", "false"]
    run([toolkit, "train", "--model-name", model, "--train-dataset", train, "--eval-dataset", test, "--output", tmp_path / "run", *words])
    merge(toolkit, tmp_path / "run" / "final", "--output", tmp_path / "merged", "--verify", "true")  # the adapter names its model
    statistics = load_file(tmp_path / "run" / "final" / "batch_norm.safetensors")
    merged = weights(tmp_path / "merged")
    assert torch.equal(merged["audio_encoder.init_bn.running_mean"], statistics["running_mean"])
    clips = tmp_path / "clips.csv"
    write_csv(clips, read_csv(train.parent / "test.csv")[:4])
    for name, words in {"apart": ["--model-name", tmp_path / "run" / "final"], "merged": ["--model-name", tmp_path / "merged"]}.items():
        run([toolkit, "inference", clips, *words, "--max-new-tokens", "6", "--output", tmp_path / f"{name}.csv"])
    assert read_csv(tmp_path / "apart.csv") == read_csv(tmp_path / "merged.csv")
    card = (tmp_path / "merged" / "README.md").read_text()
    state = json.loads(next((tmp_path / "run").glob("checkpoint-*/trainer_state.json")).read_text())
    last = [entry for entry in state["log_history"] if "eval_loss" in entry][-1]
    assert card.startswith(f'---\nbase_model: "{model}"\n')
    assert f"{state['global_step']} steps, 1 epochs" in card and f"| last eval_loss | {last['eval_loss']!r} (step {last['step']}) |" in card
    assert "| --lr | 0.005 |" in card and "rank 8" in card


def test_memory_is_bounded_by_a_shard(toolkit, checkpoint, made, tmp_path):
    """Of many layers with large adapters, so that what is made is more than what the program takes by itself."""
    model = tmp_path / "model"
    shutil.copytree(checkpoint(), model, copy_function=os.symlink)
    for name in ("config.json", "model.safetensors"):
        (model / name).unlink()
    config = json.loads((checkpoint() / "config.json").read_text())
    small = weights(checkpoint())
    layers, size = 12, 2_000_000 * 4
    hidden = small["decoder.model.layers.0.mlp.up_proj.weight"].shape[1]
    rows = size // hidden // 4
    config["text_config"].update(num_hidden_layers=layers, intermediate_size=rows)
    config["text_config"].pop("layer_types", None)
    (model / "config.json").write_text(json.dumps(config))
    tensors = {name: tensor for name, tensor in small.items() if ".layers." not in name}
    for layer in range(layers):
        for name, tensor in small.items():
            if name.startswith("decoder.model.layers.0."):
                rest = name.removeprefix("decoder.model.layers.0.")
                wide = {
                    "mlp.up_proj.weight": (rows, hidden),
                    "mlp.gate_proj.weight": (rows, hidden),
                    "mlp.down_proj.weight": (hidden, rows),
                }
                tensors[f"decoder.model.layers.{layer}.{rest}"] = torch.zeros(wide[rest]) if rest in wide else tensor.clone()
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    settings = {
        "peft_type": "LORA",
        "r": 1,
        "lora_alpha": 1,
        "target_modules": ["up_proj", "gate_proj", "down_proj"],
        "base_model_name_or_path": "",
    }
    (adapter / "adapter_config.json").write_text(json.dumps(settings))
    low = {}
    for layer in range(layers):
        for name, (out, into) in {"up_proj": (rows, hidden), "gate_proj": (rows, hidden), "down_proj": (hidden, rows)}.items():
            module = f"base_model.model.decoder.model.layers.{layer}.mlp.{name}"
            low |= {f"{module}.lora_A.weight": torch.ones(1, into), f"{module}.lora_B.weight": torch.ones(out, 1)}
    save_file(low, adapter / "adapter_model.safetensors")

    def peak(shard):
        """Anonymous memory, in MB, at its highest; files that are mapped do not count."""
        command = [toolkit, "merge", model, adapter, "--output", tmp_path / f"merged-{shard}", "--shard-size", shard]
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
        most = 0
        while process.poll() is None:
            try:
                with open(f"/proc/{process.pid}/status") as status:
                    most = max([most, *(int(line.split()[1]) for line in status if line.startswith("RssAnon"))])
            except (ProcessLookupError, FileNotFoundError):
                break
        assert process.wait() == 0
        return most / 1e3

    made_bytes = layers * 3 * size / 1e6
    assert peak("64MB") + made_bytes / 2 < peak("10GB"), made_bytes
    merged = weights(tmp_path / "merged-64MB")
    assert torch.equal(merged["decoder.model.layers.9.mlp.up_proj.weight"], torch.ones(rows, hidden))


def test_what_cannot_be_merged_is_one_message_and_leaves_nothing(toolkit, checkpoint, made, tmp_path):
    model = checkpoint()
    adapter = made("plain", model)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "notes.txt").write_text("mine")
    broken = tmp_path / "broken"
    shutil.copytree(adapter, broken)
    tensors = load_file(broken / "adapter_model.safetensors")
    next(tensor for name, tensor in tensors.items() if "lora_B" in name).fill_(float("nan"))
    save_file(tensors, broken / "adapter_model.safetensors")
    biased = tmp_path / "biased"
    shutil.copytree(adapter, biased)
    (biased / "adapter_config.json").write_text((adapter / "adapter_config.json").read_text().replace('"bias": "none"', '"bias": "all"'))
    output = tmp_path / "output"
    for words, code, problem in [
        ([model, adapter], 2, "--output is required"),
        ([], 2, "and none of them is named"),
        ([model, adapter, "x", "--output", output], 2, 'but also "x" stands alone'),
        ([model, tmp_path, "--output", output], 2, "is no adapter's folder"),
        ([model, "--output", output], 2, "is a model, not an adapter"),
        ([adapter, adapter, "--output", output], 2, "is an adapter, and so is "),
        ([checkpoint("qwen3"), adapter, "--output", output], 2, "the adapter does not fit the model"),
        ([model, adapter, "--output", tmp_path / "there"], 2, "is there already, and not empty"),
        ([model, adapter, "--output", model], 2, "is what is to be merged"),
        ([model, adapter, "--output", output, "--dtype", "fp8"], 2, "--dtype fp8: expected auto, float32"),
        ([model, adapter, "--output", output, "--shard-size", "0"], 2, "--shard-size 0: expected a size"),
        ([model, adapter, "--output", output, "--verify", tmp_path / "no.wav"], 1, "no.wav"),
        ([model, made("dora", model), "--output", output, "--verify", "true"], 2, "--verify is not possible for a DoRA adapter"),
        ([model, broken, "--output", output], 1, "has values that are no finite numbers"),
        ([model, biased, "--output", output], 2, "only adapters without biases are supported"),
        (["--model", model, "--output", output], 2, "unknown option --model"),
    ]:
        done = merge(toolkit, *words, check=False)
        assert done.returncode == code and problem in done.stderr and done.stdout == "", (words, done.stderr)
        assert done.stderr.count("error:") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["biased", "broken", "there"]
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["notes.txt"]
    merge(toolkit, model, adapter, "--output", tmp_path / "there", "--overwrite-output", "true")
    assert not (tmp_path / "there" / "notes.txt").exists() and weights(tmp_path / "there")


def test_a_merged_model_that_answers_otherwise_is_told(toolkit, checkpoint, made, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(checkpoint(), model)
    tensors = load_file(model / "model.safetensors")
    tensors["decoder.lm_head.weight"] *= 1e-9  # which float16 does not hold
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    words = [model, made("plain", checkpoint()), "--output", tmp_path / "merged", "--dtype", "float16", "--verify", "true"]
    done = merge(toolkit, *words, check=False)
    assert done.returncode == 1 and "answers otherwise than" in done.stderr, done.stdout
    assert (tmp_path / "merged" / "model.safetensors").exists()  # to be looked at

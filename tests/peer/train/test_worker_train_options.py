"""Options of `mdl-toolkit train` whose effect is compared with the real Python stack: what is trained, in which precision, on what."""

import numpy
import pytest
import torch
from datasets import Dataset, Features, LargeList, List, Value, load_from_disk
from safetensors.torch import load_file

from training_runs import assert_same, assert_same_adapter, history, python, reference, run, train_command


@pytest.fixture(scope="module", params=["untied", "tied"])
def whole(request, checkpoint, dataset, made_adapter):
    """A model (Qwen3's is tied), its data and a PEFT adapter that trains embed_tokens and lm_head whole."""
    model = checkpoint("qwen3" if request.param == "tied" else "qwen2")
    train, test = dataset(model)
    return (model, train, test), made_adapter(model, "--modules-to-save", "embed_tokens,lm_head")


def test_embeddings_and_head_trained_whole_are_as_pefts(toolkit, whole, tmp_path):
    data, adapter = whole
    options = ["--batch-size", "8", "--lr", "1e-3"]
    reference(data, adapter, tmp_path / "theirs", *options)
    run(
        train_command(
            toolkit,
            data,
            tmp_path / "ours",
            "--initial-adapter",
            adapter,
            *options,
            "--train-target",
            "encoder,projector,decoder,embed_tokens,lm_head",
        )
    )
    assert_same(history(tmp_path / "ours")[0], history(tmp_path / "theirs")[0])
    assert_same(history(tmp_path / "ours")[1], history(tmp_path / "theirs")[1], keys=("eval_loss",))
    assert_same_adapter(tmp_path / "ours" / "checkpoint-5", tmp_path / "theirs" / "checkpoint-5")
    mine = load_file(tmp_path / "ours" / "checkpoint-5" / "adapter_model.safetensors")
    before = load_file(adapter / "adapter_model.safetensors")
    for name in ("base_model.model.decoder.model.embed_tokens.weight", "base_model.model.decoder.lm_head.weight"):
        assert not torch.equal(mine[name], before[name]), f"{name} was not trained"


def test_a_merged_model_with_whole_modules_loads_in_transformers(toolkit, whole, tmp_path):
    data, adapter = whole
    model, train, test = data
    told = run(
        [
            toolkit,
            "train",
            "--model-name",
            model,
            "--train-dataset",
            train,
            "--output",
            tmp_path,
            "--lora-rank",
            "8",
            "--lora-alpha",
            "16",
            "--batch-size",
            "8",
            "--lr",
            "1e-3",
            "--initial-adapter",
            adapter,
            "--train-target",
            "encoder,projector,decoder,embed_tokens,lm_head",
        ]
    )
    script = (
        "import sys, torch; from transformers import AutoModelForCausalLM as M; from safetensors.torch import load_file;"
        "m = M.from_pretrained(sys.argv[1], trust_remote_code=True); a = load_file(sys.argv[2]);"
        "e = m.get_input_embeddings().weight; h = m.get_output_embeddings().weight;"
        "p = 'base_model.model.decoder.';"
        "print(torch.equal(e, a[p + 'model.embed_tokens.weight']), torch.equal(h, a[p + 'lm_head.weight']))"
    )
    shown = python("-c", script, tmp_path / "final", tmp_path / "checkpoint-5" / "adapter_model.safetensors").stdout
    assert shown.split()[-2:] == ["True", "True"]
    # A head that came apart from its embeddings is a name more than the source has.
    assert ("vLLM may refuse it" in told.stderr) == ("qwen3" in model.name)


def test_pcm16_sound_trains_as_float32_within_its_rounding(toolkit, data, adapter, tmp_path):
    csv = data[1].parent / "train.csv"
    for encoding in ("float32", "pcm16"):
        run([toolkit, "convert-dataset", csv, "--model-name", data[0], "--output", tmp_path / encoding, "--audio-encoding", encoding])
        # Frozen: a float32 folder keeps the padding of a group of rows, as the Python tool's does, and a batch's statistics
        # would count it.
        run(
            train_command(
                toolkit,
                (data[0], tmp_path / encoding, data[2]),
                tmp_path / f"out-{encoding}",
                "--initial-adapter",
                adapter,
                "--batch-size",
                "4",
                "--batch-norm",
                "frozen",
            )
        )
    size = {name: sum(file.stat().st_size for file in (tmp_path / name).glob("*.arrow")) for name in ("float32", "pcm16")}
    assert size["pcm16"] < 0.6 * size["float32"]
    # A sample of 16 bits is off by 2^-16 at most; in decibels that matters in silence only.
    assert_same(history(tmp_path / "out-pcm16")[0], history(tmp_path / "out-float32")[0], keys=("loss",), rtol=1e-3)
    assert history(tmp_path / "out-pcm16")[0] != history(tmp_path / "out-float32")[0]


def test_a_dataset_in_other_types_trains_to_the_same_and_a_null_inside_a_list_is_named(toolkit, data, adapter, tmp_path):
    """The types that other tools write, as Hugging Face's datasets stores them; the sounds are of the same length and rounded to float16."""
    rows = load_from_disk(data[2])[:4]
    longest = max(len(sound) for sound in rows["input_values"])
    rows["input_values"] = [numpy.pad(numpy.array(sound, "float16"), (0, longest - len(sound))) for sound in rows["input_values"]]
    usual = {
        "input_ids": List(Value("int32")),
        "attention_mask": List(Value("int8")),
        "input_values": List(Value("float32")),
        "audio_length": Value("int64"),
        "labels": List(Value("int64")),
    }
    other = {
        "input_ids": LargeList(Value("uint32")),
        "attention_mask": List(Value("uint8")),
        "input_values": List(Value("float16"), length=longest),
        "audio_length": Value("uint32"),
        "labels": LargeList(Value("int32")),
    }
    for name, features in (("usual", usual), ("other", other)):
        Dataset.from_dict(rows, features=Features(features)).save_to_disk(tmp_path / name)
        run(
            train_command(
                toolkit, (data[0], tmp_path / name, data[2]), tmp_path / f"out-{name}", "--initial-adapter", adapter, "--batch-size", "4"
            )
        )
    assert history(tmp_path / "out-other")[0] == history(tmp_path / "out-usual")[0]
    assert history(tmp_path / "out-other")[1][0]["eval_loss"] == history(tmp_path / "out-usual")[1][0]["eval_loss"]

    rows["labels"][2][-1] = None
    Dataset.from_dict(rows, features=Features(other)).save_to_disk(tmp_path / "holed")
    failed = run(train_command(toolkit, (data[0], tmp_path / "holed", data[2]), tmp_path / "out"), check=False)
    assert failed.returncode == 2
    assert f'row 2 of the dataset, column "labels": value {len(rows["labels"][2]) - 1} of the list is missing (null)' in failed.stderr


def test_bf16_is_the_base_and_the_adapters_stay_float32(toolkit, data, adapter, tmp_path):
    options = ["--batch-size", "4", "--lr", "1e-3"]
    reference(data, adapter, tmp_path / "theirs", *options, "--dtype", "bfloat16")
    run(train_command(toolkit, data, tmp_path / "ours", "--initial-adapter", adapter, *options, "--bf16", "true"))
    # bfloat16 has three digits; ours rounds at other places than theirs.
    assert_same(history(tmp_path / "ours")[0], history(tmp_path / "theirs")[0], keys=("loss",), rtol=2e-2)
    assert_same(history(tmp_path / "ours")[1], history(tmp_path / "theirs")[1], keys=("eval_loss",), rtol=2e-2)
    tensors = load_file(tmp_path / "ours" / "checkpoint-9" / "adapter_model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}


def test_accelerates_mixed_precision_is_the_default_of_bf16(toolkit, data, tmp_path):
    def merged(name, precision, *options):
        model, train, _ = data
        done = run(
            [
                toolkit,
                "train",
                "--model-name",
                model,
                "--train-dataset",
                train,
                "--output",
                tmp_path / name,
                "--batch-size",
                "8",
                "--num-epochs",
                "0.2",
                *options,
            ],
            env={"ACCELERATE_MIXED_PRECISION": precision},
            check=False,
        )
        if done.returncode != 0:
            return done
        return {
            tensor.dtype
            for key, tensor in load_file(tmp_path / name / "final" / "model.safetensors").items()
            if "front_end" not in key and tensor.is_floating_point()
        }

    assert torch.bfloat16 in merged("bf16", "bf16")
    assert merged("no", "no") == {torch.float32}
    assert merged("overruled", "bf16", "--bf16", "false") == {torch.float32}
    refused = merged("fp16", "fp16")
    assert refused.returncode == 2 and "ACCELERATE_MIXED_PRECISION=fp16" in refused.stderr
    assert not (tmp_path / "fp16").exists()


def test_fractions_of_steps_are_the_trainers(toolkit, data, adapter, tmp_path):
    options = ["--batch-size", "4", "--eval-steps", "0.25", "--save-steps", "0.5"]
    reference(data, adapter, tmp_path / "theirs", *options, "--epochs", 1.3)
    run(train_command(toolkit, data, tmp_path / "ours", "--initial-adapter", adapter, *options, "--num-epochs", "1.3"))
    ours, theirs = history(tmp_path / "ours"), history(tmp_path / "theirs")
    assert [entry["step"] for entry in ours[0]] == [entry["step"] for entry in theirs[0]]
    assert [entry["step"] for entry in ours[1]] == [entry["step"] for entry in theirs[1]]
    names = [sorted(path.name for path in (tmp_path / who).glob("checkpoint-*")) for who in ("ours", "theirs")]
    assert names[0] == names[1]


def test_the_limit_of_checkpoints_never_costs_the_newest_good_one(toolkit, data, tmp_path):
    options = ["--batch-size", "8", "--save-steps", "2", "--save-total-limit", "1"]
    run(train_command(toolkit, data, tmp_path, *options, "--num-epochs", "0.4"))
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-2"]
    # Now no file may be larger than 16 KiB: the next checkpoint cannot be written, and the old one must not go for it.
    command = train_command(toolkit, data, tmp_path, *options, "--resume-from-checkpoint", "true")
    done = run(["bash", "-c", 'ulimit -f 16; exec "$@"', "-", *command], check=False)
    assert done.returncode == 1 and "checkpoint-4" in done.stderr
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-2"]
    done = run(command)
    assert f"resuming from {tmp_path}/checkpoint-2" in done.stderr
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-5"]

"""Typing errors in every command of mdl-toolkit: commands, options and values. Each is answered with what was meant, by one rule."""

import subprocess

import pytest

from programs import run_on_terminal

COMMANDS = ["", "train", "convert-dataset", "inference", "info", "download", "health"]

# The command line, and what was meant. All are wrong command lines: exit code 2.
CASES = [
    ("trian", "train"),
    ("Train --output x", "train"),
    ("convert-datset", "convert-dataset"),
    ("convert_dataset", "convert-dataset"),
    ("infrence", "inference"),
    ("ifno .", "info"),
    ("--hlep", "--help"),
    ("--versoin", "--version"),
    ("generate", None),
    ("downlaod a/b", "download"),
    ("download a/b --revison main", "--revision"),
    ("download a/b --from-modelscope flase", "false"),
    ("download a/b@main --revision v1", None),
    ("download", None),
    ("download a/b/", "a/b"),
    ("download https://huggingface.co/a/b/tree/v1", "a/b@v1"),
    ("download https://hf-mirror.com/a/b", "a/b"),
    ("download https://modelscope.cn/models/a/b", "a/b with --from-modelscope true"),
    ("info a/b/", "a/b"),
    ("convert-dataset --output o --model-name https://modelscope.cn/models/a/b --from-modelscope true x.csv", "a/b"),
    ("inference --output o --model-name huggingface.co/a/b x.csv", "a/b"),
    ("inference --output o --model-name a/b/ x.csv", "a/b"),
    ("heatlh", "health"),
    ("health --secodns 3", "--seconds"),
    ("health --json ture", "true"),
    ("health run", None),
    ("info --rwo 1 .", "--row"),
    ("info -row 1 .", "--row"),
    ("info --mdoel_name m .", "--model-name"),
    ("info --hepl", "--help"),
    ("info --xyzzy 1 .", None),
    ("convert-dataset --audio-encodign=pcm16 x.csv", "--audio-encoding"),
    ("convert-dataset --output o --audio-encoding pmc16 x.csv", "pcm16"),
    ("convert-dataset --output o --audio-encoding mp3 x.csv", None),
    ("convert-dataset --output o --from-modelscope flase x.csv", "false"),
    ("train --lora-rnak=16", "--lora-rank"),
    ("train --gradient_acumulation_steps 2", "--gradient-accumulation-steps"),
    ("train --wramup-steps 2", "--warmup-steps"),
    ("train --train-target enocder", "encoder"),
    ("train --train-target decoder,lm-head", "lm_head"),
    ("train --batch-norm forzen", "frozen"),
    ("train --quantization 4bti", "4bit"),
    ("train --quantization 4bit --quantization-type n4f", "nf4"),
    ("train --bf16 atuo", "auto"),
    ("train --merge-lora ture", "true"),
    ("train --report-to tensorbaord", "tensorboard"),
    ("train --report-to json,wandb", None),
    ("train --lr fast", None),
    ("inference --max-new-tokesn 3 x.csv", "--max-new-tokens"),
    ("inference --adpater a x.csv", "--adapter"),
    ("inference --model-name m --output o --bf16 treu x.csv", "true"),
    ("inference --model-name m --output o --quantization 8bt x.csv", "8bit"),
]


@pytest.fixture
def mdl_toolkit(bin_dir, tmp_path):
    def run(*words):
        return subprocess.run([bin_dir / "mdl-toolkit", *words], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    return run


@pytest.mark.parametrize("line, meant", CASES, ids=[case[0] for case in CASES])
def test_a_typing_error_is_answered_with_what_was_meant(line, meant, mdl_toolkit):
    words = line.split()
    needed = ["--train-dataset", "t", "--output", "o"] if words[0] == "train" else []
    done = mdl_toolkit(*words, *needed)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert f"Did you mean {meant}?" in done.stderr if meant else "Did you mean" not in done.stderr


# The command line, and what to do instead: also exit code 2.
ADVICE = [
    ("download", "no model is named", "mdl-toolkit download mispeech/midashenglm-7b"),
    ("download a/b c/d", 'one model is expected, but also "c/d" stands alone', "--help"),
    ("download --model-name a/b", "unknown option --model-name", "mdl-toolkit download a/b."),
    ("download --model_name=a/b", "unknown option --model_name", "mdl-toolkit download a/b."),
    ("download --output x a/b", "unknown option --output", "HF_HUB_CACHE"),
    ("download models--a--b", "models--a--b is a folder of the cache", "Give the name a/b."),
    ("download here.txt", "here.txt is no model's name", "A name is ORG/NAME"),
    ("download here", "here is no model's name", "It is on this machine already"),
    ("download --from-modelscope a/b", "--from-modelscope needs true or false, but a/b follows it", "--from-modelscope true or"),
    ("download a/b --from-modelscope", "--from-modelscope needs true or false", "--help"),
    ("info a/b --from-modelscope=", "--from-modelscope needs true or false", "--help"),
    ("train --merge-lora --seed 1", "--merge-lora needs true or false, but --seed follows it", "--merge-lora true or"),
    ("train --lr", "--lr needs a value", "--help"),
    ("inference --merge-adapter x.csv", "--merge-adapter needs true or false, but x.csv follows it", "--merge-adapter true or"),
    ("info a/b --revision v1", "unknown option --revision", "NAME@v1"),
    ("info a/b --revision --row 1", "unknown option --revision", "NAME@VALUE"),
    ("train --model-name a/b --revision v1", "unknown option --revision", "NAME@v1"),
    ("convert-dataset --revision=v1 x.csv", "unknown option --revision", "NAME@v1"),
    ("inference --model-name a/b --revision v1 x.csv", "unknown option --revision", "NAME@v1"),
    ("info", "no folder or model is named", "a model, an adapter, a training checkpoint or a dataset, or a model's name"),
    ("info /nowhere", "no folder /nowhere", "a model, an adapter, a training checkpoint or a dataset, or a model's name"),
    ("info here/file", "no folder here/file (it is a file)", "a dataset, or a model's name"),
]


@pytest.mark.parametrize("line, wrong, advice", ADVICE, ids=[case[0] for case in ADVICE])
def test_what_a_newcomer_writes_is_answered_with_what_to_do(line, wrong, advice, mdl_toolkit, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here/file").touch()
    (tmp_path / "here.txt").touch()
    (tmp_path / "models--a--b/snapshots").mkdir(parents=True)
    words = line.split()
    needed = ["--train-dataset", "t", "--output", "o"] if words[0] == "train" else []
    done = mdl_toolkit(words[0], *needed, *words[1:])
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert wrong in done.stderr and advice in " ".join(done.stderr.split()), done.stderr
    assert "Did you mean" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_into_80_columns_through_a_pipe(command, mdl_toolkit):
    done = mdl_toolkit(*command.split(), "--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: mdl-toolkit")
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []
    assert [line for line in done.stdout.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_takes_the_width_of_a_terminal(command, bin_dir):
    code, text = run_on_terminal([bin_dir / "mdl-toolkit", *command.split(), "--help"], columns=100)
    assert code == 0
    longest = max(len(line) for line in text.splitlines())
    assert longest <= 100 and (longest > 80 or command == "info")

"""Every command takes a model by its name: what it needs is downloaded, and an adapter notes the name."""

import json
import shutil
import subprocess

import numpy as np
import pytest
import soundfile
from peft import PeftConfig

import checkpoint_variants
from csv_files import read_csv, write_csv
from downloads import Downloader

NAME = "an-org/model_1.5"


@pytest.fixture(scope="module")
def repository(hub, published):
    return hub.add(NAME, revisions={"main": published, "v1.0": published})


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A CSV file of four sounds."""
    folder = tmp_path_factory.mktemp("sounds")
    time = np.arange(8000) / 16000
    table = []
    for i in range(4):
        soundfile.write(folder / f"{i}.wav", (0.4 * np.sin(2 * np.pi * (300 + 200 * i) * time)).astype(np.float32), 16000)
        table.append({"audio": str(folder / f"{i}.wav"), "user_prompt": "What is it?", "prediction": f"sound {i}"})
    write_csv(folder / "rows.csv", table)
    return folder / "rows.csv"


class User(Downloader):
    """Runs other commands too."""

    def run(self, *arguments, launcher=(), code=0, **variables):
        """What a command prints, on both streams."""
        command = [*map(str, launcher), str(self.toolkit), *map(str, arguments)]
        env = {**self.variables, "OMP_NUM_THREADS": "1", **variables}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240, cwd=self.home)
        assert done.returncode == code, f"{command} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def user(toolkit, hub, tmp_path):
    return User(toolkit, hub, tmp_path)


def test_info_and_conversion_download_all_but_the_weights(user, repository, rows, tmp_path):
    repository.clear()

    told = user.run("info", NAME)

    assert "trainable: yes, as far as config.json tells: the weights are not here" in told
    assert repository.asked_for("model.safetensors") == []
    repository.clear()
    user.run("convert-dataset", rows, "--output", tmp_path / "dataset", "--model-name", NAME)
    assert repository.asked == [], "all that a conversion needs is there"
    assert (tmp_path / "dataset/state.json").exists()

    told = user.run("train", "--train-dataset", rows, "--output", "out", "--model-name", NAME, code=2, HF_HUB_OFFLINE="1")
    assert f"no model {NAME} here" in told and "lacks model.safetensors" in told and "HF_HUB_OFFLINE=1" in told


def test_a_model_in_shards_is_trained_and_answers_by_name_also_from_a_cache_that_has_some(user, hub, checkpoint, rows, tmp_path):
    """As the 7B is published today: bfloat16 in four files, of which a Python program that was cut off has left two."""
    source = checkpoint_variants.Source(checkpoint())
    repository = hub.add("an-org/sharded", checkpoint_variants.published_bf16(source, tmp_path / "sharded"))
    told = user.run("info", "an-org/sharded")
    index = json.loads((tmp_path / "sharded/model.safetensors.index.json").read_text())
    kilobytes = index["metadata"]["total_size"] / 1000
    size = f"{kilobytes:.1f} kB" if kilobytes < 1000 else f"{kilobytes / 1000:.1f} MB"
    assert f"weights:            4 files, {size}, not downloaded\n" in told
    assert "trainable: yes, as far as config.json tells" in told
    options = ["--train-dataset", rows, "--model-name", "an-org/sharded", "--lora-rank", 2]
    user.run("train", *options, "--output", "whole")
    shards = sorted((tmp_path / "whole").parent.rglob("snapshots/*/model-*.safetensors"))
    assert len(shards) == 4
    for shard in shards[2:]:
        shard.resolve().unlink()
        shard.unlink()
    assert "missing:          2 of 4 files, not downloaded\n" in user.run("info", "an-org/sharded")
    repository.clear()
    user.run("train", *options, "--output", "part")
    assert len({asked.file for asked in repository.asked if asked.file.startswith("model-0")}) == 2
    shards[3].resolve().unlink()
    shards[3].unlink()
    answering = ["inference", rows, "--model-name", "an-org/sharded", "--max-new-tokens", 2]
    user.run(*answering, "--output", "a.csv")
    assert len(read_csv(tmp_path / "a.csv")) == 4


def test_an_adapter_names_model_and_revision_and_inference_finds_them(user, repository, rows, tmp_path):
    told = user.run("train", "--train-dataset", rows, "--output", "output", "--model-name", f"{NAME}@v1.0", "--merge-lora", "false")
    (folder,) = (user.cache / f"models--{NAME.replace('/', '--')}/snapshots").iterdir()
    assert told.count(f"model: {NAME}@v1.0 at {folder.name}, {folder}\n") == 1
    final = tmp_path / "output/final"
    config = PeftConfig.from_pretrained(final)
    assert (config.base_model_name_or_path, config.revision) == (NAME, "v1.0")

    repository.clear()
    write_csv(tmp_path / "asked.csv", [{key: row[key] for key in ("audio", "user_prompt")} for row in read_csv(rows)])
    answering = ["inference", tmp_path / "asked.csv", "--max-new-tokens", 2]
    user.run(*answering, "--model-name", final, "--output", tmp_path / "a.csv")
    user.run(*answering, "--model-name", f"{NAME}@v1.0", "--adapter", final, "--output", tmp_path / "b.csv")
    assert repository.asked == [], "the model is in the cache"
    assert read_csv(tmp_path / "a.csv") == read_csv(tmp_path / "b.csv")

    user.run(*answering, "--model-name", final, "--output", tmp_path / "c.csv", HF_HUB_CACHE=str(tmp_path / "other"))
    assert repository.asked_for("model.safetensors"), "a cache that has it not is filled"
    assert read_csv(tmp_path / "a.csv") == read_csv(tmp_path / "c.csv")


def test_what_is_wrong_without_the_weights_is_told_before_they_are_asked_for(user, hub, published, rows, tmp_path):
    refused = tmp_path / "refused"
    shutil.copytree(published, refused)
    config = json.loads((refused / "config.json").read_text())
    (refused / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "gptq"}}))
    repository = hub.add("an-org/quantized", revisions={"main": refused})
    train = ["train", "--model-name", "an-org/quantized", "--output", "out"]
    answer = ["inference", "--model-name", "an-org/quantized", "--output", "out.csv"]
    for arguments, wrong in (
        ([*train, "--train-dataset", rows], "the weights are quantized"),
        ([*train, "--train-dataset", "no-dataset"], "no dataset folder no-dataset"),
        ([*train, "--train-dataset", rows, "--initial-adapter", "no-adapter"], "no-adapter"),
        ([*answer, rows], "the weights are quantized"),
        ([*answer, rows, "--adapter", "no-adapter"], "no-adapter"),
    ):
        assert wrong in user.run(*arguments, code=2), arguments
    whole = hub.add("an-org/whole", revisions={"main": published})
    answer[2] = "an-org/whole"
    assert "none.csv" in user.run(*answer, "none.csv", code=2)
    assert "/proc" in user.run("train", "--model-name", "an-org/whole", "--output", "/proc/out", "--train-dataset", rows, code=1)
    for asked in (repository, whole):
        assert asked.asked_for("config.json") and asked.asked_for("model.safetensors") == []


def test_bad_rows_of_a_csv_file_are_told_before_anything_is_asked_for(user, hub, published, rows, tmp_path):
    repository = hub.add("an-org/later", revisions={"main": published})
    good = read_csv(rows)
    write_csv(tmp_path / "bad.csv", [*good[:2], {**good[2], "audio": "missing.wav"}, {**good[3], "prediction": ""}])
    write_csv(tmp_path / "unanswered.csv", [{key: row[key] for key in ("audio", "user_prompt")} for row in good])
    model = ["--model-name", "an-org/later", "--output", "out"]
    both = ["row 3 (line 4): there is no sound file missing.wav", "row 4 (line 5): the column prediction is empty"]
    for arguments, wrong in (
        (["train", "--train-dataset", "bad.csv"], both),
        (["train", "--train-dataset", rows, "--eval-dataset", "unanswered.csv"], ['no column "prediction"']),
        (["train", "--train-dataset", "unanswered.csv", "--skip-bad-samples", "true"], ['no column "prediction"']),
        (["train", "--train-dataset", rows, "--base-dir", "elsewhere", "--eval-dataset", "none.csv"], ["none.csv"]),
        (["convert-dataset", "bad.csv"], both),
    ):
        told = user.run(*arguments, *model, code=2)
        assert all(word in told for word in wrong), told
    assert repository.asked == []
    told = user.run("inference", "bad.csv", *model, code=2)
    assert both[0] in told and both[1] not in told and repository.asked_for("model.safetensors") == []


def test_a_name_that_is_not_there_is_told_with_what_to_try(user, repository):
    told = user.run("info", "an-org/nobody", code=2)
    assert "an-org/nobody is not here, and Hugging Face does not give a model of that name" in told and "--from-modelscope true" in told
    assert "all its 40 digits" in user.run("info", f"{NAME}@1b35d50", code=2)
    assert "all its 40 digits" not in user.run("info", f"{NAME}@v9", code=2)
    told = user.run("info", "an-org/nobody", code=1, HF_ENDPOINT="http://127.0.0.1:9")
    assert "HF_ENDPOINT" in told and "hf-mirror" not in told


def test_an_error_says_which_adapter_names_the_model(user, made_adapter, checkpoint, rows, tmp_path):
    adapter = made_adapter(checkpoint())
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "an-org/elsewhere"}))
    told = user.run("inference", rows, "--model-name", adapter, "--output", "out.csv", code=2)
    assert f"(the model that {adapter}/adapter_config.json names)" in told and "--from-modelscope true" in told


def test_a_folder_of_the_name_goes_first(user, repository, published, tmp_path):
    repository.clear()
    (tmp_path / NAME).parent.mkdir()
    (tmp_path / NAME).symlink_to(published)
    assert f"{NAME}: a model" in user.run("info", NAME)
    assert repository.asked == []


def test_the_bar_shows_bytes_and_can_be_silenced(user, repository):
    for quiet in ("", "1"):
        command = ["script", "-qec", " ".join(user.command(NAME)), "/dev/null"]
        env = {**user.variables, "HF_HUB_CACHE": str(user.home / f"cache{quiet}"), "HF_HUB_DISABLE_PROGRESS_BARS": quiet}
        told = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True).stdout
        assert ("Downloading" in told and "MB [" in told and "MB/s" in told) != bool(quiet), told

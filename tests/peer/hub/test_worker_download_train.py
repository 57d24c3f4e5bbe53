"""The first command of the user's page, word for word, on a host that has no model yet: it fetches it, and trains."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from downloads import Downloader, check_names
from hub_server import HubServer
from programs import run

COMMAND = """mdl-launch --standalone --nproc-per-node gpu --no-python mdl-toolkit train --lora-rank 16 --eval-steps 50
             --train-dataset train-converted/ --eval-dataset test-converted/ --output output/""".split()


@pytest.mark.parametrize("name", ["mispeech/midashenglm-7b", "midasheng/midashenglm-7b"])
def test_the_first_command_fetches_its_model_and_trains(name, tmp_path, bin_dir, toolkit, checkpoint, dataset):
    model = checkpoint()
    for part, folder in zip(("train", "test"), dataset(model), strict=True):
        (tmp_path / f"{part}-converted").symlink_to(folder)
    modelscope = name.startswith("midasheng/")
    with HubServer() as server:
        repository = server.add(name, model)
        user = Downloader(toolkit, server, tmp_path / "home", modelscope=modelscope)
        variables = {**user.variables, "PATH": f"{bin_dir}:{user.variables['PATH']}", "LD_LIBRARY_PATH": str(bin_dir / "fake_nvml")}
        variables.pop("CUDA_VISIBLE_DEVICES", None)  # two GPUs, as fake_nvml says
        variables["ACCELERATE_USE_CPU"] = "true"  # CUDA opens neither of them

        output = run([*COMMAND, *(["--from-modelscope", "true"] if modelscope else [])], cwd=tmp_path, env=variables)

        check_names(user.cache, repository)
        asked = [request.file for request in repository.asked if request.for_content]
        assert asked.count("model.safetensors") == 1, "one of the two processes downloads"
        assert "training on the CPU in 2 processes" in output and "'eval_loss':" in output
        final = tmp_path / "output/final"
        assert not [path for path in (tmp_path / "output").rglob("*") if path.is_symlink()]
        assert json.loads((final / "config.json").read_text())["model_type"] == "midashenglm"
        assert (final / "tokenizer.json").read_bytes() == (model / "tokenizer.json").read_bytes()
        assert (final / "modeling_midashenglm.py").read_bytes() == (model / "modeling_midashenglm.py").read_bytes()
        with safe_open(final / "model.safetensors", "np") as merged, safe_open(model / "model.safetensors", "np") as base:
            assert set(merged.keys()) == set(base.keys())
            layer = "audio_projector.net.0.weight"
            assert (merged.get_tensor(layer) != base.get_tensor(layer)).any(), "training changed nothing"

        if modelscope:  # test_worker_hub_commands.py has the same of Hugging Face
            repository.clear()
            options = ["--train-dataset", "train-converted", "--output", "adapter", "--merge-lora", "false", "--num-epochs", "0.1"]
            run([toolkit, "train", *options, "--from-modelscope", "true"], cwd=tmp_path, env=user.variables)
            adapter = json.loads((tmp_path / "adapter/final/adapter_config.json").read_text())
            assert adapter["base_model_name_or_path"] == name
            assert repository.asked == [], "what is in the cache is not asked for"
            check_recipe(tmp_path / "adapter/final", user)


def check_recipe(final, user):
    """The README.md beside an adapter says how to load it with PEFT on its model, which Hugging Face may not know."""
    code = (final / "README.md").read_text().split("```python\n")[1].split("```")[0]
    code += "print(base, model.get_base_model().get_submodule('audio_encoder.init_bn').running_mean.double().sum().item())"
    told = run([sys.executable, "-c", code], cwd=final, env={**user.variables, "HF_ENDPOINT": "http://127.0.0.1:9"})
    base, mean = told.splitlines()[-1].split()
    assert Path(base).is_relative_to(user.cache)
    kept = load_file(final / "batch_norm.safetensors")
    (name,) = [name for name in kept if name.endswith("running_mean")]
    assert float(mean) == pytest.approx(kept[name].sum(dtype="float64"))


def test_inference_fetches_what_is_missing_and_takes_a_published_adapter(
    tmp_path, toolkit, hub, published, dataset, checkpoint, made_adapter
):
    repository = hub.add("an-org/named", revisions={"main": published, "v1": published})
    user = Downloader(toolkit, hub, tmp_path / "home")
    rows = dataset(checkpoint())[1].parent / "test.csv"

    def call(command, *options, code=0, **variables):
        line = [toolkit, command, *options]
        done = subprocess.run(line, cwd=rows.parent, env={**user.variables, **variables}, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def infer(model, out, **variables):
        call("inference", "test.csv", "--model-name", model, "--output", tmp_path / out, "--max-new-tokens", "2", **variables)
        return (tmp_path / out).read_text()

    assert "midashenglm" in call("info", "an-org/named@v1")
    call("info", "an-org/named")
    assert not repository.asked_for("model.safetensors")
    repository.clear()
    answers = infer("an-org/named", "answers.csv")
    assert {asked.file for asked in repository.asked} == {"", "model.safetensors"}, "the rest is there"

    adapter = made_adapter(checkpoint())
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "an-org/named"}))
    hub.add("an-org/adapter", adapter)
    repository.clear()
    adapted = infer("an-org/adapter", "adapted.csv")
    assert adapted != answers, "the adapter counts"
    assert infer("an-org/named", "again.csv", HF_HUB_OFFLINE="1") == answers
    assert infer("an-org/adapter", "offline.csv", TRANSFORMERS_OFFLINE="1") == adapted
    assert repository.asked == []

    errors = call("info", "an-org/named@v2", code=2, HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE=1 forbids to download it" in errors and "mdl-toolkit download an-org/named@v2" in errors
    assert "--model-name" in call("inference", "test.csv", "--output", tmp_path / "none.csv", code=2)

"""The first command of the user's page, word for word, on a host that seems to have two GPUs."""

import json
import os

from safetensors import safe_open

COMMAND = """mdl-launch --standalone --nproc-per-node gpu --no-python mdl-toolkit train --lora-rank 16 --eval-steps 50
             --train-dataset train-converted/ --eval-dataset test-converted/ --output output/""".split()


def test_the_first_command_trains_on_two_processes(tmp_path, bin_dir, checkpoint, dataset):
    from programs import run

    model = checkpoint()
    train, test = dataset(model)
    (tmp_path / "mispeech").mkdir()
    (tmp_path / "mispeech/midashenglm-7b").symlink_to(model)  # the default --model-name, as a local folder
    (tmp_path / "train-converted").symlink_to(train)
    (tmp_path / "test-converted").symlink_to(test)
    environment = {**os.environ, "PATH": f"{bin_dir}:{os.environ['PATH']}", "LD_LIBRARY_PATH": str(bin_dir / "fake_nvml")}
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    environment["ACCELERATE_USE_CPU"] = "true"  # CUDA opens neither of them

    output = run(COMMAND, cwd=tmp_path, env=environment)

    assert "ACCELERATE_USE_CPU=true: training on the CPU in 2 processes joined by Gloo" in output
    assert output.count("'loss':") == 3  # 35 clips, 2 ranks of 8
    assert output.count("'eval_loss':") == 1  # step 50 never comes; as the Trainer, it evaluates at the end
    result = tmp_path / "output/final"
    config = json.loads((result / "config.json").read_text())
    assert config["model_type"] == "midashenglm"
    with safe_open(result / "model.safetensors", "pt") as merged, safe_open(model / "model.safetensors", "pt") as base:
        assert set(merged.keys()) == set(base.keys())
        name = "audio_projector.net.0.weight"
        assert not merged.get_tensor(name).equal(base.get_tensor(name)), "training changed nothing"

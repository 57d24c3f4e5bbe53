"""The mel front end of a checkpoint that holds no window and filters of its own, as the published models of today: exact in float32."""

import os
import shutil
from pathlib import Path

import librosa
import numpy as np
import pytest
import safetensors.torch
import scipy.signal
import torch
from datasets import concatenate_datasets, load_from_disk
from transformers import AutoModelForCausalLM, AutoTokenizer

from programs import run

HERE = Path(__file__).resolve().parent
WINDOW, FILTERS = (f"audio_encoder.front_end.0.{name}" for name in ("spectrogram.window", "mel_scale.fb"))
REFERENCE = Path(os.environ.get("MDL_REFERENCE_VENV", HERE.parents[2] / "build/venv-4.57")) / "bin/python"


@pytest.fixture(scope="module")
def case(checkpoint, dataset, bin_dir, tmp_path_factory):
    """(checkpoint without the two tensors, all real clips as a batch, the native model's results)."""
    from mdl_toolkit.convert_dataset import padding

    folder = tmp_path_factory.mktemp("front-end")
    model = shutil.copytree(checkpoint(), folder / "model")
    tensors = safetensors.torch.load_file(model / "model.safetensors")
    stripped = {name: tensor for name, tensor in tensors.items() if name not in (WINDOW, FILTERS)}
    assert len(stripped) == len(tensors) - 2
    safetensors.torch.save_file(stripped, model / "model.safetensors", {"format": "pt"})

    rows = concatenate_datasets([load_from_disk(part) for part in dataset()])
    assert len(rows) > 40
    batch = padding(list(rows), tokenizer=AutoTokenizer.from_pretrained(model), dtype=torch.float32)
    batch["audio_length"] = batch["audio_length"].reshape(len(rows))
    safetensors.torch.save_file(batch, folder / "batch.safetensors")
    run([bin_dir / "model_probe", "--checkpoint", model, "--batch", folder / "batch.safetensors", "--out", folder / "out", "--eval"])
    return model, folder / "batch.safetensors", safetensors.torch.load_file(folder / "out")


def test_window_and_filters_are_librosas(case):
    ours = case[2]
    hann = scipy.signal.get_window("hann", 512, fftbins=True)
    np.testing.assert_allclose(ours[WINDOW].numpy(), hann, rtol=0, atol=1e-6)
    filters = librosa.filters.mel(sr=16000, n_fft=512, n_mels=64, fmin=0, fmax=8000, htk=True, norm=None)
    # The corners are computed in float32, as torchaudio does: a thousandth of a hertz of the 30 from one to the next.
    np.testing.assert_allclose(ours[FILTERS].numpy(), filters.T, rtol=0, atol=1e-4)
    rounded = torch.from_numpy(hann).to(torch.bfloat16).float()
    assert (ours[WINDOW] - rounded).abs().max() > 1e-4


def test_features_are_torchaudios(case, tmp_path):
    if not REFERENCE.exists():
        pytest.skip(f"no {REFERENCE}, the environment with torchaudio: scripts/setup.sh --reference makes it")
    run([REFERENCE, HERE / "torchaudio_features.py", case[1], tmp_path / "theirs"])
    theirs, ours = safetensors.torch.load_file(tmp_path / "theirs"), case[2]
    assert ours["features"].shape == theirs["features"].shape
    assert theirs["features"].amax() - theirs["features"].amin() > 60
    assert (ours["features"] - theirs["features"]).abs().max() < 1e-3  # dB
    assert (ours[WINDOW] - theirs["window"]).abs().max() < 1e-6
    assert (ours[FILTERS] - theirs["fb"]).abs().max() < 1e-6


def test_the_acoustic_branch_hears_what_torchaudio_does(case, checkpoint, bin_dir, tmp_path):
    if not REFERENCE.exists():
        pytest.skip(f"no {REFERENCE}, the environment with torchaudio: scripts/setup.sh --reference makes it")
    model = shutil.copytree(checkpoint("qwen3", "--encoder", "tokenizer"), tmp_path / "model")
    tensors = safetensors.torch.load_file(model / "model.safetensors")
    stripped = {name: tensor for name, tensor in tensors.items() if "front_end" not in name}
    assert len(stripped) == len(tensors) - 4
    safetensors.torch.save_file(stripped, model / "model.safetensors", {"format": "pt"})
    run([bin_dir / "model_probe", "--checkpoint", model, "--batch", case[1], "--out", tmp_path / "ours", "--eval"])
    run([REFERENCE, HERE / "torchaudio_features.py", case[1], tmp_path / "theirs"])
    ours, theirs = (safetensors.torch.load_file(tmp_path / name) for name in ("ours", "theirs"))
    for name in ("features", "acoustic_features"):
        assert ours[name].shape == theirs[name].shape
        assert (ours[name] - theirs[name]).abs().max() < 1e-3, name


def test_the_peer_makes_the_same_features_of_such_a_checkpoint(case):
    model, batch, ours = case
    # bfloat16, as it is loaded most often: that does not round the front end either.
    peer = AutoModelForCausalLM.from_pretrained(model, trust_remote_code=True, dtype=torch.bfloat16)
    with torch.no_grad():
        theirs = peer.audio_encoder.front_end(safetensors.torch.load_file(batch)["input_values"])
    assert (ours["features"] - theirs).abs().max() < 1e-3

"""Log-mel features as torchaudio makes them: the waveforms of BATCH (safetensors, input_values [clips, samples]) to OUT.

A program of its own: torchaudio of the reference environment is of another torch than the tests run with.
"""

import sys

import torch
from safetensors.torch import load_file, save_file
from torchaudio.transforms import AmplitudeToDB, MelSpectrogram


def main(batch, out):
    mel = MelSpectrogram(sample_rate=16000, n_fft=512, win_length=512, hop_length=160, f_min=0.0, f_max=8000.0, n_mels=64, center=True)
    power = mel(load_file(batch)["input_values"].float()[:, None])  # a channel of its own: top_db is of each clip
    features = AmplitudeToDB(top_db=120)(power)[:, 0]
    small = MelSpectrogram(sample_rate=16000, n_fft=1024, hop_length=160, n_mels=100, power=1)  # the 0.6B's second branch
    acoustic = small(load_file(batch)["input_values"].float()).clamp_min(1e-7).log()
    constants = {"window": mel.spectrogram.window, "fb": mel.mel_scale.fb}
    made = {"features": features, "acoustic_features": acoustic}
    save_file(
        {
            **{name: tensor.contiguous() for name, tensor in made.items()},
            **{name: tensor.contiguous() for name, tensor in constants.items()},
        },
        out,
    )


if __name__ == "__main__":
    with torch.no_grad():
        main(*sys.argv[1:])

"""Checkpoints in the forms that MiDashengLM is published in, made of one that scripts/peer/make_checkpoint.py wrote."""

import json
import shutil

import safetensors.torch
import torch

ENCODER = "audio_encoder.front_end."
OLD_FRONT_END = {ENCODER + "0.spectrogram.window", ENCODER + "0.mel_scale.fb"}


class Source:
    """A made checkpoint. `write` makes another folder of it, with another configuration, other tensors or several files."""

    def __init__(self, folder):
        self.folder = folder
        self.tensors = safetensors.torch.load_file(folder / "model.safetensors")

    def config(self):
        return json.loads((self.folder / "config.json").read_text())

    def without_front_end(self):
        return {name: tensor for name, tensor in self.tensors.items() if name not in OLD_FRONT_END}

    def write(self, target, config=None, tensors=None, shards=1):
        shutil.copytree(self.folder, target)
        (target / "config.json").write_text(json.dumps(config or self.config()))
        (target / "model.safetensors").unlink()
        tensors = self.tensors if tensors is None else tensors
        if shards == 1:
            safetensors.torch.save_file(tensors, target / "model.safetensors", {"format": "pt"})
            return target
        places = {}
        for number in range(shards):
            file = f"model-{number + 1:05d}-of-{shards:05d}.safetensors"
            part = {name: tensors[name] for name in sorted(tensors)[number::shards]}
            safetensors.torch.save_file(part, target / file, {"format": "pt"})
            places.update(dict.fromkeys(part, file))
        metadata = {"total_size": sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())}
        (target / "model.safetensors.index.json").write_text(json.dumps({"metadata": metadata, "weight_map": places}))
        return target


def by_class(config):
    """The configuration as the published classes leave it: Qwen2.5-Omni's text model by class, and not one key that may be missing."""
    text, encoder = config["text_config"], config["audio_encoder_config"]
    for part, key in [(text, "model_type"), (text, "layer_types"), (text, "rope_parameters"), (encoder, "target_length")]:
        part.pop(key, None)
    config.pop("audio_token_id")
    text |= {"rope_scaling": {"mrope_section": [2, 3, 3], "rope_type": "default", "type": "default"}, "torch_dtype": "bfloat16"}
    encoder |= {"model_type": "midashenglm_dasheng_encoder", "outputdim": 527, "drop_rate": 0.0, "attn_drop_rate": 0.0, "init_values": None}
    config |= {"torch_dtype": "bfloat16", "transformers_version": "4.52.1"}
    config.pop("dtype", None)
    return config


def published_bf16(source, target):
    """Of today: bfloat16 in four files, no front end."""
    tensors = {name: t.bfloat16() if t.is_floating_point() else t for name, t in source.without_front_end().items()}
    return source.write(target, by_class(source.config()), tensors, shards=4)


def first_float32(source, target):
    """The first ones: float32 in seven files, with torchaudio's front end, and here with tensors that no model of ours has."""
    unused = {f"audio_encoder.outputlayer.{i}.weight": torch.full((3,), float(i)) for i in range(23)}
    return source.write(target, None, {**source.tensors, **unused, "decoder.model.rotary_emb.inv_freq": torch.ones(8)}, shards=7)


def new_front_end_names(source, target):
    """A front end under the names of the module that vLLM and the published code have now; exact, so none that was rounded."""
    tensors = source.without_front_end()
    tensors[ENCODER + "spectrogram_window"] = torch.hann_window(512)
    tensors[ENCODER + "melscale_fbanks"] = source.tensors[ENCODER + "0.mel_scale.fb"].clone()
    return source.write(target, None, tensors)


def square_patches(source, target):
    config = source.config()
    config["audio_encoder_config"]["patch_size"] = 16
    return source.write(target, config)


def layer_scale(source, target):
    config = source.config()
    config["audio_encoder_config"]["init_values"] = 1e-5
    return source.write(target, config)


def packed_layers(source, pack):
    """The tensors with the decoder's linear weights replaced by what `pack(prefix, weight)` makes of them."""
    tensors = {}
    for name, tensor in source.without_front_end().items():
        linear = name.startswith("decoder.model.layers.") and name.endswith("_proj.weight")
        tensors.update(pack(name.removesuffix("weight"), tensor) if linear else {name: tensor})
    return tensors


def as_fp8(prefix, weight):
    return {prefix + "weight": weight.to(torch.float8_e4m3fn), prefix + "weight_scale": torch.ones(len(weight), 1)}


def as_gptq(prefix, weight):
    rows, columns = weight.shape
    zeros = torch.zeros(1, rows // 8, dtype=torch.int32)
    packed = torch.zeros(columns // 8, rows, dtype=torch.int32)
    return {prefix + "qweight": packed, prefix + "qzeros": zeros, prefix + "scales": torch.ones(1, rows, dtype=torch.float16)}


def quantized(source, target, pack, settings=None):
    """With `settings` in config.json, as the program that quantized it writes them, or without."""
    config = source.config()
    if settings:
        config["quantization_config"] = settings
    return source.write(target, config, packed_layers(source, pack))

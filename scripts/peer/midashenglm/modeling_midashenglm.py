"""Reference MiDashengLM in plain PyTorch: the remote code of the checkpoints that scripts/peer/make_checkpoint.py writes.

It is what the native model is compared with, and what lets the real transformers, peft and mdl-toolkit load our results.
Shapes are given as comments: B clips, N patches in time, D encoder width, H decoder width.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F
from transformers import PretrainedConfig, PreTrainedModel, Qwen2ForCausalLM
from transformers.generation import GenerationMixin
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniTextConfig as OMNI

# The published configuration class's, but for its patches of 16 by 16, which no published model has: a checkpoint states its sizes.
ENCODER_DEFAULTS = {
    "embed_dim": 768,
    "depth": 12,
    "num_heads": 12,
    "mlp_ratio": 4.0,
    "qkv_bias": True,
    "init_values": None,
    "input_channels": 1,
    "patch_size": [64, 4],
    "patch_stride": [64, 4],
    "target_length": 1012,
    "n_mels": 64,
    "n_fft": 512,
    "win_length": 512,
    "hop_length": 160,
    "sample_rate": 16000,
    "f_min": 0.0,
    "f_max": 8000.0,
    "center": True,
}
# The encoder of the published 0.6B, which a config.json with this model_type asks for: the same with an acoustic branch beside it.
TOKENIZER = "midashenglm_dasheng_tokenizer"
TOKENIZER_DEFAULTS = {**ENCODER_DEFAULTS, "embed_dim": 768, "depth": 12, "num_heads": 12, "n_mels_patch": 128, "n_fft_patch": 1024}


class MiDashengLMConfig(PretrainedConfig):
    model_type = "midashenglm"
    keys_to_ignore_at_inference = ["past_key_values"]

    def __init__(self, audio_encoder_config=None, text_config=None, subsample_factor=5, audio_token_id=None, **kwargs):
        given = audio_encoder_config or {}
        self.audio_encoder_config = {**(TOKENIZER_DEFAULTS if given.get("model_type") == TOKENIZER else ENCODER_DEFAULTS), **given}
        if text_config is None or isinstance(text_config, dict):
            fields = dict(text_config or {})
            model_type = fields.pop("model_type", OMNI.model_type)
            # transformers 4.57 does not have this one in its table.
            text_config = (OMNI if model_type == OMNI.model_type else CONFIG_MAPPING[model_type])(**fields)
        self.text_config = text_config
        self.subsample_factor = subsample_factor
        self.audio_token_id = audio_token_id
        super().__init__(**kwargs)

    def get_text_config(self, decoder=None, encoder=None):
        return self.text_config

    def audio_tokens(self, samples):
        """How many <|AUDIO|> positions a clip of so many samples fills."""
        frames = samples // self.audio_encoder_config["hop_length"] + 1
        return max(1, frames // 4 // self.subsample_factor)


def htk_triangles(c):
    """The HTK mel filters [n_fft / 2 + 1, n_mels]: each rises from its left neighbour's centre and falls to the right one's."""

    def to_mel(hertz):
        return 2595.0 * math.log10(1.0 + hertz / 700.0)

    exact = {"dtype": torch.float32}
    edges = torch.linspace(to_mel(c["f_min"]), to_mel(c["f_max"]), c["n_mels"] + 2, **exact)
    edges = (torch.pow(10.0, edges / 2595.0) - 1.0) * 700.0
    bins = torch.linspace(0, c["sample_rate"] // 2, c["n_fft"] // 2 + 1, **exact)[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    return torch.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)).clamp_min(0.0)


class Constant(nn.Module):
    """A named place for one constant, so that state_dict keys come out as torchaudio's."""

    def __init__(self, name, make):
        super().__init__()
        self.name, self.make = name, make
        self.register_buffer(name, make())

    def restore(self):
        """For a checkpoint that lacks it: what was made on the meta device is lost."""
        setattr(self, self.name, self.make().to(getattr(self, self.name).device))


class LogMel(nn.Module):
    """Waveforms [B, samples] to mel magnitudes to the power of `power`, [B, n_mels, frames], always in float32. Window and filters that no
    checkpoint gives are exact."""

    def __init__(self, c, power=2):
        super().__init__()
        self.n_fft, self.hop, self.win, self.center = c["n_fft"], c["hop_length"], c["win_length"], c["center"]
        self.power = power
        self.spectrogram = Constant("window", lambda: torch.hann_window(c["win_length"], dtype=torch.float32))
        self.mel_scale = Constant("fb", lambda: htk_triangles(c))

    def forward(self, waves):
        spectrum = torch.stft(
            waves.float(),
            n_fft=self.n_fft,
            hop_length=self.hop,
            win_length=self.win,
            window=self.spectrogram.window.float(),
            center=self.center,
            pad_mode="reflect",
            return_complex=True,
        )
        return torch.einsum("bft,fm->bmt", spectrum.abs() ** self.power, self.mel_scale.fb.float())


class Decibels(nn.Module):
    """10 log10 of the power, at most 120 dB below the loudest value of its own clip."""

    def forward(self, power):
        level = power.clamp_min(1e-10).log10() * 10.0
        floor = level.flatten(1).max(dim=1).values - 120.0
        return level.clamp_min(floor[:, None, None])


class SelfAttention(nn.Module):
    def __init__(self, dim, heads, bias):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, dim * 3, bias=bias)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x, keep):
        query, key, value = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in self.qkv(x).chunk(3, dim=-1))
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=None if keep is None else keep[:, None, None])
        return self.proj(mixed.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class EncoderBlock(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, c):
        super().__init__()
        dim = c["embed_dim"]
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = SelfAttention(dim, c["num_heads"], c["qkv_bias"])
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = FeedForward(dim, int(dim * c["mlp_ratio"]))

    def forward(self, x, keep):
        x = self.attn(self.norm1(x), keep) + x
        return self.mlp(self.norm2(x)) + x


class Patches(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.proj = nn.Conv2d(c["input_channels"], c["embed_dim"], kernel_size=tuple(c["patch_size"]), stride=tuple(c["patch_stride"]))

    def forward(self, mel):
        return self.proj(mel)


class MelFirst(nn.Module):
    """Swaps channel and mel bins: [B, 1, n_mels, frames] to [B, n_mels, 1, frames], or back."""

    def forward(self, mel):
        return mel.transpose(1, 2)


class DashengEncoder(nn.Module):
    """Waveforms [B, samples] to [B, N, D]. Long clips are cut into windows of target_length frames that do not see each other."""

    def __init__(self, c):
        super().__init__()
        dim, self.frames_per_patch, self.hop = c["embed_dim"], c["patch_stride"][1], c["hop_length"]
        self.window = c["target_length"] // self.frames_per_patch
        self.front_end = nn.Sequential(LogMel(c), Decibels())
        self.init_bn = nn.BatchNorm2d(c["n_mels"], momentum=0.01)
        self.patch_embed = Patches(c)
        self.time_pos_embed = nn.Parameter(0.02 * torch.randn(1, dim, 1, self.window))
        self.freq_pos_embed = nn.Parameter(0.02 * torch.randn(1, dim, c["n_mels"] // c["patch_stride"][0], 1))
        self.blocks = nn.ModuleList([EncoderBlock(c) for _ in range(c["depth"])])
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def normalised(self, mel):
        """[B, n_mels, frames] to [B, 1, n_mels, frames]: the batch norm's channels are the mel bins."""
        return self.init_bn(mel[:, :, None, :]).transpose(1, 2)

    def forward(self, waves, samples):
        patches = self.patch_embed(self.normalised(self.front_end(waves).to(self.time_pos_embed.dtype)))
        index = torch.arange(patches.shape[-1], device=patches.device)
        real = None if samples is None else index < torch.div(samples.reshape(-1, 1), self.hop * 4, rounding_mode="floor")
        done = []
        for begin in range(0, patches.shape[-1], self.window):
            x = patches[..., begin : begin + self.window]
            x = (x + self.time_pos_embed[..., : x.shape[-1]] + self.freq_pos_embed).flatten(2).transpose(1, 2)
            keep = None
            if real is not None:
                keep = real[:, begin : begin + self.window]
                keep = keep | keep.logical_not().all(dim=1, keepdim=True)  # nothing to attend to would give NaN
            for block in self.blocks:
                x = block(x, keep)
            done.append(self.norm(x))
        return torch.cat(done, dim=1)


class SemanticEncoder(DashengEncoder):
    """As above, with the batch norm in a sequence."""

    def __init__(self, c):
        super().__init__(c)
        self.init_bn = nn.Sequential(MelFirst(), self.init_bn, MelFirst())

    def normalised(self, mel):
        return self.init_bn(mel[:, None])


class LogMagnitude(nn.Module):
    """Waveforms [B, samples] to the acoustic branch's mel magnitudes [B, n_mels, frames] in natural logarithms."""

    def __init__(self, c):
        super().__init__()
        sizes = {"n_fft": c["n_fft_patch"], "win_length": c["n_fft_patch"], "n_mels": c["n_mels_patch"], "f_min": 0.0, "f_max": 8000.0}
        self.mel_spec = LogMel({**c, **sizes}, power=1)

    def forward(self, waves):
        return self.mel_spec(waves).clamp_min(1e-7).log()


class TokenizerEncoder(nn.Module):
    """Waveforms [B, samples] to [B, N, D]: what a sound means, from a Dasheng encoder, plus what it sounds like, from one layer."""

    def __init__(self, c):
        super().__init__()
        self.model = SemanticEncoder(c)
        self.front_end = LogMagnitude(c)
        patch = (c["n_mels_patch"], c["patch_stride"][1])
        self.patch_embed = nn.Conv2d(1, c["embed_dim"], kernel_size=patch, stride=patch)
        self.norm = nn.LayerNorm(c["embed_dim"])

    def forward(self, waves, samples):
        semantic = self.model(waves, samples)
        mel = self.front_end(waves).to(self.patch_embed.weight.dtype)
        acoustic = self.norm(self.patch_embed(mel[:, None]).flatten(2).transpose(1, 2))
        return semantic[:, : acoustic.shape[1]] + acoustic


class AudioProjector(nn.Module):
    """Folds `factor` neighbouring tokens into one decoder embedding: [B, N, D] to [B, N // factor, H]."""

    def __init__(self, dim, hidden, factor):
        super().__init__()
        self.factor = factor
        self.net = nn.Sequential(nn.Linear(dim * factor, hidden), nn.GELU(), nn.Linear(hidden, hidden))

    def forward(self, x):
        groups = x.shape[1] // self.factor
        return self.net(x[:, : groups * self.factor].reshape(x.shape[0], groups, -1))


class MiDashengLMModel(PreTrainedModel, GenerationMixin):
    config_class = MiDashengLMConfig
    supports_gradient_checkpointing = True
    _supports_sdpa = True

    def __init__(self, config):
        super().__init__(config)
        hidden = config.text_config.hidden_size
        sizes = config.audio_encoder_config
        self.audio_encoder = (TokenizerEncoder if sizes.get("model_type") == TOKENIZER else DashengEncoder)(sizes)
        self.audio_projector = AudioProjector(sizes["embed_dim"], hidden, config.subsample_factor)
        # Qwen2.5-Omni's text model is Qwen2's network; transformers has no class of it with a head.
        decoder = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config.text_config), Qwen2ForCausalLM)
        self.decoder = decoder(config.text_config)
        self.post_init()

    def _init_weights(self, module):
        """Weights come from the checkpoint, which may lack the front end's constants."""
        if isinstance(module, Constant):
            module.restore()

    def get_input_embeddings(self):
        return self.decoder.get_input_embeddings()

    def set_input_embeddings(self, value):
        self.decoder.set_input_embeddings(value)

    def get_output_embeddings(self):
        return self.decoder.lm_head

    def embed(self, input_ids, input_values, audio_length):
        """Text embeddings [B, T, H] with the audio's written over the <|AUDIO|> positions, in order."""
        text = self.get_input_embeddings()(input_ids)
        slots = input_ids == self.config.audio_token_id
        if input_values is None or not slots.any():
            return text
        audio = self.audio_projector(self.audio_encoder(input_values, audio_length))
        samples = [input_values.shape[1]] * len(input_values) if audio_length is None else audio_length.flatten().tolist()
        used = [row[: self.config.audio_tokens(int(n))] for row, n in zip(audio, samples, strict=True)]
        return text.masked_scatter(slots[..., None], torch.cat(used).to(text.dtype))

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        input_values=None,
        audio_length=None,
        labels=None,
        inputs_embeds=None,
        past_key_values=None,
        **kwargs,
    ):
        if inputs_embeds is None:
            inputs_embeds = self.embed(input_ids, input_values, audio_length)
        return self.decoder(
            inputs_embeds=inputs_embeds, attention_mask=attention_mask, labels=labels, past_key_values=past_key_values, **kwargs
        )

    @torch.no_grad()
    def generate(self, input_ids=None, input_values=None, audio_length=None, attention_mask=None, generation_config=None, **kwargs):
        """Answers alone, without their prompts: the decoder is handed embeddings, as the published remote code does, so that it sees no
        token of a prompt, nor does a repetition penalty."""
        return self.decoder.generate(
            inputs_embeds=self.embed(input_ids, input_values, audio_length),
            attention_mask=attention_mask,
            generation_config=generation_config or self.generation_config,
            **kwargs,
        )

"""Writes a random MiDashengLM checkpoint in Hugging Face's format, small enough for a laptop.

The real transformers, peft and Python mdl-toolkit load it (remote code goes with it), and so does the native mdl-toolkit.
The tokenizer is Qwen's own byte-level BPE from the PyPI package dashscope, cut to its first 2,000 tokens unless --full-vocab.
"""

import argparse
import base64
import importlib.util
import itertools
import json
import shutil
import sys
from pathlib import Path

# What a decoder's text_config holds besides the sizes, by its model_type. tests/peer/model/test_worker_model.py runs with each of them.
DECODERS = {
    "qwen2": lambda args: {},
    # As in Qwen3-0.6B, heads are wider than hidden / heads.
    "qwen3": lambda args: {"tie_word_embeddings": True, "head_dim": 2 * args.hidden // args.heads},
}
# What audio_encoder_config holds besides the sizes: the encoder of the 7B, and that of the 0.6B with its acoustic branch.
ENCODERS = {"dasheng": {}, "tokenizer": {"model_type": "midashenglm_dasheng_tokenizer", "n_mels_patch": 100}}
REMOTE_CODE = Path(__file__).resolve().parent / "midashenglm"
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"]
SMALL_VOCABULARY = 2000
# How Qwen2 cuts a text into words before BPE.
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = """\
{%- for message in messages -%}
{{ '<|im_start|>' + message['role'] + '\\n' }}
{%- if message['content'] is string -%}
{{ message['content'] }}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'audio' -%}
{{ '<|audio_bos|><|AUDIO|><|audio_eos|>' }}
{%- elif part['type'] == 'text' -%}
{{ part['text'] }}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{ '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '<|im_start|>assistant\\n' }}
{%- endif -%}
"""


def qwen_ranks(limit):
    """{token bytes: rank} of the real vocabulary, up to `limit` ranks (None: all)."""
    package = importlib.util.find_spec("dashscope")
    lines = (Path(package.origin).parent / "resources" / "qwen.tiktoken").read_text().split("\n")
    pairs = (line.split() for line in lines if line)
    return {base64.b64decode(token): int(rank) for token, rank in pairs if limit is None or int(rank) < limit}


def merge_of(token, ranks):
    """The two parts whose merge makes `token`, or None: BPE run on its bytes with the merges ranked before it."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        candidates = [(ranks.get(a + b, ranks[token]), i) for i, (a, b) in enumerate(itertools.pairwise(parts))]
        rank, i = min(candidates)
        if rank >= ranks[token]:
            return None
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return tuple(parts) if len(parts) == 2 else None


def write_tokenizer(folder, full):
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    ranks = qwen_ranks(None if full else SMALL_VOCABULARY)
    alphabet = bytes_to_unicode()

    def printable(token):
        return "".join(alphabet[byte] for byte in token)

    in_order = sorted(ranks, key=ranks.get)
    merges = [pair for pair in (merge_of(token, ranks) for token in in_order) if pair]
    tokenizer = Tokenizer(
        models.BPE(vocab={printable(t): ranks[t] for t in in_order}, merges=[(printable(a), printable(b)) for a, b in merges])
    )
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(WORDS), behavior="isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL_TOKENS])
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "Qwen2Tokenizer",
            "pad_token": "<|endoftext|>",
            "eos_token": "<|im_end|>",
            "bos_token": None,
            "unk_token": None,
            "padding_side": "left",
            "clean_up_tokenization_spaces": False,
            "model_max_length": 32768,
            "chat_template": CHAT_TEMPLATE,
        },
    )
    return tokenizer


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_remote_code(folder):
    for source in sorted(REMOTE_CODE.glob("*.py")):
        shutil.copy(source, folder)


def write_preprocessor(folder):
    write_json(
        folder / "preprocessor_config.json",
        {
            "feature_extractor_type": "Wav2Vec2FeatureExtractor",
            "feature_size": 1,
            "sampling_rate": 16000,
            "padding_value": 0.0,
            "do_normalize": False,
            "return_attention_mask": True,
            "processor_class": "MiDashengLMProcessor",
            "auto_map": {"AutoProcessor": "processing_midashenglm.MiDashengLMProcessor"},
        },
    )


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    for name, value in {
        "hidden": 64,
        "layers": 2,
        "intermediate": 160,
        "heads": 4,
        "kv-heads": 2,
        "embed-dim": 48,
        "depth": 2,
        "encoder-heads": 4,
        "target-length": 1008,
        "seed": 0,
    }.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--decoder", choices=DECODERS, default="qwen2")
    parser.add_argument("--encoder", choices=ENCODERS, default="dasheng")
    parser.add_argument("--full-vocab", action="store_true")
    return parser.parse_args()


def randomise(model, encoder, torch):
    """Scales that keep activations near one through the layers, and batch-norm statistics like those of real decibels."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                fan_in = parameter[0].numel()
                parameter.normal_(std=0.5 / fan_in**0.5)
        norm = next(module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d))
        norm.running_mean.normal_(mean=-30.0, std=3.0)
        norm.running_var.uniform_(200.0, 400.0)
        if encoder == "dasheng":  # as the checkpoints hold them that have them
            for constant in model.audio_encoder.front_end.buffers():
                constant.copy_(constant.to(torch.bfloat16))


def main():
    args = options()
    import torch

    sys.path.insert(0, str(REMOTE_CODE))
    from modeling_midashenglm import MiDashengLMConfig, MiDashengLMModel

    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer = write_tokenizer(args.out, args.full_vocab)
    text = {
        "model_type": args.decoder,
        "hidden_size": args.hidden,
        "num_hidden_layers": args.layers,
        "intermediate_size": args.intermediate,
        "num_attention_heads": args.heads,
        "num_key_value_heads": args.kv_heads,
        "vocab_size": (tokenizer.get_vocab_size() + 63) // 64 * 64,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
        "max_position_embeddings": 32768,
        "tie_word_embeddings": False,
        **DECODERS[args.decoder](args),
    }
    torch.manual_seed(args.seed)
    encoder = {
        **ENCODERS[args.encoder],
        "embed_dim": args.embed_dim,
        "depth": args.depth,
        "num_heads": args.encoder_heads,
        "target_length": args.target_length,
    }
    model = MiDashengLMModel(
        MiDashengLMConfig(
            audio_encoder_config=encoder,
            text_config=text,
            audio_token_id=tokenizer.token_to_id("<|AUDIO|>"),
            pad_token_id=tokenizer.token_to_id("<|endoftext|>"),
            eos_token_id=tokenizer.token_to_id("<|im_end|>"),
        )
    )
    randomise(model, args.encoder, torch)
    model.save_pretrained(args.out)

    write_remote_code(args.out)
    config = json.loads((args.out / "config.json").read_text())
    config["architectures"] = ["MiDashengLMModel"]
    config["auto_map"] = {
        "AutoConfig": "modeling_midashenglm.MiDashengLMConfig",
        "AutoModelForCausalLM": "modeling_midashenglm.MiDashengLMModel",
    }
    if args.encoder == "tokenizer":
        config["audio_encoder_config"] = encoder  # no more than the published one may say
    write_json(args.out / "config.json", config)
    write_preprocessor(args.out)
    print(f"{args.out}: {sum(p.numel() for p in model.parameters()):,} parameters, vocabulary {text['vocab_size']:,}")


if __name__ == "__main__":
    main()

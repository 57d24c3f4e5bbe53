"""Seeds for the parsers of the worker."""

import io
import json
import struct

from seed_files import write


def safetensors_header():
    import torch
    from safetensors.torch import save

    tensors = {"model.a": torch.zeros(2, 3), "b": torch.zeros(4, dtype=torch.bfloat16), "c": torch.zeros(1, dtype=torch.bool)}
    write("safetensors_header", "three", save(tensors, {"format": "pt", "step": "3"}))
    write("safetensors_header", "empty", save({}))
    write("safetensors_header", "scalar", save({"s": torch.tensor(1.5, dtype=torch.float64)}))
    write(
        "safetensors_index",
        "two",
        json.dumps(
            {
                "metadata": {"total_size": 28},
                "weight_map": {"model.a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"},
            }
        ),
    )
    write("safetensors_index", "outside", json.dumps({"weight_map": {"a": "../secrets.safetensors"}}))


def huggingface_listing():
    commit, sha256 = "c" * 40, "5" * 64
    small = {"type": "file", "oid": "1" * 40, "size": 2, "path": "config.json"}
    large = {"type": "file", "oid": "2" * 40, "size": 134, "path": "sub/model.safetensors"}
    large["lfs"] = {"oid": sha256, "size": 9, "pointerSize": 134}
    folder = {"type": "directory", "oid": "3" * 40, "size": 0, "path": "sub"}
    write("huggingface_listing", "commit", json.dumps({"id": "o/n", "sha": commit, "siblings": [{"rfilename": "config.json"}]}))
    write("huggingface_listing", "page", json.dumps([folder, small, large]))
    write("huggingface_listing", "outside", json.dumps([{**small, "path": "../x"}, {**small, "path": "/etc/passwd"}]))
    write("huggingface_listing", "hash", json.dumps([{**small, "oid": "../../x"}]))
    write("huggingface_listing", "folder", json.dumps([small, {**small, "path": "config.json/x"}]))
    write("huggingface_listing", "link", f'<https://h/api/models/o/n/tree/{commit}?cursor=4>; rel="next"')


def tokenizer_json():
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}|[^\s\p{N}]+|\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        ["the three"] * 9,
        trainers.BpeTrainer(
            vocab_size=262, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<|im_end|>"], show_progress=False
        ),
    )
    write("tokenizer_json", "small", tokenizer.to_str())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    write("tokenizer_json", "gpt2", tokenizer.to_str())


def dataset_folder():
    import pyarrow as pa

    def stream(types, **options):
        columns = {
            "input_ids": [[1, 2], [3]],
            "attention_mask": [[1, 1], [1]],
            "labels": [[-100, 2], [3]],
            "input_values": [[0.5, -0.5, 0.25], [1.0]],
            "audio_length": [3, 1],
        }
        arrays = [pa.array(columns[name], type) for name, type in types.items()]
        table = pa.record_batch(arrays, list(types))
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
            writer.write_batch(table)
        return sink.getvalue()

    plain = {
        "input_ids": pa.list_(pa.int32()),
        "attention_mask": pa.list_(pa.int8()),
        "labels": pa.list_(pa.int64()),
        "input_values": pa.list_(pa.float32()),
        "audio_length": pa.int64(),
    }
    write("dataset_folder", "plain", b"\0" + stream(plain))
    write(
        "dataset_folder",
        "large",
        b"\0" + stream(plain | {"input_ids": pa.large_list(pa.int64()), "input_values": pa.large_list(pa.float64())}),
    )
    write("dataset_folder", "compressed", b"\0" + stream(plain, compression="zstd"))
    other = {
        "input_ids": pa.large_list(pa.uint32()),
        "attention_mask": pa.list_(pa.uint8()),
        "input_values": pa.list_(pa.float16()),
        "audio_length": pa.uint16(),
    }
    write("dataset_folder", "other-types", b"\0" + stream(plain | other))
    write(
        "dataset_folder", "state", b"\1" + json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": None}).encode()
    )


def json_row():
    write("json_row", "columns", '{"audio":"a.wav","prediction":"x","user_prompt":"q"}')
    part = '{"type":"audio","path":"a"}'
    write(
        "json_row",
        "messages",
        '{"messages":[{"role":"system","content":"S"},{"role":"user","content":[{"type":"text","text":"Q"},PART]},'
        '{"role":"assistant","content":"A"},{"role":"user","content":"B"},{"role":"assistant","content":"C"}]}'.replace("PART", part),
    )
    write("json_row", "tag", '{"messages":[{"role":"user","content":"x<audio>y"}],"audios":["a.wav"]}')
    write("json_row", "two_sounds", '{"messages":[{"role":"user","content":[PART,PART]}]}'.replace("PART", part))
    write("json_row", "nested", '{"messages":[[[[[[]]]]]],"audio":null}')


def csv():
    write("csv", "plain", "audio,prompt,target\na.wav,\u4f60\u597d,x\nb.wav,,y\n")
    write("csv", "quoted", '\ufeff"a","b ""c"""\r\n"1,2","line\nbreak"\r\n\r\n3')


def config_file():
    write(
        "config_file",
        "run",
        "# a run\nlearning_rate: 2e-4\nmerge-lora: no\ntrain_target: [encoder, decoder]\nlr-scheduler-kwargs: {min_lr: 1e-5}\n",
    )
    write(
        "config_file", "json", json.dumps({"lr": 1e-3, "merge_lora": False, "train-target": ["decoder"], "user-prompt": "grün \U0001f600"})
    )
    write("config_file", "bomb", "a: &a [x, x]\nb: &b [*a, *a]\ntrain-target: [*b, *b]\ninput: clips.csv\n")


def trainer_log():
    entries = [
        {"loss": 7.7, "grad_norm": float("nan"), "step": 1},
        {"eval_loss": 6.5, "eval_<b>": 1e300, "step": 2},
        {"loss": 1, "step": 1},
    ]
    write("trainer_log", "state", json.dumps({"log_history": entries, "max_steps": 9, "best_metric": 6.5, "best_global_step": 2}))
    write("trainer_log", "lines", "".join(json.dumps(entry) + "\n" for entry in entries))
    begin = {"kind": "resumed", "step": 1, "ranks": 2, "time": 1795000000, "seconds": 1.5}
    write(
        "trainer_log",
        "sidecar",
        json.dumps({"begins": [begin], "columns": [], "records": [[1, 8, 0.25, 1 << 30, 0], [2, 8, 0.5, 1 << 30, 9]]}),
    )


def audio():
    import numpy
    import soundfile

    def encoded(data, rate, format, subtype):
        out = io.BytesIO()
        soundfile.write(out, data, rate, format=format, subtype=subtype)
        return bytearray(out.getvalue())

    def patched(data, at, field):
        return data[:at] + field + data[at + len(field) :]

    sound = (numpy.sin(numpy.arange(800) / 9) / 2).astype("float32")
    for name, format, subtype, data in [
        ("wav16", "WAV", "PCM_16", sound),
        ("wav-float", "WAV", "FLOAT", sound[:200]),
        ("flac", "FLAC", "PCM_16", sound),
        ("stereo", "WAV", "PCM_24", numpy.stack([sound[:100], -sound[:100]], 1)),
        ("ogg", "OGG", "VORBIS", sound),
        ("aiff", "AIFF", "PCM_16", sound[:100]),
        ("opus", "OGG", "OPUS", sound),
        ("mp3", "MP3", "MPEG_LAYER_III", sound),
    ]:
        write("audio", name, encoded(data, 8000, format, subtype))
    # Lengths that are unknown, as of a file written to a pipe, or impossible. FLAC: 36 bits after 20 of the rate.
    flac = encoded(sound, 8000, "FLAC", "PCM_16")
    write("audio", "flac-unknown-length", patched(flac, 21, bytes([flac[21] & 0xF0, 0, 0, 0, 0])))
    write("audio", "flac-impossible-length", patched(flac, 21, bytes([flac[21] | 0x0F, 255, 255, 255, 255])))
    write("audio", "flac-silence", encoded(numpy.zeros(8_000_000, "float32"), 8000, "FLAC", "PCM_16"))
    wav = encoded(sound[:100], 8000, "WAV", "PCM_16")
    for name, length in [("wav-unknown-length", 0xFFFFFFFF), ("wav-no-length", 0)]:
        write("audio", name, patched(patched(wav, 4, struct.pack("<I", length)), wav.index(b"data") + 4, struct.pack("<I", length)))
    for name, rate in [("wav-one-hertz", 1), ("wav-four-gigahertz", 0xFFFFFFFF), ("wav-two-gigahertz", 0x7FFFFFFF)]:
        write("audio", name, patched(wav, 24, struct.pack("<I", rate)))
    write("audio", "wav-too-long", patched(encoded(numpy.zeros(20_000, "float32"), 8000, "WAV", "PCM_U8"), 24, struct.pack("<I", 1)))
    mp3 = encoded(sound, 8000, "MP3", "MPEG_LAYER_III")
    frames = next(at for at in (mp3.find(b"Xing"), mp3.find(b"Info")) if at > 0) + 8
    write("audio", "mp3-impossible-length", patched(mp3, frames, b"\x7f\xff\xff\xff"))
    write("audio", "ogg-impossible-length", ogg_that_ends_at(encoded(sound, 8000, "OGG", "VORBIS"), 1 << 60))
    write("audio", "opus-impossible-length", ogg_that_ends_at(encoded(sound, 8000, "OGG", "OPUS"), 1 << 60))


def ogg_that_ends_at(data, position):
    """An Ogg file whose last page says that it comes up to a position, with the right checksum."""
    last = data.rfind(b"OggS")
    page = data[last:]
    page[6:14] = struct.pack("<q", position)
    page[22:26] = bytes(4)
    sum = 0
    for byte in page:
        sum ^= byte << 24
        for _ in range(8):
            sum = (sum << 1 ^ (0x04C11DB7 if sum >> 31 else 0)) & 0xFFFFFFFF
    page[22:26] = struct.pack("<I", sum)
    return data[:last] + page


MAKERS = [config_file, trainer_log, safetensors_header, huggingface_listing, tokenizer_json, dataset_folder, csv, json_row, audio]

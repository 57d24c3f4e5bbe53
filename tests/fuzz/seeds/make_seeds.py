"""Writes the seeds of corpus/: small inputs from the real programs (torch, accelerate, tokenizers, pyarrow, soundfile …).

    build/venv/bin/python tests/fuzz/seeds/make_seeds.py

Files named seed-* are this script's; the others are inputs that fuzzing found, and stay.
"""

import io
import json
import pickle
import socket
import struct
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from recorder import Recorder

HERE = Path(__file__).resolve().parents[1]  # tests/fuzz
REPOSITORY = HERE.parents[1]


def write(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data.encode() if isinstance(data, str) else data)


def packets(client, data):
    """As store_protocol_fuzz.cpp reads them: [client][length] bytes."""
    return b"".join(bytes([client, len(part)]) + part for part in (data[i : i + 255] for i in range(0, len(data), 255)))


def store_protocol():
    from torch.distributed import TCPStore

    server = TCPStore("127.0.0.1", 0, None, True, wait_for_workers=False)

    def session(client, actions):
        recorder = Recorder(server.port)
        store = TCPStore("127.0.0.1", recorder.port, None, False, timeout=timedelta(seconds=5))
        introduction = len(recorder.bytes)
        actions(store)
        store.num_keys()  # its answer says that all before it has arrived
        return packets(client, recorder.bytes if client == 3 else recorder.bytes[introduction:])

    def values(store):
        store.set("a", "1")
        store.get("a")
        store.add("n", 3)
        store.compare_set("a", "1", "2")
        store.append("a", "tail")
        store.delete_key("n")
        store.check(["a", "b"])
        store.wait(["a"], timedelta(seconds=1))

    def lists(store):
        store.multi_set(["x", "y", "z"], ["1", "2", "3"])
        store.multi_get(["x", "y"])
        store.list_keys()
        store.queue_push("q", "first")
        store.queue_len("q")
        store.queue_pop("q")

    def waiting(store):
        try:
            store.wait(["never"], timedelta(milliseconds=10))
        except Exception:  # the timeout sends CANCEL_WAIT
            pass

    write("store_protocol", "values", session(0, values))
    write("store_protocol", "lists", session(1, lists))
    write("store_protocol", "waiting", session(2, waiting) + session(0, lambda store: store.set("never", "now")))
    write("store_protocol", "introduction", session(3, values))
    write("store_protocol", "barrier", packets(0, b"\x12" + struct.pack("<Q", 1) + b"b" + struct.pack("<q", 2)) * 2)


def rendezvous_pickle():
    from torch.distributed.elastic.rendezvous.dynamic_rendezvous import _NodeDesc, _RendezvousState

    state = _RendezvousState()
    write("rendezvous_pickle", "new", pickle.dumps(state))
    one, two = _NodeDesc("node0", 100, 0), _NodeDesc("10.0.0.2", 2**40, 1)
    state.round, state.complete = 3, True
    state.deadline = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    state.participants = {one: 0, two: 1}
    state.last_heartbeats = {one: state.deadline, two: state.deadline}
    state.wait_list = {_NodeDesc("late", 7, 0)}
    write("rendezvous_pickle", "two-nodes", pickle.dumps(state))
    for protocol in (2, 3, 5):
        write("rendezvous_pickle", f"protocol-{protocol}", pickle.dumps(state, protocol))
    write("rendezvous_pickle", "stranger", pickle.dumps({"a": [1, 2.5, None, b"x" * 300], "b": {(1, 2), frozenset([3])}, "c": print}))


def error_file():
    from torch.distributed.elastic.multiprocessing.errors import ErrorHandler

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "error.json"
        try:
            raise ValueError("row 7: \u4f60\u597d")
        except ValueError as error:
            handler = ErrorHandler()
            handler._get_error_file_path = lambda: str(path)
            handler.record_exception(error)
        write("error_file", "torch", path.read_bytes())
    write("error_file", "plain", json.dumps({"message": "killed", "timestamp": 1700000000}))
    write("error_file", "text-time", json.dumps({"message": {"message": "m", "extraInfo": {"timestamp": "17"}}}))


def timer_request():
    from torch.distributed.elastic import timer

    requests = []
    client = timer.FileTimerClient("unused")
    client._send_request = lambda request: requests.append(request.to_json())
    timer.configure(client)
    for after, scope in ((60, "step"), (0.5, "\u4f60\u597d"), (float("inf"), None), (1e300, "x")):
        with timer.expires(after=after, scope=scope):
            pass
    write("timer_request", "torch", "~" + "".join(line + "\n" for line in requests))
    odd = [
        {"pid": 0},
        {"pid": -1},
        {"pid": 2**70},
        {"pid": 1.5},
        {"signal": 100},
        {"signal": -9},
        {"signal": None},
        {"scope_id": 7},
        {"expiration_time": -1},
        {"expiration_time": -1e400},
        {"expiration_time": float("nan")},
        {"expiration_time": "Infinity"},
        {},
    ]
    good = {"version": 1, "pid": 42, "scope_id": "a", "expiration_time": 1.7e9, "signal": 9}
    write("timer_request", "odd", "\x01" + "".join(json.dumps({**good, **each}) + "\n" for each in odd) + "[" * 4000 + "\nnull\n\n{}\n")
    write("timer_request", "long", "\x10" + "x" * 4096 + "\n" + "x" * 9000 + "\n" + json.dumps(good) + "\n" + "y" * 5000)


def progress_message():
    whole = {"step": 3, "total": 9, "loss": 2.5, "samples": 24, "own": 1.5, "waiting": 0.5, "section": "evaluation", "section_seconds": 60}
    odd = [
        {"step": -1},
        {"step": 2**63},
        {"step": 1.5},
        {"loss": float("nan"), "own": float("inf")},
        {"loss": float("-inf"), "section": 'a "NaN\\\\'},
        {"section": None},
        {"section": "\x1b[2J" + "\u4f60\u597d" * 60},
        {"section_seconds": 1e300},
        {},
    ]
    messages = [json.dumps({**whole, "step": step}) for step in range(3)] + [json.dumps({**whole, **each}) for each in odd]
    write("progress_message", "python", "~" + "\n".join(messages))
    write("progress_message", "flood", "\x01" + "\n".join(json.dumps({"step": step}) for step in range(150)))
    write("progress_message", "wrong", "\x40" + "\n".join(["", "[" * 1024, "null", "[1]", "{", " " * 1025, "{}"]))
    rank = [3, 9, 2.5, 24, 16.5, 2, 0.5, 0.125, 0.1, 0.1, 5, 1, "evaluation", 60, 1.5]
    write("progress_message", "node", "~" + json.dumps([1, 0, 1, 1764420000123, "node1", 8, [rank, [], ["x", -1, "NaN"]]]))
    write("progress_message", "event", "~" + json.dumps([1, 7, 1764420000123, "node1", "restart", "rank 3 failed\x1b[2J"]))


def http_request():
    """As clients send them, and what none of them does."""

    def sent(command):
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"127.0.0.1:{server.getsockname()[1]}"
            client = subprocess.Popen([part.format(address) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            connection, _ = server.accept()
            text = connection.recv(65536)
            connection.close()
            client.kill()
            client.wait()
        return text

    urlopen = "import urllib.request; urllib.request.urlopen('http://{}/metrics?a=%41')"
    requests = {"curl": sent(["curl", "http://{}/metrics"]), "python": sent([sys.executable, "-c", urlopen])}
    with tempfile.TemporaryDirectory() as folder:
        config = "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: a, static_configs: [{{targets: ['{}']}}]}}]"
        script = f'echo "$1" > {folder}/c && exec prometheus --config.file={folder}/c --storage.tsdb.path={folder}/d --web.listen-address=127.0.0.1:0'
        requests["prometheus"] = sent(["sh", "-c", script.replace("{", "{{").replace("}", "}}"), "sh", config])
    for name, text in requests.items():
        write("http_request", name, b"\x10" + text)
    get = "GET /metrics HTTP/1.1\r\n"
    odd = [
        "Host: evil.example\r\n\r\n",
        "Host: [fe80::7%25eth0]:9400\r\nConnection: close\r\n\r\n",
        "Host: a\r\nHost: b\r\n\r\n",
        "Host: a\r\nContent-Length: 5\r\n\r\nhello",
        "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Host: a\r\n folded\r\n\r\n",
        "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "Host: a\r\nX: " + "x" * 9000 + "\r\n\r\n",
        "X" * 200 + ": y\r\n" * 300,
    ]
    for number, headers in enumerate(odd):
        write("http_request", f"odd-{number}", "\x00" + get + headers)
    together = (get + "Host: localhost\r\n\r\n").encode()
    write("http_request", "together", b"\xff" + together * 3 + b"HEAD http://a/ HTTP/1.0\r\n\r\n")
    write("http_request", "tls", b"\xff\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")


def flight_record():
    import torch
    import torch.distributed as dist
    from torch._C._distributed_c10d import _dump_fr_trace, _dump_fr_trace_json

    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    tensor = torch.ones(2, 3)
    dist.all_reduce(tensor)
    dist.all_gather([tensor], tensor, group=dist.new_group([0]))
    dist.barrier()
    write("flight_record", "pickle", _dump_fr_trace(includeCollectives=True, includeStackTraces=True, onlyActive=False))
    write("flight_record", "json", _dump_fr_trace_json(includeCollectives=True, onlyActive=True))
    dist.destroy_process_group()
    entry = {"process_group": ["0", "default_pg"], "profiling_name": "nccl:all_reduce", "collective_seq_id": 3, "state": "started"}
    odd = [
        {"collective_seq_id": -1},
        {"collective_seq_id": 2**63},
        {"process_group": ["\x1b[2J", 7]},
        {"profiling_name": "nccl:recv 1<-0", "is_p2p": True, "p2p_seq_id": 2},
        {"input_sizes": [[1000]] * 40 + [7, [-1, "x"]], "input_dtypes": ["Float", "Int", 3]},
        {"profiling_name": "x" * 300, "time_created_ns": 2**64},
        {"retired": True, "state": "completed"},
    ]
    entries = [entry, *({**entry, **each} for each in odd), 7, None, []]
    configs = {"0": {"name": "0", "desc": "undefined", "ranks": "[0, 1, 2]"}, "1": {"name": "1", "ranks": [3, "x"]}, "2": 7}
    dump = {"version": "2.10", "pg_config": configs, "pg_status": {}, "entries": entries}
    write("flight_record", "odd", json.dumps(dump))
    small = [each for each in entries if not isinstance(each, dict) or all(value not in (2**63, 2**64) for value in each.values())]
    write("flight_record", "odd-pickle", pickle.dumps({**dump, "entries": small}, 2))
    circle = []
    circle.append(circle)
    write("flight_record", "circle", pickle.dumps({**dump, "entries": [{**entry, "process_group": circle}, circle] * 3}, 2))
    kept = [[3, "all_reduce", 0, "[[4]]", None, "Float", 1764420000123], [2, "send 0->1", 6, "[]", "[[1]]", "", 0]]
    group = ["gloo", "0", "default_pg", "0-2,8-24/8", 3, None, 2, kept]
    write("flight_record", "told", json.dumps([1, "2.10", [group, ["nccl", "1", "", "", None, None, None, []]]]))


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


def accelerate_yaml():
    for path in sorted((REPOSITORY / "tests/fixtures/accelerate").glob("*.yaml")):
        write("accelerate_yaml", path.stem, path.read_bytes())
    write("accelerate_yaml", "cpu", "distributed_type: 'NO'\nuse_cpu: true\nmixed_precision: bf16\nmachine_rank: auto\n")
    write(
        "accelerate_yaml",
        "dynamo",
        "distributed_type: MULTI_GPU\nnum_processes: 0x2\ngpu_ids: 0,1\ndynamo_config:\n  dynamo_backend: INDUCTOR\n"
        "  dynamo_mode: max-autotune\n  dynamo_use_dynamic: on\n",
    )
    write("accelerate_yaml", "json", '{"distributed_type": "MULTI_GPU", "num_processes": 4, "debug": true, "main_process_port": 29501}')
    write("accelerate_yaml", "other-yaml", "a: &x [1, 2.5e+3, ~, .inf]\nb: *x\n? [k]\n: !!str v\n--- |\n text\n")


def command_line():
    write("command_line", "standalone", "--standalone\n--nproc-per-node\ngpu\n--no-python\nmdl-toolkit\ntrain\n--output\nout")
    write(
        "command_line",
        "nodes",
        "PET_NNODES=2:4\nPET_RDZV_ID=job\n--rdzv-backend\nc10d\n--rdzv-endpoint=[fd00::1]:29400\n--rdzv_conf\n"
        "join_timeout=600,is_host=1\n--max-restarts\n3\nscript.py",
    )
    write("command_line", "static", "--nnodes\n2\n--node-rank\n1\n--master-addr\n10.0.0.1\n--master-port\n29500\n-m\nmodule")
    write(
        "command_line",
        "logs",
        "--tee\n0:1,1:2\n-r\n3\n--log-dir\n/tmp/x\n--local-ranks-filter\n0,1\n--log-line-prefix-template\n[${rank}]:\nprog",
    )
    write(
        "command_line",
        "accelerate",
        "--config_file\nconf.yaml\n--num_processes=8\n--mixed-precision\nbf16\n--machine-rank\nauto\n"
        "--gpu_ids\n0,1\n--dynamo_backend\ninductor\n--no-python\nprog\n--x",
    )
    write("command_line", "doctor", "--json\n--wait\n5\n--nnodes\n2\nprog")


def doctor_message():
    mdl_launch = next(
        (path for path in [REPOSITORY / f"build/{preset}/bin/mdl-launch" for preset in ("release", "dev")] if path.exists()), None
    )
    if mdl_launch is None:
        sys.exit("make_seeds.py: build mdl-launch first (preset release or dev)")
    done = subprocess.run(
        [
            mdl_launch,
            "doctor",
            "--json",
            "--nnodes",
            "2",
            "--wait",
            "0",
            "--rdzv-backend",
            "c10d",
            "--rdzv-endpoint",
            "127.0.0.1:29999",
            "--no-python",
            "/bin/true",
            "--output",
            "/tmp/x",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    (facts,) = json.loads(done.stdout)["nodes"]
    write("doctor_message", "node", json.dumps(facts))
    facts.update(
        gpus=8, gpu_names=["NVIDIA H100"] * 8, unreachable=["b (10.0.0.2:4000): \x1b[31mno"], clock_ahead_s=-1e300, host="\u200fx\x07"
    )
    write("doctor_message", "odd", json.dumps(facts))
    rank = {"mdl_toolkit_health": 1, "rank": 0, "local_rank": 0, "device": "cuda", "name": "\x1b[31mGPU", "type": "bfloat16"}
    rank |= {"matrix_product": {"flop_per_s": 2**53}, "memory_copy": {"bytes_per_s": 0}, "memory": {"free_bytes": 1}}
    rank |= {"all_reduce": {"bytes_per_s": 7, "latency_ns": 2**53}, "disk": {"not_measured": "\x1b[31mfull\n"}}
    rank |= {"gpu_errors": {"ecc_uncorrected": 1, "pending_rows": 1, "xid_errors": 2, "last_xid": 79}}
    slow = rank | {"rank": 1, "local_rank": 1048576, "matrix_product": {"flop_per_s": 1}, "memory": {"free_bytes": -1}}
    facts.update(deep_ranks=2, health={"problem": "\x1b[31mone is missing", "advice": "\u202e", "ranks": [rank, slow]})
    write("doctor_message", "deep", json.dumps(facts))


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


if __name__ == "__main__":
    makers = [
        store_protocol,
        rendezvous_pickle,
        error_file,
        timer_request,
        progress_message,
        http_request,
        flight_record,
        config_file,
        trainer_log,
        accelerate_yaml,
        command_line,
        doctor_message,
        safetensors_header,
        huggingface_listing,
        tokenizer_json,
        dataset_folder,
        csv,
        json_row,
        audio,
    ]
    for maker in [maker for maker in makers if len(sys.argv) == 1 or maker.__name__ in sys.argv[1:]]:
        maker()
        print(maker.__name__, "done")

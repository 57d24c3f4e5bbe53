"""Seeds for the parsers of the rendezvous and the launcher."""

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
from seed_files import REPOSITORY, write


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
    columns = [[3, 0, -3], 9, [2.5, "NaN"], 24, 16.5, 2, 0.5, 0.125, 0.1, 0.1, 5, 1, 0.5, [3], 4711, 1e-4, [None, "Infinity"]]
    write("progress_message", "node", "~" + json.dumps([2, 0, 1, 1764420000123, "node1", 8, 3, columns]))
    write("progress_message", "event", "~" + json.dumps([1, 7, 1764420000123, "node1", "restart", "rank 3 failed\x1b[2J"]))
    gpu = "84 \u00b0C, 1200 of 1980 MHz, slowed down by heat (the hardware), Xid 79"
    slow = [4, 9, 2.5, 24, 16.5, 2, [0.9, 0.1], 0, 0.1, 0.1, 5, 1, [0.9, 0.1], 4, [7, 1], 1e-4, "Infinity", 2.5, 4, gpu]
    slow += ["x" * 70, 60, 1.5, [1.5], [5], [2], [None, 1]]
    shown = [json.dumps([2, 0, 1, 1764420000123, "node1", 2, 2, slow]), json.dumps([1, 7, 1764420000123, "node1", "hang", "x"])]
    write("progress_message", "shown", "~" + "\n".join(shown))


def node_answer():
    def told(node, columns):
        return json.dumps([2, 1, node, 1764420000123, f"node{node}", 2 * node, 2, columns])

    def shown(node, ranks, **other):
        fields = {"version": 1, "request": 7, "node": node, "host": f"node{node}", "first": 2 * node, "seconds": 1.01, "ranks": ranks}
        return json.dumps(fields | other)

    process = {"pid": 4711, "name": "python", "state": "S", "cpu": 0.02, "in": "futex_wait_queue", "threads": 48}
    rank = {"cpu": 0.04, "count": 12, "processes": [process], "store": ["127.0.0.1:7"]}
    stopped = rank | {
        "processes": [process | {"state": "T"}, process],
        "traceback": ["Thread 0x1 (most recent call first):", "  File x.py"],
    }
    ended = rank | {"end": "exit code 1", "processes": []}
    group = ["gloo", "0", "default_pg", "0-2", 3, None, 2, [[3, "all_reduce", 0, "[[4]]", None, "Float", 1764420000123]]]
    recorded = rank | {"record": json.dumps([1, "2.10", [group]])}
    step = [3, 9, 2.5, 24, 16.5, 2, 0.5, 0.125, 60.1, 80.1, 5]
    section = [*step, 1, *[[]] * 8, [None, "evaluation"], [None, 60], [None, 80]]
    nodes = [told(0, step), told(1, [[4, -1], *section[1:]])]
    write("node_answer", "stopped", "\n".join([*nodes, shown(0, [rank, rank]), shown(1, [stopped, rank])]))
    write("node_answer", "ended", "\n".join([nodes[0], shown(0, [rank, ended]), shown(1, [ended | {"store": []}])]))
    write("node_answer", "records", "\n".join([nodes[0], shown(0, [recorded, recorded]), shown(1, [rank])]))
    odd = [
        {"end": "\x1b[2J\u202e", "cpu": 1e300, "count": 2**64 - 1},
        {"processes": [7, {}, {"pid": -1, "name": "x" * 100, "state": "\u4f60", "cpu": "y", "in": 7}] * 3},
        {"store": ["x" * 100, 7] * 5, "record": "[[", "traceback": ["\x07" + "z" * 200] * 30},
        {"cpu": 0.9, "processes": [process | {"state": "D"}], "later": [[]]},
    ]
    write("node_answer", "odd", shown(2**53, odd, seconds=-1, first=2**63) + "\n" + shown(1, [{}] * 3, host="\u200fh"))
    lines = ["Traceback (most recent call last):", "\x1b[31mRuntimeError\x1b[0m", "\u4f60\u597d" * 300]
    asked = [[1, "0f" * 8, 3, 1], [1, 3, lines], [1, 7, 1], [1, "0F", -1, 2**62], [1, 2**60, lines * 20], [2, "0f", 3, 1]]
    write("node_answer", "asked", "\n".join(json.dumps(each) for each in asked))


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
    order = {"type": "measure", "first_rank": 2, "world_size": 4, "node": 1, "nodes": 2, "port": 29400, "seconds": 15}
    odd = [{"port": 0}, {"port": 65536}, {"first_rank": -1}, {"world_size": 2**31 - 1}, {"node": 2}, {"seconds": -(2**31)}, {"nodes": None}]
    write("doctor_message", "orders", "\n".join(json.dumps(order | each) for each in [{}, *odd]))
    answer = json.dumps({"health": {"ranks": [rank | {"matrix_product": {"flop_per_s": 1000}}, slow]}})
    facts = {"host": "node1", "deep_ranks": 2, "gpus": 2}
    write("doctor_message", "measured", "\n".join([json.dumps(facts), answer, answer.replace("1000", "1000000")]))
    write("doctor_message", "health", printed_health())


def printed_health():
    """The line of a CPU."""
    build = next(
        (path for path in [REPOSITORY / f"build/{preset}" for preset in ("release", "dev")] if (path / "bin/mdl-toolkit").exists()), None
    )
    if build is None:
        sys.exit("make_seeds.py: build mdl-toolkit first (preset release or dev)")
    command = [build / "bin/mdl-toolkit", "health", "--device", "cpu", "--json", "true", "--seconds", "2"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


MAKERS = [
    store_protocol,
    rendezvous_pickle,
    error_file,
    timer_request,
    progress_message,
    node_answer,
    http_request,
    flight_record,
    accelerate_yaml,
    command_line,
    doctor_message,
]

"""Our store server with torch's clients, and our client with torch's servers."""

import contextlib
import datetime
import socket
import subprocess
import threading

import pytest
from torch import distributed as dist

SECOND = datetime.timedelta(seconds=1)
TICK = datetime.timedelta(milliseconds=20)


@contextlib.contextmanager
def our_server(bin_dir, *arguments, complaints=0):
    """Runs our server; yields its port. It ends with its standard input, and must end well and have logged so many lines."""
    server = subprocess.Popen(
        [bin_dir / "store_server_probe", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield int(server.stdout.readline())
        server.stdin.close()
        assert server.wait(timeout=30) == 0
        log = server.stderr.read()
        assert len(log.splitlines()) == complaints, f"the server's log: {log}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def port(bin_dir):
    with our_server(bin_dir) as port:
        yield port


def connect(port, use_libuv, host="127.0.0.1"):
    return dist.TCPStore(host, port, None, is_master=False, timeout=20 * SECOND, wait_for_workers=False, use_libuv=use_libuv)


def in_background(function):
    """Starts a thread; the returned function waits for it and gives or raises what it gave or raised."""
    result = {}

    def body():
        try:
            result["value"] = function()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            result["error"] = error

    thread = threading.Thread(target=body)
    thread.start()

    def join():
        thread.join(timeout=30)
        assert not thread.is_alive(), "still waiting after 30 s"
        if "error" in result:
            raise result["error"]
        return result["value"]

    return join


@pytest.mark.parametrize("use_libuv", [True, False])
def test_torchs_client_does_every_operation_against_our_server(port, use_libuv):
    store = connect(port, use_libuv)
    store.set("k", "v")
    assert store.get("k") == b"v"
    assert store.add("n", 40) == 40
    assert store.add("n", 2) == 42
    assert store.get("n") == b"42"
    assert store.check(["k", "n"])
    assert not store.check(["k", "missing"])
    assert store.compare_set("c", "", "one") == b"one"
    assert store.compare_set("c", "two", "three") == b"one"
    assert store.compare_set("c", "one", "two") == b"two"
    assert store.compare_set("c2", "x", "y") == b"x"
    store.append("k", "w")
    assert store.get("k") == b"vw"
    store.multi_set(["m1", "m2", "empty"], ["a", "b", ""])
    assert store.multi_get(["m2", "m1", "empty"]) == [b"b", b"a", b""]
    assert store.multi_get([]) == []
    assert store.num_keys() == 6
    assert sorted(store.list_keys()) == ["c", "empty", "k", "m1", "m2", "n"]
    assert store.delete_key("m1")
    assert not store.delete_key("m1")
    store.wait(["k", "n"], SECOND)
    with pytest.raises(dist.DistStoreError, match="missing"):
        store.wait(["k", "missing"], TICK)
    if use_libuv:  # else torch's client refuses: its own server without libuv has no queues
        store.queue_push("q", "first")
        store.queue_push("q", "second")
        assert store.queue_len("q") == 2
        assert store.queue_pop("q") == b"first"
        assert store.queue_pop("q", block=False) == b"second"
        with pytest.raises(dist.QueueEmptyError):
            store.queue_pop("q", block=False)
    store.barrier("alone", 1, SECOND)
    with pytest.raises(dist.DistStoreError):
        store.barrier("pair", 2, TICK)
    store.barrier("pair", 2, SECOND)  # who gave up has been counted
    copy = store.clone()
    copy.set("from the copy", b"\0\xff")
    assert store.get("from the copy") == b"\0\xff"
    prefixed = dist.PrefixStore("round/1", store)
    prefixed.set("k", "elsewhere")
    assert store.get("round/1/k") == b"elsewhere"


@pytest.mark.parametrize("use_libuv", [True, False])
def test_torchs_clients_wait_for_each_other_through_our_server(port, use_libuv):
    store = connect(port, use_libuv)
    waiting = in_background(lambda: connect(port, use_libuv).get("later"))
    popping = in_background(lambda: connect(port, True).queue_pop("queue"))
    meeting = [in_background(lambda: connect(port, use_libuv).barrier("b", 4, 20 * SECOND)) for _ in range(3)]
    store.set("later", "here")
    connect(port, True).queue_push("queue", "item")
    store.barrier("b", 4, 20 * SECOND)
    assert waiting() == b"here"
    assert popping() == b"item"
    for one in meeting:
        one()


def test_a_large_value_and_many_keys_pass(port):
    store = connect(port, True)
    large = bytes(range(256)) * (8 * 1024 * 4)
    store.set("large", large)
    assert store.get("large") == large
    keys = [f"key/{i}" for i in range(20_000)]
    store.multi_set(keys, [str(i) for i in range(len(keys))])
    assert store.multi_get(keys) == [str(i).encode() for i in range(len(keys))]
    assert store.check(keys)
    assert len(store.list_keys()) == len(keys) + 1
    # The large value 40 times, 320 MB, through a queue that holds a quarter of a megabyte.
    assert sum(len(value) for value in store.multi_get(["large"] * 40)) == 40 * len(large)


def test_a_name_for_this_machine_reaches_our_loopback_server(port):
    store = connect(port, True, host="localhost")
    store.set("k", "v")
    assert store.get("k") == b"v"


def test_torchs_client_reaches_our_server_on_any_address(bin_dir):
    with our_server(bin_dir, "any") as port:
        for host in ("127.0.0.1", socket.gethostname()):
            connect(port, True, host=host).add("n", 1)
        assert connect(port, False).get("n") == b"2"


@pytest.mark.parametrize("use_libuv", [True, False])
def test_our_client_does_every_operation_against_torchs_server(bin_dir, use_libuv):
    server = dist.TCPStore("127.0.0.1", 0, None, is_master=True, wait_for_workers=False, use_libuv=use_libuv)
    done = subprocess.run([bin_dir / "store_client_probe", str(server.port)], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr
    assert server.get("probe") == b"done"


def test_our_client_does_every_operation_against_our_server(bin_dir, port):
    done = subprocess.run([bin_dir / "store_client_probe", str(port)], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr
    assert connect(port, True).get("probe") == b"done"


# What a client may see differently from torch's servers is here, so that a change of torch's shows.
def answers(port, requests):
    """The bytes that come back for each request, sent one after the other on a fresh connection that has introduced
    itself; None from where the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"\x00\xce\xf7\x85\x3c" + b"\x0d\x01\x02\x03\x04")
        received = [client.recv(4, socket.MSG_WAITALL)]
        for request, size in requests:
            client.sendall(request)
            answer = client.recv(size, socket.MSG_WAITALL)
            received.append(answer or None)
            if not answer:
                break
        return received


def string(text):
    return len(text).to_bytes(8, "little") + text


def number(value):
    return value.to_bytes(8, "little", signed=True)


def test_raw_bytes_are_answered_as_torchs_server_answers_them(bin_dir):
    theirs = dist.TCPStore("127.0.0.1", 0, None, is_master=True, wait_for_workers=False, use_libuv=True)
    one = (1).to_bytes(8, "little")
    conversations = [
        [(b"\x03" + string(b"missing"), 8)],
        [(b"\x0a" + number(2) + string(b"missing") + string(b"x"), 16)],
        [(b"\x05" + number(0), 1), (b"\x06" + number(0), 1)],
        [(b"\x0c", 1), (b"\x0c", 1)],
        [(b"\x01" + string(b"n") + string(b" 7x") + b"\x04" + string(b"n") + number(-9), 8)],
        [(b"\x01" + string(b"t") + string(b"text") + b"\x04" + string(b"t") + one, 8)],
        [(b"\x12" + string(b"b") + number(1), 1), (b"\x12" + string(b"b") + number(2), 1), (b"\x03" + string(b"b"), 9)],
        [(b"\x12" + string(b"t") + number(1), 1)],
        [(b"\x0e" + string(b"q") + string(b"item") + b"\x06" + one + string(b"q"), 1), (b"\x0f" + string(b"q"), 20)],
        [(b"\x13", 1)],
        [(b"\x00\xce\xf7\x85\x3c", 1)],
        [(b"\x03" + number(8193), 1)],
        [(b"\x01" + string(b"k") + number(8 * 1024 * 1024 + 1), 1)],
        [(b"\x06" + number(128 * 1024 + 1), 1)],
        [(b"\x07", 8), (b"\x11", 8)],
    ]
    # Those that send what the server refuses are closed, each with one line in the log.
    refused = sum(answers(theirs.port, conversation)[-1] is None for conversation in conversations)
    assert refused == 7
    theirs = dist.TCPStore("127.0.0.1", 0, None, is_master=True, wait_for_workers=False, use_libuv=True)
    with our_server(bin_dir, complaints=refused) as port:
        for conversation in conversations:
            assert answers(port, conversation) == answers(theirs.port, conversation), conversation

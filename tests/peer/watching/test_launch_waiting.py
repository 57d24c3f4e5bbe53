"""A launcher that waits for other nodes says for what, with torchrun's agents in the job as well."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading

import pytest

from launching import MDL_LAUNCH, TORCHRUN, environment, free_port, launch, wait_until

LEFT = r"(9|14) min 5\d s left"


class Waiting:
    """A launcher that waits, and what it has written to stderr, a pipe or a terminal of so many columns."""

    def __init__(self, *arguments, launcher=MDL_LAUNCH, columns=None):
        self.text = ""
        if columns:
            ours, theirs = pty.openpty()
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        else:
            ours, theirs = os.pipe()
        self.process = subprocess.Popen(
            [str(launcher), *map(str, arguments), "--no-python", "/bin/true"],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.close(theirs)
        self.reader = threading.Thread(target=self.read, args=[ours])
        self.reader.start()

    def read(self, ours):
        with contextlib.suppress(OSError):  # a terminal whose other side is closed
            while part := os.read(ours, 4096):
                self.text += part.decode()
        os.close(ours)

    def says(self, pattern):
        """Waits until it says so; its end says nothing more."""

        def found():
            ended = not self.reader.is_alive()
            hit = re.search(pattern, self.text)
            assert hit or not ended, f"ended without /{pattern}/:\n{self.text}"
            return hit

        return wait_until(found)

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        self.process.wait(30)
        self.reader.join()
        return self.text


def c10d(port, nodes, *conf, host="localhost"):
    settings = ["--rdzv-conf", ",".join(conf)] if conf else []
    return ["--nnodes", nodes, "--rdzv-backend", "c10d", "--rdzv-endpoint", f"{host}:{port}", "--rdzv-id", "j", *settings]


def static(port, rank, nodes=3):
    return ["--nnodes", nodes, "--node-rank", rank, "--master-addr", "localhost", "--master-port", port, "--rdzv-id", "s"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """All of them wait at the same time, as each takes five seconds before it says so. Beside torchrun's, which come late, a terminal shows it."""
    ports = {
        name: free_port()
        for name in ("pipe", "terminal", "narrow", "mixed", "theirs", "elastic", "nobody", "static", "mixed static", "secret")
    }
    secret = tmp_path_factory.mktemp("secret") / "job.secret"
    secret.touch(0o600)
    secret.write_text("a secret of 32 letters, or so, for tests")
    started = {
        "pipe": Waiting(*c10d(ports["pipe"], 2)),
        "terminal": Waiting(*c10d(ports["terminal"], 2), columns=100),
        "narrow": Waiting(*c10d(ports["narrow"], 3, host="127.0.0.1"), columns=40),
        "ours with torchrun's": Waiting(*c10d(ports["mixed"], 3), columns=200),
        "torchrun with ours": Waiting(*c10d(ports["mixed"], 3, "is_host=0"), launcher=TORCHRUN),
        "torchrun": Waiting(*c10d(ports["theirs"], 3, "is_host=1"), launcher=TORCHRUN),
        "elastic": Waiting(*c10d(ports["elastic"], "1:4", "last_call_timeout=60")),
        "refused": Waiting(*c10d(ports["nobody"], 2, "is_host=0", "read_timeout=600")),
        "refused on a terminal": Waiting(*c10d(ports["nobody"], 2, "is_host=0", "read_timeout=600"), columns=300),
        "no name": Waiting(*c10d(29400, 2, "is_host=0", "read_timeout=600", host="no-such-node.invalid")),
        "secret": Waiting(*c10d(ports["secret"], 2, f"secret_file={secret}")),
        "static": Waiting(*static(ports["static"], 0)),
        "static too": Waiting(*static(ports["static"], 2)),
        "static with torchrun's": Waiting(*static(ports["mixed static"], 0), columns=200),
        "torchrun, static": Waiting(*static(ports["mixed static"], 2), launcher=TORCHRUN),
        "static without a master": Waiting(*static(ports["nobody"], 1)),
        "ours with torchrun's store": Waiting(*c10d(ports["theirs"], 3, "is_host=0"), columns=200),
    }
    try:
        yield started, ports
    finally:
        for waiting in started.values():
            with contextlib.suppress(ProcessLookupError):
                waiting.process.kill()
            waiting.process.wait()
            waiting.reader.join()


def test_a_wait_for_nodes_is_told_once_with_all_that_is_known(scene):
    started, ports = scene
    told = started["pipe"].says(rf"waiting for nodes: 1 of 2 are at localhost:{ports['pipe']} \(localhost\); job j; {LEFT}\n")
    assert started["pipe"].text.count("waiting for nodes") == 1, told
    assert "\r" not in started["pipe"].text and "\x1b" not in started["pipe"].text


def test_a_store_at_localhost_is_warned_of_at_once(scene):
    started, _ = scene
    text = started["pipe"].text
    started["pipe"].says("other hosts cannot reach it")
    assert text.find("other hosts cannot reach it") < (text + "waiting for").find("waiting for")


def test_ctrl_c_says_what_was_waited_for(scene):
    started, ports = scene
    started["pipe"].says("waiting for nodes")
    text = started["pipe"].end()
    assert re.search(
        rf"received SIGINT while waiting for nodes: 1 of 2 are at localhost:{ports['pipe']} \(localhost\); job j; {LEFT}", text
    ), text
    assert started["pipe"].process.returncode == 1


def test_on_a_terminal_it_is_one_line_that_is_rewritten_and_taken_away(scene):
    started, ports = scene
    where = f"localhost:{ports['terminal']}"
    started["terminal"].says(r"waiting for nodes: .*\r +\rwaiting for nodes: ")
    text = started["terminal"].end(signal.SIGTERM)
    assert "\x1b" not in text
    line = re.search(rf"waiting for nodes: 1 of 2 are at {where} \(localhost\); job j; 9 min 5\d s left", text).group()
    # Taken away before the next line of the log.
    assert re.search(rf"{' ' * len(line)}\r\[mdl-launch\] I\d+ \S+ received SIGTERM while waiting for nodes", text), text
    assert not re.search(r"\n[^\r\n]*waiting for nodes[^\r\n]*\r?\n", text.replace("received SIGTERM while", "\r")), text


def test_a_narrow_terminal_is_not_overflowed(scene):
    started, _ = scene
    started["narrow"].says("waiting for ")
    drawn = [part for part in re.split(r"[\r\n]", started["narrow"].text) if part.startswith("waiting for")]
    assert drawn and max(map(len, drawn)) <= 39


@pytest.mark.parametrize(
    "ours, theirs, port", [("ours with torchrun's", "torchrun with ours", "mixed"), ("ours with torchrun's store", "torchrun", "theirs")]
)
def test_torchruns_agents_are_counted_and_named(scene, ours, theirs, port):
    started, ports = scene
    told = started[ours].says(rf"waiting for nodes: 2 of 3 are at localhost:{ports[port]} \((.+)\); job j; ")
    assert started[theirs].process.poll() is None
    assert "localhost" in told[1] and (", " in told[1] or "2 on " in told[1]), told[1]


def test_the_store_of_a_job_with_a_secret_is_read_as_well(scene):
    started, ports = scene
    started["secret"].says(rf"waiting for nodes: 1 of 2 are at localhost:{ports['secret']} \(localhost\); job j; ")
    assert "secret" not in started["secret"].text


def test_the_last_call_of_an_elastic_job_is_told(scene):
    started, ports = scene
    started["elastic"].says(
        rf"waiting for more nodes: 1 of 1 to 4 are at localhost:{ports['elastic']} \(localhost\); job j; last call: the round begins in 5\d s"
    )


def test_a_node_that_is_refused_says_on_which_network_it_is(scene):
    started, ports = scene
    told = started["refused"].says(
        rf"waiting for the store at localhost:{ports['nobody']}: connection refused; job j; {LEFT}\. .*with the addresses (?P<own>.*)\n"
    )
    own = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()
    assert {"127.0.0.1", *own[:8]} <= set(told["own"].split(", ")), told["own"]
    text = started["refused"].end()
    assert f"received SIGINT while waiting for the store at localhost:{ports['nobody']}: connection refused; job j" in text
    # On a terminal the same, once, and the line below it.
    started["refused on a terminal"].says(
        r"with the addresses [^\r\n]*\r\nwaiting for the store at \S+ connection refused; job j; [\d min]+ s left"
    )


def test_a_name_that_does_not_resolve_is_told_with_this_machines_addresses(scene):
    started, _ = scene
    started["no name"].says(
        r'waiting for the store at no-such-node\.invalid:29400: .*"no-such-node.invalid".*This machine is .*127\.0\.0\.1'
    )


def test_a_static_job_names_the_missing_node_ranks_on_every_node(scene):
    started, ports = scene
    pattern = rf"waiting for nodes: 2 of 3 are at localhost:{ports['static']} \(missing: --node-rank 1\); job s; 14 min 5\d s left"
    for name in ("static", "static too"):
        started[name].says(pattern)
    started["static with torchrun's"].says(rf"localhost:{ports['mixed static']} \(missing: --node-rank 1\)")
    text = started["static too"].end()
    assert "received SIGINT while waiting for nodes: 2 of 3" in text
    started["static without a master"].says(
        rf"waiting for the store at localhost:{ports['nobody']}: connection refused; job s; 14 min 5\d s left"
    )


def test_a_round_that_begins_after_a_wait_that_was_told_is_told(scene):
    started, ports = scene
    started["ours with torchrun's"].says("waiting for nodes")
    done = launch(*c10d(ports["mixed"], 3, "is_host=0"), "--no-python", "/bin/true")
    assert done.returncode == 0, done.stderr
    assert "waiting for" not in done.stderr and "begins, after" not in done.stderr
    started["ours with torchrun's"].says(r"a round of 3 nodes begins, after (\d+ min )?\d+ s")

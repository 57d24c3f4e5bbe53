"""Options whose effect only shows when the program runs; the real torchrun beside ours where the outcome can be compared."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from launching import MDL_LAUNCH, TORCHRUN, environment, launch, pids_in, ready_for_signals, running

SHOW = ["--no-python", "/bin/sh", "-c"]


def torchruns_options():
    """The long names in `torchrun --help`."""
    said = launch("--help", launcher=TORCHRUN).stdout
    rows = re.findall(r"^  (-.*)", said, re.MULTILINE)
    return sorted({name for row in rows for name in re.findall(r"(?:^|, )(--[a-z][a-z-]+)(?![a-z_-])", row)})


def test_every_option_in_torchruns_help_is_in_ours():
    theirs = torchruns_options()
    assert {"--nnodes", "--tee", "--shutdown-timeout", "--print-completion"} <= set(theirs)
    ours = launch("--help").stdout
    unknown = [name for name in theirs if not re.search(rf"{name}\b", ours)]
    # Refused by name, because it loads Python (see test_what_only_python_can_do_is_refused).
    assert set(unknown) <= {"--logs-specs"}


@pytest.mark.parametrize("options", [["--logs-specs", "mine"], ["--rdzv-backend", "etcd"], ["--nproc-per-node", "xpu"]])
def test_what_only_python_can_do_is_refused(options):
    done = launch(*options, *SHOW, "echo ran")
    assert (done.returncode, done.stdout) == (2, "")
    assert options[0] in done.stderr


def test_every_option_may_come_from_its_variable():
    variables = {
        "PET_NNODES": "1",
        "PET_NPROC_PER_NODE": "2",
        "PET_MAX_RESTARTS": "4",
        "PET_ROLE": "actor",
        "PET_NO_PYTHON": "1",
        "PET_MASTER_PORT": "0",
        "PET_STANDALONE": "1",
        "PET_MONITOR_INTERVAL": "0.5",
        "PET_SIGNALS_TO_HANDLE": "SIGTERM",
    }
    show = "echo $RANK/$WORLD_SIZE $TORCHELASTIC_MAX_RESTARTS $ROLE_NAME $TORCHELASTIC_SIGNALS_TO_HANDLE"
    ours, theirs = (launch("/bin/sh", "-c", show, launcher=launcher, env=environment(**variables)) for launcher in (MDL_LAUNCH, TORCHRUN))
    assert sorted(ours.stdout.splitlines()) == sorted(theirs.stdout.splitlines()) == ["0/2 4 actor SIGTERM", "1/2 4 actor SIGTERM"]


# Options and variables as scripts, YAML files and Kubernetes write them. One process of the real program reads all of them.
SPELLINGS = [
    ([], {"PET_NNODES": "1\n"}),
    (["--nnodes", " +1 : 1\n"], {}),
    (["--nproc-per-node", " 2\n"], {}),
    ([], {"PET_NPROC_PER_NODE": "+2"}),
    ([], {"PET_MAX_RESTARTS": " 1_0\n"}),
    (["--max-restarts", "007"], {}),
    (["--max-restarts", "+3", "--monitor-interval", " 1e-1\n"], {}),
    (["--local-ranks-filter", " 0, +1"], {}),
    ([], {"PET_STANDALONE": " 1\n", "PET_NODE_RANK": " 0 "}),
    (["-t", "3\n"], {}),
    ([], {"TORCH_ELASTIC_SHUTDOWN_TIMEOUT": " 7\n"}),
    (["--shutdown-timeout", "5"], {"TORCH_ELASTIC_SHUTDOWN_TIMEOUT": "bad"}),
    (["--role", "-1"], {}),
    (["--role", "-a b"], {}),
    (["--rdzv-conf", " "], {}),
    (["--rdzv-conf", "\ttimeout = +5\n"], {}),
    (["--rdzv-conf", "ttl=10"], {}),
    (["--logs-specs", "default"], {}),
    (["--monitor-interval", ".5"], {}),
    # And what torchrun refuses.
    (["--max-restarts", "0x10"], {}),
    (["--max-restarts", "1.0"], {}),
    (["--max-restarts", "1__0"], {}),
    (["--max-restarts", "+ 1"], {}),
    (["--max-restarts", ""], {}),
    ([], {"PET_MAX_RESTARTS": ""}),
    ([], {"PET_NNODES": ""}),
    ([], {"PET_STANDALONE": "yes"}),
    (["--nnodes", "2:20:30"], {}),
    (["--nnodes", "-1"], {}),
    (["--max-restarts", "-1"], {}),
    (["--shutdown-timeout", "-5"], {}),
    (["--role", "-a"], {}),
    (["--role", "--"], {}),
    ([], {"PET_TEE": " 3"}),
    (["--local-ranks-filter", "0,x"], {}),
    (["--logs-specs", "mine"], {}),
    ([], {"TORCH_ELASTIC_SHUTDOWN_TIMEOUT": "7s"}),
    (["--rdzv-conf", "timeout"], {}),
]
PROGRAMS = [["x", "--", "--foo"], ["x", "--"], ["x", "--", "--", "y"], ["--", "x", "--", "y"], ["x", "y", "--", "z"], ["x", "y"]]
ENDPOINTS = [
    "::1:29400",
    "fe80::1:2222",
    "[::1]:5",
    "[::1]",
    "2001:db8::7:29400",
    "1:2:3:4:5:6:7:8:29400",
    " h:005\n",
    "h:65536",
    "h:+5",
    "h: 5",
]

READ_BY_TORCHRUN = """
import contextlib, io, json, os, sys
from torch.distributed import run
from torch.distributed.elastic.rendezvous.utils import parse_rendezvous_endpoint

def read(words, variables):
    os.environ.update(variables)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            config, _, words = run.config_from_args(run.parse_args(words))
        return [config.nproc_per_node, config.max_restarts, config.role, words]
    except (Exception, SystemExit):
        return None
    finally:
        for name in variables: del os.environ[name]

def at(endpoint):
    with contextlib.suppress(ValueError): return parse_rendezvous_endpoint(endpoint, 29400)

spellings, programs, endpoints = json.load(sys.stdin)
json.dump([[read([*words, "--no-python", "x"], variables) for words, variables in spellings],
           [read(["--no-python", *words], {})[3] for words in programs], [at(endpoint) for endpoint in endpoints]], sys.stdout)
"""


@pytest.fixture(scope="module")
def read_by_torchrun():
    done = subprocess.run(
        [sys.executable, "-c", READ_BY_TORCHRUN],
        input=json.dumps([SPELLINGS, PROGRAMS, ENDPOINTS]),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_numbers_and_words_are_read_as_torchrun_reads_them(read_by_torchrun):
    for (words, variables), theirs in zip(SPELLINGS, read_by_torchrun[0], strict=True):
        show = 'echo $WORLD_SIZE $TORCHELASTIC_MAX_RESTARTS "$ROLE_NAME"'
        ours = launch("--log-dir", "/dev/null", *words, *SHOW, show, env=environment(**variables))
        if theirs is None:
            assert (ours.returncode, ours.stdout) == (2, ""), (words, variables)
            wrong = words[0] if words else next(iter(variables))
            assert wrong in ours.stderr, (words, variables)  # the option, or the variable, that was written
        else:
            assert ours.returncode == 0, (words, variables, ours.stderr)
            assert set(ours.stdout.splitlines()) == {"{} {} {}".format(*theirs)}, (words, variables)


def test_a_first_double_dash_is_not_the_programs(read_by_torchrun, tmp_path):
    shown = tmp_path / "x"
    shown.write_text('#!/bin/sh\nfor word; do echo "$word"; done\n')
    shown.chmod(0o755)
    for words, theirs in zip(PROGRAMS, read_by_torchrun[1], strict=True):
        ours = launch("--no-python", *words, env=environment(PATH=f"{tmp_path}:{os.environ['PATH']}"))
        assert ours.stdout.splitlines() == theirs, words


def test_an_endpoint_is_what_torchrun_takes_it_for(read_by_torchrun):
    def try_to_reach(endpoint):  # nobody is there: the error names the endpoint as it was understood
        return launch(
            "--nnodes", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", endpoint, "--rdzv-conf", "is_host=0,read_timeout=1", *SHOW, ":"
        )

    with ThreadPoolExecutor() as pool:
        done = list(pool.map(try_to_reach, ENDPOINTS))
    for endpoint, theirs, ours in zip(ENDPOINTS, read_by_torchrun[2], done, strict=True):
        if theirs is None:
            assert ours.returncode == 2, endpoint
        else:
            host, port = theirs
            assert (f"[{host}]:{port}" if ":" in host else f"{host}:{port}") in ours.stderr, (endpoint, ours.stderr)


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotes_around_the_rendezvous_settings_are_taken_off(quote):
    # As PyTorch's own test_launch_elastic passes them: torchrun drops what it does not know, with the quotes in it.
    ours = launch(
        "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", f"--rdzv-conf={quote}join_timeout=5,timeout=5{quote}", *SHOW, "echo ran"
    )
    assert (ours.returncode, ours.stdout, ours.stderr) == (0, "ran\n", "")


def test_a_setting_of_the_rendezvous_that_nobody_knows_is_a_warning_and_a_misspelt_one_an_error():
    unknown = launch("--rdzv-conf", "ssl_cert=/a", *SHOW, "echo ran")
    assert unknown.stdout == "ran\n" and unknown.stderr.count("ssl_cert=/a has no effect") == 1
    misspelt = launch("--rdzv-conf", "join_timout=5", *SHOW, "echo ran")
    assert (misspelt.returncode, misspelt.stdout) == (2, "") and "Did you mean join_timeout?" in misspelt.stderr


def test_the_end_of_a_worker_is_seen_at_once_whatever_the_monitor_interval():
    started = time.monotonic()
    done = launch("--standalone", "--monitor-interval", "600", *SHOW, "exit 3")
    assert done.returncode == 1
    assert time.monotonic() - started < 60


def test_only_the_signals_to_handle_are_passed_on(tmp_path):
    script = """
        trap 'echo told; exit 0' USR1 TERM
        echo $$$$ >> "$1"
        while :; do sleep 0.01; done
    """
    for launcher_program in (MDL_LAUNCH, TORCHRUN):
        pids = tmp_path / f"pids of {launcher_program.name}"
        options = ["--standalone", "--signals-to-handle", "SIGUSR1", *SHOW, script, "sh", pids]
        with running(*options, launcher=launcher_program) as launcher:
            pids_in(pids, 1)
            ready_for_signals(launcher)
            launcher.send_signal(signal.SIGUSR1)
            output, _ = launcher.communicate(timeout=60)
        assert (launcher.returncode, output) == (1, "told\n")


def test_the_address_that_is_given_for_this_node_becomes_the_masters():
    options = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "--local-addr", "127.0.0.9", *SHOW, "echo $MASTER_ADDR"]
    ours, theirs = (launch(*options, launcher=launcher) for launcher in (MDL_LAUNCH, TORCHRUN))
    assert ours.stdout == theirs.stdout == "127.0.0.9\n"


def test_a_node_rank_without_static_is_ignored_with_a_warning():
    options = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "--node-rank", "3", *SHOW, "echo $GROUP_RANK"]
    ours, theirs = (launch(*options, launcher=launcher) for launcher in (MDL_LAUNCH, TORCHRUN))
    assert ours.stdout == theirs.stdout == "0\n"
    for done in (ours, theirs):
        assert re.search("node.rank", done.stderr)


def test_a_negative_node_rank_and_a_port_that_is_none_are_errors():
    for options, word in [
        (["--node-rank=-1"], "--node-rank"),
        (["--master-port", "70000"], "--master-port"),
        (["--nproc-per-node", "-1"], '"-1"'),
        (["--rdzv-endpoint", "[::1]"], "--rdzv-endpoint [::1]"),
    ]:
        done = launch("--nnodes", "2", *options, *SHOW, "true")
        assert done.returncode == 2 and word in done.stderr
        assert ("HOST:PORT" in done.stderr) == (options[0] == "--rdzv-endpoint")


def test_a_stranger_at_the_port_of_the_endpoint_is_named():
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        done = launch(
            "--nnodes",
            "2",
            "--rdzv-backend",
            "c10d",
            "--rdzv-endpoint",
            f"127.0.0.1:{port}",
            "--rdzv-conf",
            "read_timeout=1",
            *SHOW,
            "true",
        )
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr and f"(process {os.getpid()})" in done.stderr


def test_the_local_rank_can_be_an_argument_as_with_torch_distributed_launch(tmp_path):
    script = tmp_path / "show.py"
    script.write_text("import os, sys; os.write(1, f'{os.environ[\"RANK\"]} {sys.argv[1:]}\\n'.encode())")
    ours = launch("--standalone", "--nproc-per-node", "2", script, "--local-rank=${local_rank}", "--flag")
    theirs = launch("-m", "torch.distributed.launch", "--standalone", "--nproc-per-node", "2", script, "--flag", launcher=sys.executable)
    assert sorted(ours.stdout.splitlines()) == sorted(theirs.stdout.splitlines())
    assert "0 ['--local-rank=0', '--flag']" in ours.stdout.splitlines()


def test_bash_completes_options_from_the_script_that_is_printed(tmp_path):
    script = launch("--print-completion", "bash").stdout
    ask = 'COMP_WORDS=(mdl-launch "$1"); COMP_CWORD=1; _mdl_launch; printf "%s\\n" "${COMPREPLY[@]}"'
    for begun, expected in [("--rdzv-e", ["--rdzv-endpoint"]), ("--master", ["--master-addr", "--master-port"])]:
        done = subprocess.run(["bash", "-c", f"{script}\n{ask}", "bash", begun], capture_output=True, text=True)
        assert (sorted(done.stdout.split()), done.stderr) == (expected, "")


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_the_other_shells_can_read_what_is_printed_for_them(shell, tmp_path):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "completion"
    script.write_text(launch("--print-completion", shell).stdout)
    options = (
        ["-fc", f"autoload -U compinit; compinit -D -u; compdef _x mdl-launch; zsh -n {script}"]
        if shell == "zsh"
        else ["-fc", f"source {script}; complete mdl-launch"]
    )
    done = subprocess.run([shell, *options], capture_output=True, text=True, env={**os.environ, "HOME": str(tmp_path)})
    assert done.returncode == 0 and not done.stderr

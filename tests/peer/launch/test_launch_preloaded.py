"""The tests' own way to run Python programs (preloaded.py): they do what they do when they are started alone."""

import os
import signal
import subprocess
import sys
import time

import pytest

import preloaded
from launching import alive, environment, wait_until

MODULES = ("json",)
PROGRAMS = {
    "what a program sees": "import os, sys; print(sys.argv, sys.path[0], __name__, os.getcwd(), os.environ['COLOUR'], sys.stdin.read())",
    "both streams": "import sys, os; print('a'); sys.stdout.flush(); os.system('echo b; echo c >&2'); print('d', file=sys.stderr)",
    "an exit code": "import sys; sys.exit(7)",
    "an exit with words": "import sys; sys.exit('no such thing')",
    "an exit without a code": "import sys; sys.exit()",
    "a signal": "import os; os.kill(os.getpid(), 15)",
    "what C has not written yet": "import ctypes; ctypes.CDLL(None).printf(b'by C')",
    "what is done at the end": "import atexit, threading; atexit.register(print, 'end'); threading.Timer(0.1, print, ['thread']).start()",
}


def comparable(done):
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("kind", ["script", "-c"])
@pytest.mark.parametrize("what", PROGRAMS)
def test_a_program_does_what_it_does_alone(what, kind, tmp_path):
    (tmp_path / "script.py").write_text(PROGRAMS[what])
    command = [*(["-c", PROGRAMS[what]] if kind == "-c" else [str(tmp_path / "script.py")]), "one", "--two"]
    options = {"env": environment(COLOUR="blue"), "cwd": tmp_path, "input": "typed"}
    alone = subprocess.run([sys.executable, *command], **options, capture_output=True, text=True)
    assert comparable(preloaded.run(command, MODULES, **options)) == comparable(alone)


def test_an_exception_is_a_traceback_and_exit_code_1():
    done = preloaded.run(["-c", "raise ValueError('a bad day')"], MODULES)
    assert done.returncode == 1 and done.stderr.endswith("ValueError: a bad day\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL, signal.SIGPIPE])
def test_a_signal_ends_it_and_what_stands_in_for_it(number):
    code = f"import os, signal; signal.signal({number}, signal.SIG_DFL) if {number} != 9 else 0; os.kill(os.getpid(), {number})"
    assert preloaded.run(["-c", code], MODULES).returncode == -number
    assert number != signal.SIGINT or preloaded.run(["-c", "raise KeyboardInterrupt"], MODULES).returncode == -number


def test_a_program_has_its_streams_and_no_other_files(tmp_path):
    code = "import os\nfor name in range(100):\n  if os.path.exists(f'/proc/self/fd/{name}'): print(name, os.readlink(f'/proc/self/fd/{name}')[:4])"
    alone = subprocess.run([sys.executable, "-c", code], input="", capture_output=True, text=True).stdout
    assert preloaded.run(["-c", code], MODULES, input="").stdout == alone == "0 pipe\n1 pipe\n2 pipe\n"


def test_the_modules_are_imported_before_and_programs_do_not_see_each_other():
    show = "import sys; print('json' in sys.modules, hasattr(sys, 'left_behind')); sys.left_behind = True"
    assert [preloaded.run(["-c", show], MODULES).stdout for _ in range(2)] == ["True False\n"] * 2


def test_a_program_that_nobody_waits_for_any_more_is_killed(tmp_path):
    code = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(100)"
    pid_file = tmp_path / "pid"
    with pytest.raises(subprocess.TimeoutExpired):
        preloaded.run(["-c", code, pid_file], MODULES, timeout=1)
    wait_until(lambda: not alive(int(pid_file.read_text())))

    worker = subprocess.Popen([*preloaded.stand_in(MODULES, dict(os.environ)), "-c", code, tmp_path / "other"])
    pid = wait_until(lambda: (tmp_path / "other").exists() and (tmp_path / "other").read_text())
    worker.kill()
    worker.wait()
    wait_until(lambda: not alive(int(pid)))


def test_the_server_and_its_programs_end_with_the_test_program(tmp_path):
    """Also when it is killed."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import preloaded; "
        "preloaded.run(['-c', 'import os, time; print(os.getppid(), os.getpid(), flush=True); time.sleep(100)'], ('json',))"
    )
    before = time.monotonic()
    test = subprocess.Popen([sys.executable, "-c", program, preloaded.__file__.rpartition("/")[0]], stdout=subprocess.PIPE, text=True)
    server = wait_until(lambda: [child for child in children(test.pid) if children(child)])[0]
    (running,) = children(server)
    test.kill()
    test.wait()
    wait_until(lambda: not alive(server) and not alive(running))
    assert time.monotonic() - before < 90


def children(pid):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(child) for child in listed.stdout.split()]

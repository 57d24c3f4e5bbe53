"""Python programs that start at once: each is forked from a process that has imported what takes them long.

Importing torch takes seconds of a CPU, and transformers, peft and datasets ten; most of the tests' programs compute for less than that.
What is run is the program itself, with its own arguments, environment, folder and streams. What modules read from the environment
while they are imported (HF_HUB_OFFLINE, OMP_NUM_THREADS, LOGLEVEL …) is that of the first program.
"""

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import random
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import types
from pathlib import Path

TORCHRUN = ("torch.distributed.run",)
TRAINER = ("transformers.trainer", "peft", "datasets", "mdl_toolkit.convert_dataset")

_servers = {}  # modules -> Server


def run(command, modules, *, env=None, cwd=None, input=None, timeout=400):
    """As subprocess.run() with captured texts does with the Python program (or "-c" and code) and arguments of `command`."""
    env = {name: str(value) for name, value in (os.environ if env is None else env).items()}
    command = [*stand_in(modules, env), *map(str, command)]
    return subprocess.run(command, env=env, cwd=cwd, input=input, timeout=timeout, capture_output=True, text=True)


def stand_in(modules, env):
    """The beginning of a command that goes on with a Python program and its arguments: what starts it sees this process for it.

    It has the program's streams, and its end; a signal that ends it kills the program, which is not told of it.
    """
    return [sys.executable, "-SE", __file__, "stand-in", server_with(modules, env).address]


def server_with(modules, env):
    if modules not in _servers:
        _servers[modules] = Server(modules, env)
    return _servers[modules]


class Server:
    """The process that has imported `modules`; it ends when this one does."""

    def __init__(self, modules, env):
        self._folder = tempfile.TemporaryDirectory(prefix="mdl-preloaded-")
        self.address = f"{self._folder.name}/socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.address)
            listener.listen()
            command = [sys.executable, __file__, "server", str(listener.fileno()), *modules]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listener.fileno()], env=env)
        atexit.register(self.close)

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._folder.cleanup()


def receive(connection, size):
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            raise ConnectionError("the other side has ended")
        received += part
    return received


def serve(listener):
    """Forks a process for each request and tells its exit code. Who hangs up has it killed.

    Returns when stdin ends: nothing; and in each new process: its streams and the request.
    """
    watch = select.poll()
    watch.register(0)
    watch.register(listener, select.POLLIN)
    programs = {}  # pidfd -> (pid, connection)
    while True:
        fd, _ = watch.poll()[0]  # one at a time, as its number may be another's after it is closed
        if fd == 0:
            for pid, _ in programs.values():
                os.kill(pid, signal.SIGKILL)
            return None
        if fd == listener.fileno():
            connection, _ = listener.accept()
            size, streams, _, _ = socket.recv_fds(connection, 4, 3)
            request = json.loads(receive(connection, int.from_bytes(size, "big")))
            pid = os.fork()
            if pid == 0:
                for mine in (listener, connection, *(other for _, other in programs.values())):
                    mine.close()
                for program in programs:
                    os.close(program)
                return streams, request
            for stream in streams:
                os.close(stream)
            program = os.pidfd_open(pid)
            programs[program] = pid, connection
            watch.register(program, select.POLLIN)
            watch.register(connection, select.POLLIN)
        elif fd in programs:
            pid, connection = programs.pop(fd)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            watch.unregister(fd)
            os.close(fd)
            with contextlib.suppress(KeyError):  # it has hung up
                watch.unregister(connection)
            with contextlib.suppress(OSError), connection:
                connection.sendall(b"%4d" % code)
        else:
            watch.unregister(fd)
            for pid, connection in programs.values():
                if connection.fileno() == fd:
                    os.kill(pid, signal.SIGKILL)


def become(streams, command, env, cwd):
    """Runs a program in this process, from its first line to its end."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    random.seed()
    code = 1
    try:
        if command[0] == "-c":
            sys.argv, sys.path[0] = ["-c", *command[2:]], ""
            sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(command[1], "<string>", "exec"), sys.modules["__main__"].__dict__)
        else:
            sys.argv, sys.path[0] = command, str(Path(command[0]).parent)
            runpy.run_path(command[0], run_name="__main__")
        code = 0
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except KeyboardInterrupt:
        traceback.print_exc()
        code = -signal.SIGINT
    except BaseException:
        traceback.print_exc()
    finally:
        end(code)


def end(code):
    """As Python ends, but for taking all modules apart, which takes two seconds after transformers."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)
    if code == -signal.SIGINT:
        end_by(signal.SIGINT)
    os._exit(code & 0xFF)


def end_by(number):
    with contextlib.suppress(OSError):  # SIGKILL, which nothing can handle
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def stand_for(address, command):
    """Has the server run a program with this process's environment, folder and streams, and ends as it does."""
    request = json.dumps({"command": command, "env": dict(os.environ), "cwd": os.getcwd()}).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [len(request).to_bytes(4, "big")], range(3))
        connection.sendall(request)
        code = int(receive(connection, 4))
    if code < 0:
        end_by(-code)
    sys.exit(code)


if __name__ == "__main__":
    if sys.argv[1] == "stand-in":
        stand_for(sys.argv[2], sys.argv[3:])
    for module in sys.argv[3:]:
        importlib.import_module(module)
    gc.freeze()  # the garbage collector of a program then leaves these pages shared
    if program := serve(socket.socket(fileno=int(sys.argv[2]))):
        become(program[0], **program[1])
    end(0)

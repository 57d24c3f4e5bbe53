"""Where the workers of a job report: each connects to a Unix socket, says who it is, and then waits for the test's word.

So a test knows at every moment which workers live, in which round and with which ranks, and nothing is ever waited for by
sleeping. Unix sockets with a path cross network namespaces, so this also works while a link is cut.
"""

import contextlib
import json
import os
import queue
import select
import signal
import socket
import threading
from pathlib import Path

WORKER = Path(__file__).with_name("worker.py")


class Worker:
    """One running worker process; `gone` once it has ended, in whatever way."""

    def __init__(self, report, stream):
        self.pid = report["pid"]
        self.environment = report["environment"]
        self.rank = int(self.environment["RANK"])
        self.world_size = int(self.environment["WORLD_SIZE"])
        self.group_rank = int(self.environment["GROUP_RANK"])
        self.restarts = int(self.environment["TORCHELASTIC_RESTART_COUNT"])
        self.host = self.environment["MDL_TEST_HOST"]
        self.gone = False
        self._stream = stream
        self._answers = queue.Queue()

    def __repr__(self):
        return f"rank {self.rank}/{self.world_size} on {self.host}{' (gone)' if self.gone else ''}"

    def _say(self, words):
        self._stream.write(words + "\n")
        self._stream.flush()

    def succeed(self):
        self._say("succeed")

    def fail(self, code, message):
        """Writes `message` to stderr and exits with `code`."""
        self._say(f"fail {code} {message}")

    def _ask(self, words):
        self._say(words)
        return self._answers.get(timeout=20)

    def set_in_store(self, key):
        """Sets a key in the store that this job's workers share, as init_process_group does."""
        self._ask(f"set {key}")

    def keys_in_store(self):
        return self._ask("keys")

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)


class Stage:
    """`with Stage(path) as stage:`; give `stage.command` to the agents as the program to run."""

    def __init__(self, path):
        self.command = ["/usr/bin/env", "python3", "-SE", str(WORKER), str(path)]
        self.history = []
        self._changed = threading.Condition()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection):
        stream = connection.makefile("rw")
        report = stream.readline()
        if not report:
            return
        worker = Worker(json.loads(report), stream)
        with self._changed:
            self.history.append(worker)
            self._changed.notify_all()
        try:
            while answer := stream.readline():
                worker._answers.put(json.loads(answer))
        except OSError:
            pass
        with self._changed:
            worker.gone = True
            self._changed.notify_all()

    def alive(self):
        return sorted((worker for worker in self.history if not worker.gone), key=lambda worker: worker.rank)

    def wait(self, what, condition, seconds=30):
        """Waits until condition() holds, which is looked at whenever a worker comes or goes."""
        with self._changed:
            assert self._changed.wait_for(condition, seconds), (
                f"not within {seconds} s: {what}; alive: {self.alive()}; seen: {self.history}"
            )

    def wait_for_world(self, size, seconds=30, after=()):
        """Waits until exactly the workers of one world of `size` live, none of them of the world `after`; returns them by rank."""

        def whole():
            alive = self.alive()
            return (
                len(alive) == size
                and not set(alive) & set(after)
                and all(worker.world_size == size for worker in alive)
                and [worker.rank for worker in alive] == list(range(size))
            )

        self.wait(f"a world of {size}", whole, seconds)
        return self.alive()

    def wait_for_end(self, workers, seconds=30):
        """Waits until these workers have hung up, and their processes are gone: only then does an agent know of it."""
        self.wait(f"the end of {workers}", lambda: all(worker.gone for worker in workers), seconds)
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                process = os.pidfd_open(worker.pid)
                try:
                    assert select.select([process], [], [], seconds)[0], f"{worker} has hung up and still runs after {seconds} s"
                finally:
                    os.close(process)

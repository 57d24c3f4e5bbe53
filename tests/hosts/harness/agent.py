"""A launcher on one host: its output as it comes, its signals, its end."""

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import threading
import time


class Agent:
    """A running mdl-launch or torchrun."""

    def __init__(self, host, command, environment):
        self.host = host
        self.kind = os.path.basename(command[0])
        self.lines = []
        self.times = []  # when each came, by time.monotonic()
        self.started = time.monotonic()
        self._changed = threading.Condition()
        self._may_read = threading.Event()
        self._may_read.set()
        self._ended = False
        # A process group of its own: what kills pytest by Ctrl-C is not what these tests are about.
        self.process = subprocess.Popen(
            host.command(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            env={**environment, "MDL_TEST_HOST": host.name},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        threading.Thread(target=self._reap, daemon=True).start()

    def __repr__(self):
        return f"{self.kind} on {self.host.name}"

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.times.append(time.monotonic())
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
            self._may_read.wait()

    def pause_reading(self):
        """From its next line on nobody reads the output, until resume_reading(); the pipe holds a page and no more."""
        with contextlib.suppress(OSError):  # it holds more than that already
            fcntl.fcntl(self.process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        self._may_read.clear()

    def resume_reading(self):
        self._may_read.set()

    def _reap(self):
        self.process.wait()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def output(self):
        return "\n".join(self.lines)

    @property
    def ended(self):
        return self._ended

    def wait_for_line(self, pattern, seconds=30):
        """Waits until a line of the output matches `pattern`; returns the match."""

        def found():
            return next((hit for line in self.lines if (hit := re.search(pattern, line))), None)

        with self._changed:
            hit = self._changed.wait_for(found, seconds)
        assert hit, f"{self} did not say /{pattern}/ within {seconds} s, but:\n{self.output}"
        return hit

    def wait(self, seconds=30):
        """Waits for the end; returns the exit code (negative: the signal's number)."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._ended, seconds), f"{self} still runs after {seconds} s:\n{self.output}"
        # A worker that lives on would keep the pipe open; its output is not waited for for long.
        self._reader.join(1)
        return self.process.returncode

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)

    def stop(self):
        """Freezes the launcher and everything that it started: the host hangs."""
        for pid in self.host.processes():
            os.kill(pid, signal.SIGSTOP)

    def resume(self):
        for pid in self.host.processes():
            os.kill(pid, signal.SIGCONT)

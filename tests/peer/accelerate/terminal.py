"""A program driven through a pseudo-terminal: wait for a text, then press keys. Nothing here waits for a fixed time."""

import os
import pty
import select
import subprocess
import termios
import time


class Keys(str):
    """Keys for a menu: pressed only once the program reads single keys, as some throw away what was typed before."""

    def __add__(self, other):
        return Keys(str(self) + other)


UP, DOWN, ENTER = Keys("\x1b[A"), Keys("\x1b[B"), Keys("\r")


class Terminal:
    """with Terminal(command, env=…) as t: t.answer("Which", DOWN + ENTER); t.finish() -> exit code. All output is in t.text."""

    def __init__(self, command, env=None, timeout=60):
        self.deadline = time.monotonic() + timeout
        self.text = ""
        self.seen = 0  # output up to here belongs to questions that were answered
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True
        )
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)

    def _read(self):
        left = self.deadline - time.monotonic()
        assert left > 0, f"nothing more came; so far:\n{self.text}"
        if not select.select([self.master], [], [], left)[0]:
            return True
        try:
            chunk = os.read(self.master, 65536)
        except OSError:  # EIO: the other side is closed
            return False
        self.text += chunk.decode("utf-8", "replace")
        return bool(chunk)

    def answer(self, question, keys):
        """Waits until `question` is shown after the last answer, then presses `keys`."""
        while question not in self.text[self.seen :]:
            assert self._read(), f"the program ended before it asked {question!r}:\n{self.text}"
        while isinstance(keys, Keys) and termios.tcgetattr(self.master)[3] & termios.ICANON:
            assert time.monotonic() < self.deadline, f"no menu came for {question!r}:\n{self.text}"
            select.select([], [], [], 0.002)
        self.seen = self.text.index(question, self.seen) + len(question)
        os.write(self.master, keys.encode())

    def finish(self):
        """Reads to the end; returns the exit code."""
        while self._read():
            pass
        return self.process.wait(timeout=30)

"""Programs that run to their end."""

import fcntl
import os
import pty
import struct
import subprocess
import termios

import preloaded


def run(command, **options):
    """Runs to the end with the output captured; a failure shows the output in the test's report."""
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=options.pop("timeout", 240),
        **options,
    )
    assert done.returncode == 0, f"{command} exited with {done.returncode}:\n{done.stdout}"
    return done.stdout


def run_python_tool(venv_bin, *arguments, answers):
    """The real Python mdl-toolkit with these arguments, and what is typed when it asks."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = preloaded.run([venv_bin / "mdl-toolkit", *arguments], preloaded.TRAINER, env=env, input=answers)
    assert done.returncode == 0, f"mdl-toolkit {arguments} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"


def run_on_terminal(command, columns):
    """(exit code, what it prints) of a program whose stdout is a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(command, stdout=theirs) as process:
        os.close(theirs)
        text = b""
        try:
            while part := os.read(ours, 4096):
                text += part
        except OSError:  # the other side is closed
            pass
    os.close(ours)
    return process.returncode, text.decode()

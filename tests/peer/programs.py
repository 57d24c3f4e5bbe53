"""Programs that must succeed."""

import os
import subprocess

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

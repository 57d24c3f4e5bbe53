"""Programs that must succeed."""

import subprocess


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

"""The first stage: without what it looks for, no other would mean anything."""

import json
import re
import shutil

from acceptance import Acceptance

VERSIONS = (
    "import importlib.metadata as m, json; print(json.dumps({n: m.version(n) for n in ('torch', 'transformers', 'peft', 'pyarrow')}))"
)
OPEN_GPU = """
import sys, torch
try:
    torch.zeros(1, device="cuda")
except Exception as error:
    sys.exit(f"torch {torch.__version__} of {sys.executable} opens no GPU: {error}")
"""


def start(work: Acceptance) -> None:
    """The programs start, find LibTorch, and there is a GPU."""
    work.run("versions", [work.options.python, "-c", VERSIONS])
    work.run("toolkit", [work.options.bin_dir / "mdl-toolkit", "--version"])
    libraries = work.run("libraries", [work.options.bin_dir / "mdl-toolkit", "--libraries", "train"])
    if libraries.passed:
        problem = json.loads(libraries.text())["problem"]
        work.check(not problem, f"mdl-toolkit has not what it needs: {problem}")
    if not work.dry:
        find_gpu(work)
    for name in ("versions", "toolkit", "card"):
        if name in work.runs and work.runs[name].passed:
            work.facts[name] = re.sub(r"\s+", " ", work.runs[name].text()).strip()


def find_gpu(work: Acceptance) -> None:
    if not work.check(bool(shutil.which("nvidia-smi")), "there is no nvidia-smi, so no GPU; --dry-run needs none"):
        return
    work.run("card", ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"])
    work.run("open-gpu", [work.options.python, "-c", OPEN_GPU])

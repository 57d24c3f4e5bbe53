"""The first stage: without what it looks for, no other would mean anything."""

import json
import re
import shutil

from acceptance import Acceptance, Failed

PACKAGES = ("torch", "transformers", "peft", "accelerate", "safetensors", "pyarrow", "numpy")
VERSIONS = """
import importlib.metadata, importlib.util, json, sys
def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
print(json.dumps({name: version(name) if importlib.util.find_spec(name) else None for name in sys.argv[1:]}))
"""
OPEN_GPU = """
import sys, torch
try:
    torch.zeros(1, device="cuda")
except Exception as error:
    sys.exit(f"torch {torch.__version__} of {sys.executable} opens no GPU: {error}")
"""


def start(work: Acceptance) -> None:
    """The programs start, find LibTorch, and there is a GPU."""
    find_packages(work)
    work.run("toolkit", [work.options.bin_dir / "mdl-toolkit", "--version"])
    libraries = work.run("libraries", [work.options.bin_dir / "mdl-toolkit", "--libraries", "train"])
    if libraries.passed:
        told = json.loads(libraries.text())
        work.check(not told["problem"], f"mdl-toolkit has not what it needs: {told['problem']}\n      {told['advice']}")
    if not work.dry:
        find_gpu(work)
    for name in ("versions", "toolkit", "card"):
        if name in work.runs and work.runs[name].passed:
            work.facts[name] = re.sub(r"\s+", " ", work.runs[name].text()).strip()


def find_packages(work: Acceptance) -> None:
    """Python has what py_train.py and its neighbours import."""
    python = work.options.python
    asked = work.run("versions", [python, "-c", VERSIONS, *PACKAGES]) if shutil.which(python) else None
    if not asked or not asked.passed:
        raise Failed(f"{python} does not run; --python names one with {', '.join(PACKAGES)}")
    missing = [name for name, version in json.loads(asked.text()).items() if version is None]
    if missing:
        wanted = [f"torch=={torch}" if name == "torch" and (torch := built_for(work)) else name for name in missing]
        raise Failed(f"{python} has no {', '.join(missing)}. Install with: {python} -m pip install {' '.join(wanted)}")


def built_for(work: Acceptance) -> str | None:
    """The LibTorch of mdl-toolkit, without its CUDA."""
    told = re.search(r'"libtorch": "([\d.]+)', work.run("libraries", [work.options.bin_dir / "mdl-toolkit", "--libraries"]).text())
    return told[1] if told else None


def find_gpu(work: Acceptance) -> None:
    if not work.check(bool(shutil.which("nvidia-smi")), "there is no nvidia-smi, so no GPU; --dry-run needs none"):
        return
    work.run("card", ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"])
    work.run("open-gpu", [work.options.python, "-c", OPEN_GPU])

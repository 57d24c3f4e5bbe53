"""The real packages huggingface_hub and modelscope, each call in a process of its own, as they read variables at import."""

import os
import subprocess
import sys

HUGGINGFACE = """
import sys, huggingface_hub
print(huggingface_hub.snapshot_download(sys.argv[1], revision=sys.argv[2] or None, local_files_only=sys.argv[3] == "offline",
      allow_patterns=sys.argv[4:] or None))
"""
MODELSCOPE = """
import sys, unittest.mock
sys.modules["modelscope.utils.torch_utils"] = unittest.mock.Mock()  # it loads torch, which takes seconds; downloads do without
from modelscope.hub.snapshot_download import snapshot_download
print(snapshot_download(sys.argv[1], revision=sys.argv[2] or None, local_files_only=sys.argv[3] == "offline",
      allow_patterns=sys.argv[4:] or None))
"""
NAMES = ("HF_", "HUGGING", "MODELSCOPE_", "TRANSFORMERS_", "XDG_CACHE", "SSL_CERT", "REQUESTS_CA", "CURL_CA")


def environment(home, **variables):
    """A user's environment with an empty home at `home` and no setting of the hubs' but `variables`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(NAMES) and not key.lower().endswith("_proxy")}
    return {**kept, "HOME": str(home), "HF_HUB_DISABLE_XET": "1", **{key: str(value) for key, value in variables.items()}}


def fetch(script, name, variables, *, revision="", offline=False, patterns=()):
    """What `script` prints last: the folder of the model. Raises CalledProcessError."""
    command = [sys.executable, "-c", script, name, revision, "offline" if offline else "", *patterns]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.strip().splitlines()[-1]


def tree(folder):
    """{path: what is there}: the target of a link, the bytes of a file, None of a folder. Nothing of the locks."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name.split("/")[0] in (".locks", ".lock"):
            continue
        found[name] = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
    return found

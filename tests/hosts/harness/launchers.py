"""The launchers that a job's agents are."""

import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
LAUNCHERS = {
    "mdl-launch": Path(os.environ.get("MDL_BIN_DIR", REPOSITORY / "build/release/bin")) / "mdl-launch",
    "torchrun": Path(sys.executable).parent / "torchrun",
}

#!/usr/bin/env bash
# mdl-toolkit on this machine's GPU: does it compute what it must, how fast, in how much memory? accept.sh --help
#
# Needs Python 3.11 or newer with torch, transformers, peft, safetensors, pyarrow and numpy, as `python3` or in MDL_PYTHON. The programs and
# inputs lie beside this file where scripts/gpu/pack.sh has packed it.
set -euo pipefail
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
export PYTHONDONTWRITEBYTECODE=1
exec "${MDL_PYTHON:-python3}" "$here/main.py" "$@"

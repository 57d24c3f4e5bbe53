#!/usr/bin/env bash
# mdl-toolkit on this machine's GPU: does it compute what it must, how fast, in how much memory? accept.sh --help
#
# Needs Python 3.11 or newer with torch, transformers, peft, safetensors, pyarrow and numpy, as `python3` or in MDL_PYTHON. The programs and
# inputs lie beside this file where scripts/gpu/pack.sh has packed it; in a checkout they and Python are those of scripts/demo.sh.
set -euo pipefail
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
export PYTHONDONTWRITEBYTECODE=1
made=${MDL_VENV:-$here/../../build/venv}/bin/python
[ ! -d "$here/toolkit" ] && [ -x "$made" ] || made=python3
exec "${MDL_PYTHON:-$made}" "$here/main.py" "$@"

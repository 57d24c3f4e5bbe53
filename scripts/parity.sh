#!/usr/bin/env bash
# The comparisons with the Python model, processor, Trainer and mdl-toolkit once more, in the environment that MiDashengLM's published remote
# code is made for: transformers 4.57 and torch 2.11, in build/venv-4.57. Extra arguments go to ctest: scripts/parity.sh --verbose
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/.."
. scripts/lib.sh

scripts/setup.sh --reference
say "building"
build release
say "comparing with $(build/venv-4.57/bin/python -c 'import torch, transformers; print("transformers", transformers.__version__, "and torch", torch.__version__)')"
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
ctest --test-dir build/release --output-on-failure -R '^parity:' "$@"

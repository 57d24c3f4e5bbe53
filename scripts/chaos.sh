#!/usr/bin/env bash
# Faults on three hosts (network namespaces; needs root): scripts/chaos.sh --help
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/.."
. scripts/lib.sh

venv=${MDL_VENV:-build/venv}
export PYTHONDONTWRITEBYTECODE=1
check_options scripts/chaos/options.py "$@"
{
  [ -n "${MDL_VENV:-}" ] || scripts/setup.sh --peers
  build release mdl-launch mdl-toolkit shifted_clock
} >&2
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
exec "$venv/bin/python" scripts/chaos/main.py --bin-dir "$PWD/build/release/bin" --work "$PWD/build/chaos" "$@"

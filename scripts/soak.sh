#!/usr/bin/env bash
# Thousands of restarts and rendezvous rounds against one launcher: scripts/soak.sh --help
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/.."
. scripts/lib.sh

export PYTHONDONTWRITEBYTECODE=1
check_options scripts/soak/options.py "$@"
{
  [ -n "${MDL_VENV:-}" ] || scripts/setup.sh --peers
  build release mdl-launch
} >&2
exec "${MDL_VENV:-build/venv}/bin/python" scripts/soak/main.py --bin-dir "$PWD/build/release/bin" --work "$PWD/build/soak" "$@"

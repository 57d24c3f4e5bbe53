#!/usr/bin/env bash
# MiDashengLM 7B at its true size on CPUs: scripts/check_7b.sh --help
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/.."
. scripts/lib.sh

export PYTHONDONTWRITEBYTECODE=1
check_options scripts/check_7b/options.py "$@"
{
  [ -n "${MDL_VENV:-}" ] || scripts/setup.sh --peers
  build release mdl-toolkit
} >&2
exec "${MDL_VENV:-build/venv}/bin/python" scripts/check_7b/main.py --bin-dir "$PWD/build/release/bin" --work "$PWD/build/check_7b" "$@"

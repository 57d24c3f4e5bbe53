#!/usr/bin/env bash
# One source, several versions of LibTorch: builds mdl-toolkit with each, and trains the demo with each, to equal losses.
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/.."
. scripts/lib.sh

usage() {
  cat <<'TEXT'
usage: scripts/libtorch_versions.sh [X.Y.Z…]

  X.Y.Z     versions of LibTorch (2.8.0 2.11.0 2.15.0)
  MDL_VENV  environment variable: the virtual environment with what scripts/setup.sh --peers brings (default: build/venv)

Each version gets a virtual environment (6 GB) and a build of its own, which stay: build/venv-torchX.Y and build/release-torchX.Y. An hour on two
cores the first time. Prints a table of losses, and ends with 1 where they differ by more than rounding does.
TEXT
}
case "${1:-}" in -h | --help) usage; exit 0 ;; -*) usage >&2; exit 2 ;; esac
versions=("$@")
[ $# -gt 0 ] || versions=(2.8.0 2.11.0 2.15.0)

for version in "${versions[@]}"; do
  [[ "$version" =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "libtorch_versions.sh: $version is no version such as 2.11.0" >&2; exit 2; }
done

work=build/libtorch_versions
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false OMP_NUM_THREADS=1
[ -n "${MDL_VENV:-}" ] || scripts/setup.sh --peers
rm -rf "$work"
for version in "${versions[@]}"; do
  minor=${version%.*}
  say "LibTorch $version"
  scripts/setup.sh --torch "$version"
  build_for_torch "$minor" mdl-launch mdl-toolkit
  bin=$PWD/build/release-torch$minor/bin
  [ -d "$work/inputs" ] || make_demo_inputs "$work/inputs" "$bin" "$(realpath "${MDL_VENV:-build/venv}")/bin/python"
  "$bin/mdl-toolkit" --libraries train >"$work/$version.libraries.json"
  demo_training "$bin" "$work/inputs" "$work/$version"
  "${command[@]}" --report-to json >"$work/$version.log" 2>&1 || { cat "$work/$version.log" >&2; exit 1; }
done

say "losses"
python3 scripts/checks/compare_losses.py "$work" "${versions[@]}"

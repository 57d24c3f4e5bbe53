#!/usr/bin/env bash
# Installs what the build needs: packages of the system (apt; for dnf it names them), and Python wheels in build/venv. Safe to run again; asks
# nothing. Without root it is enough that everything is there.
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
usage: scripts/setup.sh [--peers] [--reference] [--launcher-only] [--packages] [--torch X.Y[.Z]]

  --peers          also the real torchrun's friends that tests and the demo use: transformers, peft, accelerate, datasets,
                   the Python mdl-toolkit, Debian's sounds and its Prometheus (where systemd runs, that package starts a server at port
                   9090: systemctl disable --now prometheus)
  --reference      also build/venv-4.57, for scripts/parity.sh: the Python stack that MiDashengLM's published remote code is made for
                   (6 GB, three minutes)
  --launcher-only  only what mdl-launch needs: no LibTorch, no Python
  --packages       also what scripts/package.sh needs: GCC 12 for x86-64 and 64-bit ARM, patchelf, and qemu to try what is for ARM
  --torch X.Y[.Z]  not build/venv but build/venv-torchX.Y, to build mdl-toolkit with that version of LibTorch
  MDL_VENV         environment variable: another place for the virtual environment (default: build/venv)

A CMake older than 3.25 stays; PyPI's comes into build/tools/bin, where the other scripts find it.
TEXT
}

os_release=${MDL_OS_RELEASE:-/etc/os-release}  # another one: for tests
peers=0 reference=0 launcher_only=0 packaging=0 torch=
while [ $# -gt 0 ]; do
  case "$1" in
    --peers) peers=1 ;;
    --reference) peers=1 reference=1 ;;
    --launcher-only) launcher_only=1 ;;
    --packages) packaging=1 ;;
    --torch)
      torch=${2:-}
      [[ "$torch" =~ ^[0-9]+\.[0-9]+(\.[0-9]+)?$ ]] || { echo "setup.sh: --torch needs a version such as 2.11" >&2; exit 2; }
      shift
      ;;
    -h | --help) usage; exit 0 ;;
    *) echo "setup.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

say() { printf '== %s\n' "$*"; }
die() { printf 'setup.sh: %s\n' "$*" >&2; exit 1; }

. scripts/setup/python.sh
. scripts/setup/system.sh

groups=(launcher)
[ "$launcher_only" = 1 ] || groups+=(worker)
[ "$peers" = 0 ] || groups+=(peers)
[ "$packaging" = 0 ] || groups+=(packages)
install_needs "${groups[@]}"
need_cmake
[ "$launcher_only" = 0 ] || exit 0

venv=${MDL_VENV:-build/venv}
lists=(scripts/requirements.txt)
[ "$peers" = 0 ] || lists+=(scripts/requirements-peers.txt)

need_python

if [ -n "$torch" ]; then
  minor=$(cut -d. -f1,2 <<<"$torch")
  venv=build/venv-torch$minor list=build/requirements-torch$minor.txt
  [ "$torch" != "$minor" ] || torch="$minor.*"
  mkdir -p build
  { echo "torch==$torch"; grep '^pyarrow==' scripts/requirements.txt; } >"$list"
  make_environment "$venv" "$list"
  add_cuda_headers "$venv" "build/requirements-torch$minor-headers.txt"
  exit 0
fi

make_environment "$venv" "${lists[@]}"
# Where FFmpeg's libraries happen to be on the system, transformers decodes with torchcodec, whose resampler gives other samples than
# soxr does: what the Python tool makes of a sound would depend on the machine. Its own fallback is soundfile and soxr, as librosa.
[ "$peers" = 0 ] || "$venv/bin/python" -m pip uninstall -q --disable-pip-version-check --yes torchcodec 2>/dev/null
if [ "$reference" = 1 ]; then
  make_environment build/venv-4.57 scripts/requirements-reference.txt
  add_cuda_headers build/venv-4.57 build/requirements-4.57-headers.txt
  build/venv-4.57/bin/python -m pip install -q --disable-pip-version-check --no-deps "$(grep '^mdl-toolkit==' scripts/requirements-peers.txt)"
fi

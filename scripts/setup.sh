#!/usr/bin/env bash
# Installs what the build needs: Debian packages, and Python wheels in build/venv. Safe to run again; asks nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
usage: scripts/setup.sh [--peers] [--reference] [--launcher-only] [--packages]

  --peers          also the real torchrun's friends that tests and the demo use: transformers, peft, accelerate, datasets,
                   the Python mdl-toolkit, and Debian's sounds
  --reference      also build/venv-4.57, for scripts/parity.sh: the Python stack that MiDashengLM's published remote code is made for
                   (6 GB, three minutes)
  --launcher-only  only what mdl-launch needs: no LibTorch, no Python
  --packages       also what scripts/package.sh needs: GCC 12 for x86-64 and 64-bit ARM, and qemu to try the latter
  MDL_VENV         environment variable: another place for the virtual environment (default: build/venv)
TEXT
}

peers=0 reference=0 launcher_only=0 packaging=0
for arg in "$@"; do
  case "$arg" in
    --peers) peers=1 ;;
    --reference) peers=1 reference=1 ;;
    --launcher-only) launcher_only=1 ;;
    --packages) packaging=1 ;;
    -h | --help) usage; exit 0 ;;
    *) echo "setup.sh: unknown option $arg" >&2; usage >&2; exit 2 ;;
  esac
done

say() { printf '== %s\n' "$*"; }
die() { printf 'setup.sh: %s\n' "$*" >&2; exit 1; }

packages=(g++ cmake ninja-build mold ccache libboost-dev libboost-program-options-dev nlohmann-json3-dev libyaml-cpp-dev libmbedtls-dev catch2)
[ "$launcher_only" = 1 ] || packages+=(python3 python3-venv ca-certificates pkg-config libsndfile1-dev libvorbis-dev libsoxr-dev
  libpcre2-dev libutf8proc-dev libcurl4-openssl-dev libsimdjson-dev)
[ "$peers" = 0 ] || packages+=(sound-theme-freedesktop alsa-utils iproute2 nftables openssl procps tcsh zsh)

[ "$packaging" = 0 ] || packages+=(g++-12 g++-12-aarch64-linux-gnu python3 python3-venv qemu-user-static)

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ]; then
    say "installing Debian packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  else
    die "these Debian packages are missing: ${missing[*]}
  Ask root to run: apt-get install ${missing[*]}"
  fi
else
  say "Debian packages: all ${#packages[@]} are there"
fi
[ "$launcher_only" = 0 ] || exit 0

venv=${MDL_VENV:-build/venv}
lists=(scripts/requirements.txt)
[ "$peers" = 0 ] || lists+=(scripts/requirements-peers.txt)

# A Python that can make virtual environments: the user's, else Debian's.
python=
for candidate in python3 /usr/bin/python3; do
  if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
[ -n "$python" ] || die "no Python 3.10 or newer with the modules venv and ensurepip was found"

# make_environment VENV LIST…: a virtual environment with the wheels of these lists. What is there already is left as it is.
make_environment() {
  local venv=$1 list stamp
  shift
  mkdir -p "$(dirname "$venv")"
  if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    say "making a virtual environment in $venv"
    rm -rf "$venv"
    "$python" -m venv "$venv"
  fi
  for list in "$@"; do
    stamp=$venv/.installed-$(basename "$list")
    if cmp -s "$list" "$stamp"; then
      say "wheels of $list: all there"
    else
      say "installing the wheels of $list (the first time, torch and its CUDA are about 3 GB)"
      "$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$list"
      cp "$list" "$stamp"
    fi
  done
}

make_environment "$venv" "${lists[@]}"
if [ "$reference" = 1 ]; then
  make_environment build/venv-4.57 scripts/requirements-reference.txt
  build/venv-4.57/bin/python -m pip install -q --disable-pip-version-check --no-deps "$(grep '^mdl-toolkit==' scripts/requirements-peers.txt)"
fi

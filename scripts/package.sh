#!/usr/bin/env bash
# Makes what users install, in dist/: mdl-launch as a wheel, a Debian package and a .tar.gz, for x86-64 and 64-bit ARM, and mdl-toolkit as a
# wheel for x86-64.
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/.."
. scripts/lib.sh

usage() {
  cat <<'TEXT'
usage: scripts/package.sh [--launcher-only | --arch x86_64|aarch64 | --torch X.Y]

  --launcher-only  only mdl-launch: no LibTorch, no minutes
  --arch           only mdl-launch, for this processor
  --torch          only mdl-toolkit's wheel for this version of LibTorch, such as 2.11. Without it: for the one in build/venv
  MDL_VENV         environment variable: another place for that virtual environment
  MDL_NO_SETUP=1   environment variable: the packages of scripts/setup.sh --packages are there; do not look

A package replaces those of its kind with other versions; what else lies in dist/ stays: other wheels, and mdl-toolkit's for other versions of
LibTorch.

Needs Debian 12 on x86-64. The version is git's: that of a tag vX.Y.Z (vX.Y.ZrcN, vX.Y.Z.postN), else X.Y.Z.devN+gCOMMIT, which a
shallow clone cannot count; mdl-toolkit's has +torchX.Y behind it.
TEXT
}

archs=(x86_64 aarch64) only= torch=
one_of() {
  [ -z "$only" ] || { echo "package.sh: $only and $1 are two things; give one of them" >&2; exit 2; }
  only=$1
}
while [ $# -gt 0 ]; do
  case "$1" in
    --launcher-only) one_of "$1"; shift ;;
    --arch) one_of "$1"; archs=("${2:?--arch needs a value}"); shift 2 ;;
    --torch) one_of "$1"; torch=${2:?--torch needs a value}; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) echo "package.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
done
for arch in "${archs[@]}"; do
  case "$arch" in x86_64 | aarch64) ;; *) echo "package.sh: there is no --arch $arch; it may be x86_64 or aarch64" >&2; exit 2 ;; esac
done
[[ -z "$torch" || "$torch" =~ ^[0-9]+\.[0-9]+$ ]] || { echo "package.sh: --torch $torch is no version such as 2.11" >&2; exit 2; }

time=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CMakeLists.txt)
set_up() {
  [ "${MDL_NO_SETUP:-0}" = 1 ] || scripts/setup.sh --packages "$@"
  mkdir -p build
  cmake -DSOURCE="$PWD" -DVERSION=0 -DOUTPUT="$PWD/build/version_of_package.h" -DSTRICT=ON -P cmake/write_version.cmake
}
preset_of() { if [ "$1" = x86_64 ]; then echo portable; else echo "portable-$1"; fi; }

package_launcher() {
  local arch version
  set_up --launcher-only
  say "building mdl-launch"
  scripts/package/sysroot.sh x86_64
  build portable write_manual  # runs here; what it writes is for every processor
  for arch in "${archs[@]}"; do
    scripts/package/sysroot.sh "$arch"
    build "$(preset_of "$arch")" mdl-launch
  done
  say "packaging mdl-launch"
  rm -rf build/manual
  build/portable/bin/write_manual build/manual
  version=$(sed -n 's/^#define MDL_VERSION "\(.*\)"$/\1/p' build/portable/common/version/mdl_version.h)
  for arch in "${archs[@]}"; do
    python3 scripts/package/make.py --program "build/$(preset_of "$arch")/bin/mdl-launch" --manual build/manual --version "$version" \
      --time "$time" --root "build/sysroot/$arch" --output dist
  done
}

package_worker() {
  local folder=build/release
  if [ -n "$torch" ]; then
    set_up --torch "$torch"
    folder=build/release-torch$torch
    say "building mdl-toolkit for LibTorch $torch"
    build_for_torch "$torch" mdl-toolkit
  else
    set_up
    say "building mdl-toolkit"
    build release mdl-toolkit
  fi
  say "packaging mdl-toolkit"
  python3 scripts/package/make_worker.py --programs "$folder/bin" --time "$time" --output dist
}

if [ -z "$torch" ]; then
  package_launcher
fi
case "$only" in "" | --torch) package_worker ;; esac
ls -l dist

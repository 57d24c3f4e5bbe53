#!/usr/bin/env bash
# Makes what users install, in dist/: mdl-launch as a wheel, a Debian package and a .tar.gz, for x86-64 and 64-bit ARM.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

usage() {
  cat <<'TEXT'
usage: scripts/package.sh [--arch x86_64|aarch64]

  --arch       only for this processor (default: both)
  MDL_NO_SETUP=1  environment variable: the packages of scripts/setup.sh --packages are there; do not look

Needs Debian 12 on x86-64. The version is git's: that of a tag vX.Y.Z, else X.Y.Z.devN+gCOMMIT.
TEXT
}

archs=(x86_64 aarch64)
while [ $# -gt 0 ]; do
  case "$1" in
    --arch) archs=("${2:?--arch needs a value}"); shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) echo "package.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
done
for arch in "${archs[@]}"; do
  case "$arch" in x86_64 | aarch64) ;; *) echo "package.sh: there is no --arch $arch; it may be x86_64 or aarch64" >&2; exit 2 ;; esac
done

[ "${MDL_NO_SETUP:-0}" = 1 ] || scripts/setup.sh --launcher-only --packages

preset_of() { if [ "$1" = x86_64 ]; then echo portable; else echo "portable-$1"; fi; }

say "building"
scripts/package/sysroot.sh x86_64
build portable write_manual  # runs here; what it writes is for every processor
for arch in "${archs[@]}"; do
  scripts/package/sysroot.sh "$arch"
  build "$(preset_of "$arch")" mdl-launch
done

say "packaging"
rm -rf build/manual dist
build/portable/bin/write_manual build/manual
version=$(sed -n 's/^#define MDL_VERSION "\(.*\)"$/\1/p' build/portable/common/version/mdl_version.h)
time=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CMakeLists.txt)
for arch in "${archs[@]}"; do
  python3 scripts/package/make.py --program "build/$(preset_of "$arch")/bin/mdl-launch" --manual build/manual --version "$version" --time "$time" \
    --root "build/sysroot/$arch" --output dist
done
ls -l dist

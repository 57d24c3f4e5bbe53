#!/usr/bin/env bash
# Installs what lies in dist/ in other systems and tries it there. Prints a table of where it starts. Not part of CI.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

usage() {
  cat <<'TEXT'
usage: scripts/portability.sh

Needs root, debootstrap, qemu-user-static, and the packages of both processors in dist/ (scripts/package.sh). Debian 11 and 13 are
fetched into build/roots (0.5 GB) the first time. The table goes to build/portability.md, too. Ends with 1 where something failed.
TEXT
}
case "${1:-}" in
  "") ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac
[ "$(id -u)" = 0 ] || { echo "portability.sh: chroot needs root" >&2; exit 1; }
for tool in debootstrap qemu-aarch64-static python3; do
  command -v $tool >/dev/null || { echo "portability.sh: there is no $tool; apt-get install debootstrap qemu-user-static python3" >&2; exit 1; }
done
debs=(dist/mdl-launch_*_amd64.deb) archives=(dist/mdl-launch-*-linux-aarch64.tar.gz) names=(dist/mdl-launch-as-torchrun_*_all.deb)
for file in "${debs[0]}" "${archives[0]}" "${names[0]}"; do
  [ -e "$file" ] || { echo "portability.sh: there is no $file; run scripts/package.sh" >&2; exit 1; }
done

mirror=${MDL_DEBIAN_MIRROR:-http://deb.debian.org/debian}
failed=0 table=build/portability.md
row() { printf '| %s | %s | %s | %s |\n' "$@" >>"$table"; }
printf '| system | glibc | mdl-launch | how this is known |\n|---|---|---|---|\n' >"$table"

# tried SYSTEM GLIBC HOW COMMAND…: a row of the table, and a note where it fails.
tried() {
  local system=$1 glibc=$2 how=$3 result=starts
  shift 3
  "$@" || { result='**fails**'; failed=1; }
  row "$system" "$glibc" "$result" "$how"
}
glibc_of() { chroot "$1" dpkg-query -W -f '${Version}' libc6 | sed 's/-.*//'; }

# In a mount namespace of its own, so that nothing stays mounted.
inside() {
  local root=$1
  shift
  # shellcheck disable=SC2016
  unshare --mount sh -c 'mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" && exec chroot "$@"' sh "$root" "$@"
}

try_debian() {
  local suite=$1 name=$2 root=$PWD/build/roots/$1
  if [ ! -e "$root/.complete" ]; then
    say "fetching $name"
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase "$suite" "$root" "$mirror" >"build/debootstrap-$suite.log" 2>&1 || { tail "build/debootstrap-$suite.log" >&2; exit 1; }
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"  # which an installed system has
    touch "$root/.complete"
  fi
  say "$name"
  cp "${debs[0]}" "${names[0]}" scripts/package/try_launcher.sh "$root/tmp/"
  chroot "$root" dpkg -i "/tmp/$(basename "${debs[0]}")" "/tmp/$(basename "${names[0]}")" >"build/install-$suite.log" 2>&1 ||
    { cat "build/install-$suite.log" >&2; failed=1; }
  tried "$name" "$(glibc_of "$root")" "run: the .deb installed in debootstrap's $suite" inside "$root" sh /tmp/try_launcher.sh mdl-launch
  tried "$name, as torchrun" "$(glibc_of "$root")" "run: mdl-launch-as-torchrun beside it" \
    inside "$root" torchrun --standalone --nproc-per-node 2 --no-python sh -c 'test "$WORLD_SIZE" = 2'
}

try_arm() {
  local folder=$PWD/build/roots/aarch64
  say "64-bit ARM"
  scripts/package/sysroot.sh aarch64
  rm -rf "$folder"
  mkdir -p "$folder"
  tar -xzf "${archives[0]}" -C "$folder" --strip-components=1
  # The launcher is ARM's; so is what it starts, where a program of this machine's kind starts another of ours.
  tried "Debian 11's C library, 64-bit ARM" 2.31 "run: the .tar.gz under qemu-user" \
    sh scripts/package/try_launcher.sh qemu-aarch64-static -L "$PWD/build/sysroot/aarch64" "$folder/bin/mdl-launch"
}

# What cannot be had here: the versions of the symbols that the file asks for, beside the system's glibc.
calculate() {
  local program=build/roots/bullseye/usr/bin/mdl-launch
  while read -r glibc system; do
    if python3 scripts/package/symbol_versions.py --glibc "$glibc" "$program" >/dev/null 2>&1; then result=starts; else result='does not start'; fi
    row "$system" "$glibc" "$result" "calculated from symbol versions"
  done <<'SYSTEMS'
2.17 RHEL 7, CentOS 7
2.28 RHEL 8, Debian 10
2.31 Ubuntu 20.04
2.34 RHEL 9, Amazon Linux 2023
2.35 Ubuntu 22.04
2.39 Ubuntu 24.04, RHEL 10
SYSTEMS
}

try_debian bullseye "Debian 11"
if grep -q '^VERSION_ID="12"' /etc/os-release; then
  say "Debian 12, this machine"
  mkdir -p build/roots/here
  dpkg-deb -x "${debs[0]}" build/roots/here
  tried "Debian 12" 2.36 "run: this machine" sh scripts/package/try_launcher.sh build/roots/here/usr/bin/mdl-launch
fi
try_debian trixie "Debian 13"
try_arm
calculate
say "where it starts"
cat "$table"
exit $failed

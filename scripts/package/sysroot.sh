#!/usr/bin/env bash
# Makes build/sysroot/ARCH: headers and libraries of scripts/package/sysroot.txt, for cmake/portable.cmake. Needs no root: apt fetches
# into folders of its own and checks Debian's signatures. What is there already is left as it is.
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/../.."

usage() {
  cat <<'USAGE'
usage: scripts/package/sysroot.sh x86_64|aarch64

  MDL_DEBIAN_MIRROR  environment variable: where packages come from (default: http://deb.debian.org/debian)
USAGE
}

case "${1:-}" in
  x86_64) debian_arch=amd64 ;;
  aarch64) debian_arch=arm64 ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac
arch=$1 list=scripts/package/sysroot.txt
root=$PWD/build/sysroot/$arch apt=$PWD/build/sysroot/apt-$arch
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=${MDL_DEBIAN_MIRROR:-http://deb.debian.org/debian}
if cmp -s "$list" "$root/.made-of"; then exit 0; fi
for tool in apt-get dpkg-deb; do
  command -v $tool >/dev/null || { echo "sysroot.sh: there is no $tool; make the packages on Debian or Ubuntu" >&2; exit 1; }
done
[ -e $keyring ] || { echo "sysroot.sh: there is no $keyring; install debian-archive-keyring" >&2; exit 1; }

rm -rf "$root" "$apt"
mkdir -p "$apt"/{lists/partial,archives/partial,etc/apt.conf.d,etc/preferences.d} "$root.new"
cat >"$apt/apt.conf" <<CONF
Dir "$apt";
Dir::Etc "$apt/etc";
Dir::State "$apt";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt";
APT::Architecture "$debian_arch";
APT::Architectures { "$debian_arch"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
touch "$apt/status"
for suite in $(sed 's/#.*//' $list | awk 'NF { print $1 }' | sort -u); do
  echo "deb [signed-by=$keyring] $mirror $suite main"
done >"$apt/etc/sources.list"

echo "== fetching the sysroot for $arch"
export APT_CONFIG=$apt/apt.conf
apt-get update -qq
mapfile -t packages < <(sed 's/#.*//' $list | awk 'NF { print $2 "=" $3 }')
(cd "$apt/archives" && apt-get download -qq "${packages[@]}")
for package in "$apt"/archives/*.deb; do dpkg-deb -x "$package" "$root.new"; done

# Debian's links between libraries name places from the system's root.
find "$root.new" -type l -lname '/*' | while read -r link; do
  ln -sfnr "$root.new$(readlink "$link")" "$link"
done
# Only the unwinder is Debian 11's: the rest of the compiler's run-time library goes with the compiler.
mkdir "$root.new/unwinder"
mv "$root.new/usr/lib/gcc/$arch-linux-gnu/10/libgcc_eh.a" "$root.new/unwinder/"
rm -r "$root.new/usr/lib/gcc/$arch-linux-gnu/10"
cp $list "$root.new/.made-of"
rm -rf "$apt"
mv "$root.new" "$root"

#!/usr/bin/env bash
# Installs what lies in dist/ in other systems and tries it there. Prints a table of what runs where. Not part of CI.
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/.."
. scripts/lib.sh

usage() {
  cat <<'TEXT'
usage: scripts/portability.sh [--source]

  --source   also builds the sources, in Debian 13 and here with each compiler that is here, and runs the tests of the launcher and what it is
             made of (an hour on two cores); without it that column is empty
  MDL_VENV   environment variable: the virtual environment with LibTorch, and with what --peers brings (default: build/venv)
  MDL_DEBIAN_MIRROR  where Debian's packages come from (default: http://deb.debian.org/debian)

Needs root, debootstrap, qemu-user-static, and the packages of both processors in dist/ (scripts/package.sh). Debian 11 and 13 are
fetched into build/roots (1 GB) the first time. The table goes to build/portability.md, too, and what each step said to build/portability.
Ends with 1 where something failed.
TEXT
}
source=0
case "${1:-}" in
  "") ;;
  --source) source=1 ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac
[ "$(id -u)" = 0 ] || { echo "portability.sh: chroot needs root" >&2; exit 1; }
for tool in debootstrap qemu-aarch64-static python3; do
  command -v $tool >/dev/null || { echo "portability.sh: there is no $tool; apt-get install debootstrap qemu-user-static python3" >&2; exit 1; }
done
debs=(dist/mdl-launch_*_amd64.deb) archives=(dist/mdl-launch_*_linux_aarch64.tar.gz) names=(dist/mdl-launch-as-torchrun_*_all.deb)
venv=$(realpath "${MDL_VENV:-build/venv}")
sites=("$venv"/lib/python3*/site-packages)
[ -e "${sites[0]}/torch/version.py" ] || { echo "portability.sh: there is no LibTorch in $venv; run scripts/setup.sh --peers" >&2; exit 1; }
minor=$(sed -n "s/^__version__ = '\([0-9]*\.[0-9]*\).*/\1/p" "${sites[0]}/torch/version.py")
wheels=(dist/mdl_toolkit_native-*"torch$minor"-*_x86_64.whl)  # dist/ may have others, too
for file in "${debs[0]}" "${archives[0]}" "${names[0]}" "${wheels[0]}"; do
  [ -e "$file" ] || { echo "portability.sh: there is no $file; run scripts/package.sh" >&2; exit 1; }
done

mkdir -p build/portability
. scripts/portability/systems.sh
. scripts/portability/worker.sh
. scripts/portability/source.sh
. scripts/portability/container.sh

try_debian bullseye "Debian 11"
if grep -q '^VERSION_ID="12"' /etc/os-release; then try_here "Debian 12"; fi
try_debian trixie "Debian 13"
try_arm "Debian 11's C library, 64-bit ARM"
try_container
calculate
say "whether auditwheel agrees with the wheels' names"
if [ ! -x build/auditwheel/bin/auditwheel ]; then
  python3 -m venv build/auditwheel
  build/auditwheel/bin/pip install -q --disable-pip-version-check auditwheel==6.8.2
fi
agrees=0
python3 scripts/package/audit.py build/auditwheel/bin/auditwheel dist/*-manylinux_*.whl || agrees=1
say "what runs where"
print_table | tee build/portability.md
if grep -q '\*\*' build/portability.md; then exit 1; fi
exit $agrees

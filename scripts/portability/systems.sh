# Sourced by portability.sh: the systems, and the cells of the table. What went wrong stands in asterisks.

systems=()
declare -A cells

# cell SYSTEM COLUMN TEXT
cell() {
  [ -n "${cells[$1/glibc]:-}" ] || systems+=("$1")  # the first cell of a system is its glibc
  cells[$1/$2]=$3
}

print_table() {
  local system
  printf '| system | glibc | launcher | worker | source |\n|---|---|---|---|---|\n'
  for system in "${systems[@]}"; do
    printf '| %s | %s | %s | %s | %s |\n' "$system" "${cells[$system/glibc]}" "${cells[$system/launcher]:-}" "${cells[$system/worker]:-}" "${cells[$system/source]:-}"
  done
}

glibc_of() { chroot "$1" dpkg-query -W -f '${Version}' libc6 | sed 's/-.*//'; }

# inside ROOT COMMAND…: LibTorch is in /site-packages, the data of try_worker.sh in /data. pip fetches as it does here, also through a proxy.
inside() {
  local root=$1 binds=("${sites[0]}:/site-packages" "$PWD/build/portability/data:/data" /usr/share/sounds:/usr/share/sounds)
  local certificates=/etc/ssl/certs/ca-certificates.crt
  shift
  mkdir -p build/portability/data
  [ ! -e /etc/pip.conf ] || binds+=(/etc/pip.conf:/etc/pip.conf)
  [ ! -e $certificates ] || binds+=("$certificates:/certificates.crt")
  PIP_CERT=${PIP_CERT:+/certificates.crt} unshare --mount sh scripts/portability/enter.sh "$root" "${binds[@]}" -- "$@"
}

# launcher_cell SYSTEM COMMAND…: the command tries it.
launcher_cell() {
  local system=$1
  shift
  if "$@" >"$log" 2>&1; then cell "$system" launcher yes; else cat "$log" >&2; cell "$system" launcher "**fails: see $log**"; fi
}

# fetch_debian SUITE: into build/roots.
fetch_debian() {
  local root=$PWD/build/roots/$1 log=build/portability/debootstrap-$1.log
  [ ! -e "$root/.complete" ] || return 0
  say "fetching Debian's $1"
  rm -rf "$root"
  mkdir -p "$root"
  debootstrap --variant=minbase "$1" "$root" "${MDL_DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$log" 2>&1 || { tail "$log" >&2; exit 1; }
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"  # which an installed system has
  touch "$root/.complete"
}

try_debian() {
  local suite=$1 system=$2 root=$PWD/build/roots/$1 log=build/portability/launcher-$1.log
  fetch_debian "$suite"
  say "$system"
  cell "$system" glibc "$(glibc_of "$root")"
  cp "${debs[0]}" "${names[0]}" scripts/package/try_launcher.sh "$root/tmp/"
  launcher_cell "$system" inside "$root" sh -ec 'cd /tmp; dpkg -i "$@"; sh /tmp/try_launcher.sh mdl-launch
    torchrun --standalone --nproc-per-node 2 --no-python sh -c "test \"\$WORLD_SIZE\" = 2"' sh "$(basename "${debs[0]}")" "$(basename "${names[0]}")"
  worker_in "$suite" "$system"
  [ "$source" = 0 ] || sources_in "$suite" "$system"
}

try_here() {
  local system=$1 root=$PWD/build/roots/here log=build/portability/launcher-here.log
  say "$system, this machine"
  cell "$system" glibc "$(ldd --version | sed -n '1s/.* //p')"
  rm -rf "$root"
  mkdir -p "$root"
  dpkg-deb -x "${debs[0]}" "$root"
  launcher_cell "$system" sh scripts/package/try_launcher.sh "$root/usr/bin/mdl-launch"
  worker_here "$system" "$root/usr/bin/mdl-launch"
  [ "$source" = 0 ] || sources_here "$system"
}

try_arm() {
  local system=$1 folder=$PWD/build/roots/aarch64 log=build/portability/launcher-aarch64.log
  say "64-bit ARM"
  scripts/package/sysroot.sh aarch64
  rm -rf "$folder"
  mkdir -p "$folder"
  tar -xzf "${archives[0]}" -C "$folder" --strip-components=1
  cell "$system" glibc 2.31
  # The launcher is ARM's; so is what it starts, where a program of this machine's kind starts another of ours.
  launcher_cell "$system" sh scripts/package/try_launcher.sh qemu-aarch64-static -L "$PWD/build/sysroot/aarch64" "$folder/bin/mdl-launch"
  cell "$system" worker "none is made"
}

# asks_for GLIBC GLIBCXX FILE…: "yes", or what the files ask for that is newer.
asks_for() {
  local said newer
  if said=$(python3 scripts/package/symbol_versions.py --glibc "$1" --glibcxx "$2" "${@:3}" 2>&1 >/dev/null); then
    echo yes
  else
    newer=$(sed -n 's/.* needs \([A-Z0-9_.]*\);.*/\1/p' <<<"$said" | sort -uV | tail -1)
    if [ -n "$newer" ]; then echo "no: it asks for $newer"; else echo "**$said**"; fi
  fi
}

# What cannot be had here: the versions of the symbols that the files ask for, beside what the system's libraries have.
calculate() {
  local glibc glibcxx system source_cell programs
  mapfile -t programs < <(worker_programs)
  [ ${#programs[@]} -gt 0 ] || { echo "portability.sh: no programs in ${wheels[0]}" >&2; exit 1; }
  while IFS='|' read -r system source_cell; do
    read -r glibc glibcxx system <<<"$system"
    cell "$system" glibc "$glibc"
    cell "$system" launcher "calculated: $(asks_for "$glibc" "$glibcxx" build/roots/bullseye/usr/bin/mdl-launch)"
    cell "$system" worker "calculated: $(asks_for "$glibc" "$glibcxx" "${programs[@]}")"
    cell "$system" source "expected: $source_cell"
  done < <(sed '/^#/d' scripts/portability/systems.txt)
}

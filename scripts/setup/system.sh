# Sourced by setup.sh: what the system has of needs.txt, and its packages. A need is met by what a build would find, whoever installed it.

cxx=${CXX:-c++}  # as CMake takes it

# there KIND:NAME[,NAME…]: whether one of the names is there.
there() {
  local kind=${1%%:*} name names
  IFS=, read -ra names <<<"${1#*:}"
  for name in "${names[@]}"; do
    case "$kind" in
      compiler) command -v "$cxx" ;;
      command) command -v "$name" || { PATH=$PATH:/usr/sbin:/sbin command -v "$name"; } ;;
      file) [ -e "$name" ] ;;
      header) printf '#if !__has_include(<%s>)\n#error none\n#endif\n' "$name" | "$cxx" -std=c++20 -x c++ -fsyntax-only - ;;
      library) printf 'int main() {}\n' | "$cxx" -x c++ - -l"$name" -o /dev/null ;;
      archive) [ -e "$("$cxx" -print-file-name="lib$name.a")" ] ;;
      python) find_python 3.0 "$name" ;;
    esac >/dev/null 2>&1 && return 0
  done
  return 1
}

# missing_needs GROUP…: sets the array `missing` to the lines of needs.txt that are not met, and `wished` to those that a build goes without.
missing_needs() {
  local group need apt dnf from
  missing=() wished=()
  while read -r group need apt dnf from; do
    case " $* " in *" ${group%\?} "*) ;; *) continue ;; esac
    there "$need" </dev/null && continue
    if [ "$group" = "${group%\?}" ]; then missing+=("$need $apt $dnf $from"); else wished+=("$need $apt $dnf $from"); fi
  done < <(sed 's/^ *#.*//; /^$/d' scripts/setup/needs.txt)
}

# column N LINE…: the Nth word of each line, each once.
column() {
  local n=$1
  shift
  [ $# = 0 ] || printf '%s\n' "$@" | awk -v n="$n" '!seen[$n]++ { print $n }'
}

# apt_name A|B: the first that apt knows; A where it knows none.
apt_name() {
  local name names
  IFS='|' read -ra names <<<"$1"
  for name in "${names[@]}"; do
    if apt-cache show "$name" >/dev/null 2>&1; then echo "$name"; return; fi
  done
  echo "${names[0]}"
  return 1
}

# with_apt: installs what is missing; where that takes another user, says what it takes.
with_apt() {
  local packages=() name
  if [ "$(id -u)" != 0 ]; then
    [ ${#missing[@]} -gt 0 ] || return 0
    die "these are missing: $(column 1 "${missing[@]}" | paste -sd ' ')
  Ask root to run: apt-get install $(column 2 "${missing[@]}" | sed 's/|.*//' | paste -sd ' ')"
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  for name in $(column 2 "${missing[@]}"); do
    packages+=("$(apt_name "$name")") || die "apt knows no package $name. On Ubuntu it is in universe: run add-apt-repository universe, and this again"
  done
  for name in $(column 2 "${wished[@]}"); do
    if name=$(apt_name "$name"); then packages+=("$name"); fi  # an older Ubuntu has no mold
  done
  [ ${#packages[@]} -gt 0 ] || return 0
  say "installing packages: ${packages[*]}"
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
}

# dnf_command ID VERSION PACKAGE…: the one command that installs them; the repositories of `missing` first.
dnf_command() {
  local id=$1 major=${2%%.*} from
  shift 2
  from=$(column 4 "${missing[@]}")
  if [ "$id" != fedora ]; then
    case "$id,$from" in
      rhel,*epel*) printf 'dnf install -y https://dl.fedoraproject.org/pub/epel/epel-release-latest-%s.noarch.rpm && ' "$major" ;;
      *,*epel*) printf 'dnf install -y epel-release && ' ;;
    esac
    case "$id,$from" in  # what is in EPEL may need it, too
      rhel,*epel* | rhel,*crb*) printf 'subscription-manager repos --enable codeready-builder-for-rhel-%s-%s-rpms && ' "$major" "$(uname -m)" ;;
      *,*epel* | *,*crb*) printf "dnf install -y 'dnf-command(config-manager)' && dnf config-manager --set-enabled crb && " ;;
    esac
  fi
  printf 'dnf install -y %s' "$*"
}

# with_dnf: says which command installs what is missing. Which repositories a system takes packages from is its owner's decision.
with_dnf() {
  local ID=linux VERSION_ID=0 PRETTY_NAME="this system" unknown packages
  [ ${#missing[@]} -gt 0 ] || return 0
  # shellcheck disable=SC1090
  [ ! -e "$os_release" ] || . "$os_release"
  if [ "$ID" != fedora ] && [ "${VERSION_ID%%.*}" -lt 9 ]; then
    die "the sources do not build on $PRETTY_NAME: its Boost, nlohmann/json and compiler are too old.
  Use the packages, which start there (docs/portability.md)"
  fi
  unknown=$(printf '%s\n' "${missing[@]}" | awk '$3 == "-" { print $2 }' | paste -sd ' ')
  [ -z "$unknown" ] || die "the packages are made on Debian 12 or newer (missing here: $unknown)"
  mapfile -t packages < <(column 3 "${missing[@]}")
  die "these are missing on $PRETTY_NAME: $(column 1 "${missing[@]}" | paste -sd ' ')
  As root: $(dnf_command "$ID" "$VERSION_ID" "${packages[@]}")"
}

# refuse_old_compiler: CMake would say the same, after all is installed.
refuse_old_compiler() {
  local gcc clang
  read -r gcc clang < <(printf '__GNUC__ __clang_major__\n' | "$cxx" -E -P -x c++ - 2>/dev/null) || return 0
  case "$clang" in
    *[!0-9]*) [ "$gcc" -ge 11 ] || die "$cxx is GCC $gcc, and 11 or newer is needed. Where there is one: CXX=g++-11 scripts/setup.sh; else use the" \
      "packages, which start here (docs/portability.md)" ;;
    *) [ "$clang" -ge 16 ] || die "$cxx is Clang $clang, and 16 or newer is needed. Set CXX to one, or to g++" ;;
  esac
}

# install_needs GROUP…: what these need is there afterwards, or the script ends with what to do.
install_needs() {
  missing_needs "$@"
  if command -v apt-get >/dev/null; then
    with_apt
    [ ${#missing[@]} = 0 ] || missing_needs "$@"
  elif command -v dnf >/dev/null; then
    with_dnf
  fi
  refuse_old_compiler
  [ ${#missing[@]} = 0 ] || die "these are missing: $(column 1 "${missing[@]}" | paste -sd ' ')
  Install them; Debian has them in $(column 2 "${missing[@]}" | paste -sd ' ')"
  say "what the build needs of the system ($*): all there"
}

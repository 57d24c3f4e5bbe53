# Sourced by setup.sh: what the system has of needs.txt, and its packages. A need is met by what a build would find, whoever installed it.

# As CMake takes it: the path of a program, or a command such as "ccache g++" or "g++ -m64".
if [ -n "${CXX:-}" ] && ! command -v "$CXX" >/dev/null; then read -ra cxx <<<"$CXX"; else cxx=("${CXX:-c++}"); fi

# there KIND:NAME[,NAME…]: whether one of the names is there.
there() {
  local kind=${1%%:*} name names
  IFS=, read -ra names <<<"${1#*:}"
  for name in "${names[@]}"; do
    case "$kind" in
      compiler) command -v "${cxx[0]}" ;;
      command) command -v "$name" || { PATH=$PATH:/usr/sbin:/sbin command -v "$name"; } ;;
      file) [ -e "$name" ] ;;
      header) printf '#if !__has_include(<%s>)\n#error none\n#endif\n' "$name" | "${cxx[@]}" -std=c++20 -x c++ -fsyntax-only - ;;
      library) printf 'int main() {}\n' | "${cxx[@]}" -x c++ - -l"$name" -o /dev/null ;;
      archive) [ -e "$("${cxx[@]}" -print-file-name="lib$name.a")" ] ;;
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

# column N LINE…: the Nth word of each line, each once; without - (none).
column() {
  local n=$1
  shift
  [ $# = 0 ] || printf '%s\n' "$@" | awk -v n="$n" '$n != "-" && !seen[$n]++ { print $n }'
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

# apt_update: once, before something is installed. A mirror that fails may be one of others.
apt_updated=0
apt_update() {
  [ "$apt_updated" = 0 ] || return 0
  apt_updated=1
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || say "apt-get update failed; going on with what apt knows"
}

# apt_install PACKAGE…
apt_install() {
  say "installing packages: $*"
  apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# with_apt: installs what is missing, and then what is wished for; where that takes another user, says what it takes.
with_apt() {
  local packages=() name
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    die "these are missing: $(column 1 "${missing[@]}" | paste -sd ' ')
  Ask root to run: apt-get install $(column 2 "${missing[@]}" | sed 's/|.*//' | paste -sd ' ')"
  fi
  apt_update
  for name in $(column 2 "${missing[@]}"); do
    packages+=("$(apt_name "$name")") || die "apt knows no package $name. On Ubuntu it is in universe: run add-apt-repository universe, and this again"
  done
  apt_install "${packages[@]}" || die "apt-get could not install them"
  for name in $(column 2 "${wished[@]}"); do
    if name=$(apt_name "$name"); then apt_install "$name" || say "a build goes without $name"; fi
  done
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

# read_os_release: sets os_id, os_like (that and what it is like), os_major (0 where its version is no number) and os_name.
read_os_release() {
  local ID=linux ID_LIKE='' VERSION_ID='' PRETTY_NAME="this system"
  # shellcheck disable=SC1090
  [ ! -r "$os_release" ] || . "$os_release"
  os_id=$ID os_like=" $ID $ID_LIKE " os_major=${VERSION_ID%%.*} os_name=$PRETTY_NAME
  [[ "$os_major" =~ ^[0-9]+$ ]] || os_major=0
}

# package_manager: apt, dnf or none: the one that is there, and of two the one of this kind of system.
package_manager() {
  local apt='' dnf=''
  ! command -v apt-get >/dev/null || apt=apt
  ! command -v dnf >/dev/null || dnf=dnf
  case "$apt$dnf,$os_like" in
    aptdnf,*" debian "* | aptdnf,*" ubuntu "* | aptdnf," linux "* | apt,*) echo apt ;;
    aptdnf,*" fedora "* | aptdnf,*" rhel "* | dnf,*) echo dnf ;;
    *) echo none ;;
  esac
}

# dnf_family: whose repositories this system has: fedora, rhel or a system like it by its ID; empty where that is unknown, as is what they hold.
dnf_family() {
  case "$os_id,$os_like" in
    fedora,*) echo fedora ;;
    rhel,* | rocky,* | almalinux,* | centos,*) [ "$os_major" = 0 ] || echo "$os_id" ;;
    amzn,* | ol,* | azurelinux,* | *" rhel "*) ;;
    *" fedora "*) echo fedora ;;
  esac
}

# with_dnf: says which command installs what is missing. Which repositories a system takes packages from is its owner's decision.
with_dnf() {
  local family unknown packages
  [ ${#missing[@]} -gt 0 ] || return 0
  family=$(dnf_family)
  case "$family" in
    "" | fedora) ;;
    *) [ "$os_major" -ge 9 ] || die "the sources do not build on $os_name: its Boost, nlohmann/json and compiler are too old.
  Use the packages, which start there (docs/portability.md)" ;;
  esac
  unknown=$(printf '%s\n' "${missing[@]}" | awk '$3 == "-" { print $2 }' | paste -sd ' ')
  [ -z "$unknown" ] || die "the packages are made on Debian 12 or newer (missing here: $unknown)"
  mapfile -t packages < <(column 3 "${missing[@]}")
  [ -n "$family" ] || die "these are missing on $os_name: $(column 1 "${missing[@]}" | paste -sd ' ')
  Install them, where its repositories have them: ${packages[*]}"
  die "these are missing on $os_name: $(column 1 "${missing[@]}" | paste -sd ' ')
  As root: $(dnf_command "$family" "$os_major" "${packages[@]}")"
}

# refuse_old_compiler: CMake would say the same, after all is installed. A compiler that is not there is a package to be installed, but one that
# CXX names.
refuse_old_compiler() {
  local gcc clang word
  for word in "${cxx[@]}"; do  # "ccache g++ -m64" are two programs
    case "$word" in -*) break ;; esac
    [ -z "${CXX:-}" ] || command -v "$word" >/dev/null || die "CXX=$CXX: no such program"
  done
  read -r gcc clang < <(printf '__GNUC__ __clang_major__\n' | "${cxx[@]}" -E -P -x c++ - 2>/dev/null) || return 0
  [[ "$gcc" =~ ^[0-9]+$ ]] || return 0
  case "$clang" in
    *[!0-9]*) [ "$gcc" -ge 11 ] || die "${cxx[*]} is GCC $gcc, and 11 or newer is needed. Where there is one: CXX=g++-11 scripts/setup.sh; else" \
      "use the packages, which start here (docs/portability.md)" ;;
    *) [ "$clang" -ge 16 ] || die "${cxx[*]} is Clang $clang, and 16 or newer is needed. Set CXX to one, or to g++" ;;
  esac
}

# install_needs GROUP…: what these need is there afterwards, or the script ends with what to do.
install_needs() {
  refuse_old_compiler  # with which no header would be found
  read_os_release
  missing_needs "$@"
  case "$(package_manager)" in
    apt)
      with_apt
      if [ ${#missing[@]} -gt 0 ]; then
        refuse_old_compiler
        missing_needs "$@"
      fi
      ;;
    dnf) with_dnf ;;
  esac
  [ ${#missing[@]} = 0 ] || die "these are missing: $(column 1 "${missing[@]}" | paste -sd ' ')
  Install them; Debian has them in $(column 2 "${missing[@]}" | sed 's/|.*//' | paste -sd ' ')
  and Fedora in $(column 3 "${missing[@]}" | paste -sd ' ')"
  [ ${#wished[@]} = 0 ] || say "a build goes without, and is faster with: $(column 2 "${wished[@]}" | paste -sd ' ')"
  say "what the build needs of the system ($*): all there"
}

# Sourced by setup.sh: Python, its environments, and what comes from PyPI.

# find_python VERSION [MODULE]: sets `python` to one that is so new, and has venv and ensurepip with `venv`: the user's, else the system's.
find_python() {
  local needed=$1 candidate modules=sys
  [ "${2:-}" != venv ] || modules=sys,venv,ensurepip
  for candidate in python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c "import $modules; sys.exit(sys.version_info < (${needed/./, }))" 2>/dev/null; then
      python=$candidate
      return
    fi
  done
  return 1
}

# need_python: a Python for the wheels, or one line that says what is wrong with the one that is there.
need_python() {
  local found
  find_python 3.11 venv && return
  found=$(python3 -c 'import sys; print(".".join(map(str, sys.version_info[:3])))' 2>/dev/null) || found=
  if [ -z "$found" ]; then
    die "there is no python3, and the wheels that mdl-toolkit is built from need Python 3.11 or newer"
  elif find_python 3.11; then
    die "$python has no module venv or ensurepip: install python3-venv"
  fi
  die "python3 is Python $found, and the wheels that mdl-toolkit is built from need 3.11 or newer. Install one beside it (RHEL: dnf install" \
    "python3.11; Ubuntu 22.04: apt-get install python3.11-venv; Ubuntu 20.04 has none)"
}

# make_environment VENV LIST…: a virtual environment with the wheels of these lists. What is there already is left as it is. One that was made
# here and has no pip (it was interrupted, or its Python is gone) is made anew; any other folder is its owner's, and nothing in it is removed.
make_environment() {
  local venv=$1 list stamp
  shift
  if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    if [ -e "$venv/.made-by-setup" ]; then
      rm -rf "$venv"
    elif [ -e "$venv" ] && [ -n "$(ls -A "$venv")" ]; then
      die "$venv is there and has no pip. Give it one ($venv/bin/python -m ensurepip), or name another place in MDL_VENV"
    fi
    say "making a virtual environment in $venv"
    mkdir -p "$venv"
    : >"$venv/.made-by-setup"
    "$python" -m venv "$venv"
  fi
  for list in "$@"; do
    stamp=$venv/.installed-$(basename "$list")
    if cmp -s "$list" "$stamp"; then
      say "wheels of $list: all there"
    else
      say "installing the wheels of $list$([ "$list" != scripts/requirements.txt ] || echo ' (the first time, torch and its CUDA are about 3 GB)')"
      "$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$list"
      cp "$list" "$stamp"
    fi
  done
}

# cuda_headers VENV: the packages with headers of torch's CUDA that neither torch's wheel nor what that requires has brought.
cuda_headers() {
  local site cuda suffix='' of_crt=crt
  site=$(echo "$1"/lib/python3*/site-packages)
  cuda=$(sed -n "s/^cuda[^=]*= '\(.*\)'$/\1/p" "$site/torch/version.py")
  case "$cuda" in
    "") return ;;
    12.*) suffix=-cu12 of_crt=nvcc ;;
  esac
  compgen -G "$site/nvidia/*/include/crt/host_config.h" >/dev/null || echo "nvidia-cuda-$of_crt$suffix==$cuda.*"
  compgen -G "$site/nvidia/*/include/nv/target" >/dev/null || echo "nvidia-cuda-cccl$suffix==$cuda.*"
}

# add_cuda_headers VENV LIST: these packages, whose names are written to LIST the first time.
add_cuda_headers() {
  [ -e "$1/.installed-$(basename "$2")" ] || cuda_headers "$1" >"$2"
  [ ! -s "$2" ] || make_environment "$1" "$2"
}

cmake_needed=3.25

# cmake_version COMMAND: of that CMake; empty where it is none.
cmake_version() { { "$1" --version 2>/dev/null || true; } | sed -n 's/^cmake version \([0-9.]*\).*/\1/p'; }
cmake_is_new_enough() {
  local version
  version=$(cmake_version "$1")
  [ -n "$version" ] && [ "$(printf '%s\n' "$cmake_needed" "$version" | sort -V | head -1)" = "$cmake_needed" ]
}

# need_cmake: the system's CMake, or PyPI's in build/tools, where scripts/lib.sh finds it.
need_cmake() {
  local found tools=build/tools
  if cmake_is_new_enough cmake || cmake_is_new_enough $tools/bin/cmake; then return; fi
  found=$(cmake_version cmake)
  if [ -z "$found" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt_update
    apt_install cmake || say "apt-get could not install cmake"
    cmake_is_new_enough cmake && return
    found=$(cmake_version cmake)
  fi
  say "CMake: ${found:-none} here, $cmake_needed or newer is needed; taking PyPI's"
  find_python 3.8 venv || die "CMake is ${found:-missing}, $cmake_needed or newer is needed, and PyPI's needs Python 3.8 or newer with venv and" \
    "ensurepip: install python3-venv, or a newer CMake"
  make_environment $tools/venv scripts/requirements-tools.txt
  mkdir -p $tools/bin
  ln -sf ../venv/bin/cmake ../venv/bin/ctest $tools/bin/
  say "it lies in $tools/bin. The scripts use it; where you call cmake: export PATH=\"$PWD/$tools/bin:\$PATH\""
}

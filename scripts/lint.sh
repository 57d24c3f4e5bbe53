#!/usr/bin/env bash
# Formatting (C++ and Python), co_await, ruff, cppcheck and clang-tidy over the sources. Ends with 1 when one of them has something to say.
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/.."
. scripts/lib.sh

usage() {
  cat <<'TEXT'
usage: scripts/lint.sh --setup
       scripts/lint.sh [--quick] [FOLDER|FILE…]
       scripts/lint.sh --format

  --setup   installs the tools: clang-tidy and cppcheck (Debian packages), clang-format and ruff (PyPI, into build/lint-venv)
  --quick   without clang-tidy, which takes many minutes for everything; the others take seconds
  --format  rewrites what is formatted otherwise, all of it
  FOLDER    default: everything (common, rendezvous, launcher, worker, tests, scripts)

The rules are in .clang-format, .ruff.toml, scripts/checks/check_{co_await,initializers}.py, .clang-tidy and .cppcheck-suppressions. clang-tidy needs no
build, only a configuration (build/lint); for the worker and its tests this needs what scripts/setup.sh installs.
TEXT
}

if [ "${1:-}" = --setup ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends clang-16 clang-tidy-16 cppcheck python3-venv >/dev/null
  # One version of each for everybody: what they find good changes from one to the next.
  python3 -m venv build/lint-venv
  build/lint-venv/bin/pip install -q clang-format==23.1.5 ruff==0.17.6
  exit 0
fi
PATH=$PWD/build/lint-venv/bin:$PATH
if [ "${1:-}" = --format ]; then
  git ls-files '*.cpp' '*.hpp' | xargs clang-format -i
  git ls-files '*.py' | xargs ruff format -q
  exit 0
fi
quick=0
if [ "${1:-}" = --quick ]; then
  quick=1
  shift
fi
case "${1:-}" in -*) usage; [ "$1" = -h ] || [ "$1" = --help ] || exit 2; exit 0 ;; esac
for tool in clang-format ruff cppcheck clang-tidy-16; do
  [ $quick$tool = 1clang-tidy-16 ] || command -v $tool >/dev/null || { echo "lint.sh: there is no $tool; run scripts/lint.sh --setup" >&2; exit 1; }
done

places=("$@")
[ $# -gt 0 ] || places=(common rendezvous launcher worker tests scripts)
find "${places[@]}" >/dev/null || exit 2  # it names a place that is not there
mapfile -t files < <(find "${places[@]}" -name '*.cpp' -o -name '*.hpp' | sort)
mapfile -t sources < <(printf '%s\n' "${files[@]}" | grep '\.cpp$')
mapfile -t python < <(find "${places[@]}" -name '*.py' | sort)
[ $((${#files[@]} + ${#python[@]})) -gt 0 ] || { echo "lint.sh: no C++ or Python file in ${places[*]}" >&2; exit 2; }
mkdir -p build
failed=()

if [ ${#python[@]} -gt 0 ]; then
  say "ruff, ${#python[@]} files"
  ruff format --check -q "${python[@]}" || failed+=("ruff format")
  ruff check -q "${python[@]}" || failed+=("ruff check")
fi
if [ ${#files[@]} -gt 0 ]; then
  say "clang-format, ${#files[@]} files"
  clang-format --dry-run --Werror "${files[@]}" || failed+=(clang-format)

  say "co_await expressions that GCC 12 compiles wrongly, ${#files[@]} files"
  python3 scripts/checks/check_co_await.py "${files[@]}" || failed+=(check_co_await.py)
  say "initializers that GCC 12 compiles wrongly, ${#files[@]} files"
  python3 scripts/checks/check_initializers.py "${files[@]}" || failed+=(check_initializers.py)
fi
if [ ${#sources[@]} -gt 0 ]; then
  say "cppcheck, ${#sources[@]} files"
  cppcheck --std=c++20 --language=c++ --enable=warning,performance,portability --suppressions-list=.cppcheck-suppressions --inline-suppr \
    --error-exitcode=1 --quiet -j "$(nproc)" -I . --template='{file}:{line}: {id}: {message}' "${sources[@]}" || failed+=(cppcheck)
fi
if [ $quick = 0 ] && [ ${#sources[@]} -gt 0 ]; then
  worker=OFF
  ! printf '%s\n' "${sources[@]}" | grep -qE '(^|/)(worker|tests/fuzz)/' || worker=ON
  # Joined files: most of the time goes into the headers that they share.
  cmake -S . -B build/lint -G Ninja -DCMAKE_CXX_COMPILER=clang++-16 -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON -DMDL_UNITY_BUILD=ON -DMDL_BUILD_WORKER=$worker \
    ${MDL_VENV:+-DMDL_VENV="$(realpath "$MDL_VENV")"} >build/configure-lint.log 2>&1 || { cat build/configure-lint.log >&2; exit 1; }
  list=$(python3 scripts/checks/translation_units.py build/lint "${sources[@]}")
  mapfile -t units <<<"$list"
  say "clang-tidy, ${#units[@]} translation units"
  printf '%s\0' "${units[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy-16 -p build/lint --quiet --warnings-as-errors='*' \
    --checks=-bugprone-suspicious-include 2>build/lint.log ||
    failed+=(clang-tidy)
fi

[ ${#failed[@]} -eq 0 ] || { echo "lint.sh: ${failed[*]} found something" >&2; exit 1; }
say "clean"

#!/usr/bin/env bash
# Formatting, co_await, cppcheck and clang-tidy over the sources. Ends with 1 when one of them has something to say.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

usage() {
  cat <<'TEXT'
usage: scripts/lint.sh --setup
       scripts/lint.sh [--quick] [FOLDER|FILE.cpp…]

  --setup  installs the three tools (Debian packages)
  --quick  without clang-tidy, which takes minutes for everything; the others take seconds
  FOLDER   default: common rendezvous launcher and their tests

The rules are in .clang-format, scripts/check_co_await.py, .clang-tidy and .cppcheck-suppressions. clang-tidy needs no build, only a
configuration (build/lint).
TEXT
}

if [ "${1:-}" = --setup ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends clang-16 clang-tidy-16 clang-format cppcheck >/dev/null
  exit 0
fi
quick=0
if [ "${1:-}" = --quick ]; then
  quick=1
  shift
fi
case "${1:-}" in -*) usage; [ "$1" = -h ] || [ "$1" = --help ] || exit 2; exit 0 ;; esac
for tool in clang-format cppcheck clang-tidy-16; do
  [ $quick$tool = 1clang-tidy-16 ] || command -v $tool >/dev/null || { echo "lint.sh: there is no $tool; run scripts/lint.sh --setup" >&2; exit 1; }
done

places=("$@")
[ $# -gt 0 ] || places=(common rendezvous launcher tests/{common,rendezvous,launcher,accelerate,hosts,bench})
mapfile -t files < <(find "${places[@]}" -name '*.cpp' -o -name '*.hpp' | sort)
mapfile -t sources < <(printf '%s\n' "${files[@]}" | grep '\.cpp$')
[ ${#sources[@]} -gt 0 ] || { echo "lint.sh: no .cpp file in ${places[*]}" >&2; exit 2; }
mkdir -p build
failed=()

say "clang-format, ${#files[@]} files"
clang-format --dry-run --Werror "${files[@]}" || failed+=(clang-format)

say "co_await expressions that GCC 12 compiles wrongly, ${#files[@]} files"
python3 scripts/check_co_await.py "${files[@]}" || failed+=(check_co_await.py)

say "cppcheck, ${#sources[@]} files"
cppcheck --std=c++20 --language=c++ --enable=warning,performance,portability --suppressions-list=.cppcheck-suppressions --inline-suppr \
  --error-exitcode=1 --quiet -j "$(nproc)" -I . --template='{file}:{line}: {id}: {message}' "${sources[@]}" || failed+=(cppcheck)

if [ $quick = 0 ]; then
  worker=OFF
  case " ${places[*]}" in *" worker"* | *" tests/worker"* | *" tests/convert"*) worker=ON ;; esac
  # Joined files: most of the time goes into the headers that they share.
  cmake -S . -B build/lint -G Ninja -DCMAKE_CXX_COMPILER=clang++-16 -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON -DMDL_UNITY_BUILD=ON -DMDL_BUILD_WORKER=$worker \
    ${MDL_VENV:+-DMDL_VENV="$(realpath "$MDL_VENV")"} >build/configure-lint.log 2>&1 || { cat build/configure-lint.log >&2; exit 1; }
  list=$(python3 scripts/translation_units.py build/lint "${sources[@]}")
  mapfile -t units <<<"$list"
  say "clang-tidy, ${#units[@]} translation units"
  printf '%s\0' "${units[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy-16 -p build/lint --quiet --warnings-as-errors='*' \
    --checks=-bugprone-suspicious-include 2>build/lint.log ||
    failed+=(clang-tidy)
fi

[ ${#failed[@]} -eq 0 ] || { echo "lint.sh: ${failed[*]} found something" >&2; exit 1; }
say "clean"

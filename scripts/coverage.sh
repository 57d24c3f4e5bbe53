#!/usr/bin/env bash
# Which lines the tests run: builds with gcov's counters, runs ctest, prints a figure for each folder and the functions that no test enters.
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/.."
. scripts/lib.sh

case "${1:-}" in
  -h | --help)
    cat <<'TEXT'
usage: scripts/coverage.sh [--targets "TARGET…"] [arguments of ctest]

  scripts/coverage.sh                                              everything but the worker, whose LibTorch code takes an hour to build so
  scripts/coverage.sh --targets common_tests -R '^common:'         one library by its own tests, in minutes
  MDL_COVERAGE_WORKER=ON scripts/coverage.sh                       with the worker

Needs gcov (comes with g++) and python3. The list of functions is in build/coverage/untested.txt.
TEXT
    exit 0
    ;;
esac
targets=()
if [ "${1:-}" = --targets ]; then
  read -r -a targets <<<"${2:?"--targets needs names"}"
  shift 2
fi
mkdir -p build/coverage
gcc -O2 -c scripts/checks/coverage_exit.c -o build/coverage/coverage_exit.o
cmake -S . -B build/coverage -G Ninja -DCMAKE_BUILD_TYPE=Debug -DMDL_UNITY_BUILD=ON -DCMAKE_CXX_FLAGS="--coverage -O0" \
  -DCMAKE_EXE_LINKER_FLAGS="$PWD/build/coverage/coverage_exit.o -Wl,--wrap=_exit" -DMDL_BUILD_WORKER="${MDL_COVERAGE_WORKER:-OFF}" \
  ${MDL_VENV:+-DMDL_VENV="$(realpath "$MDL_VENV")"} >build/configure-coverage.log 2>&1 || { cat build/configure-coverage.log >&2; exit 1; }
cmake --build build/coverage ${targets:+--target "${targets[@]}"}
find build/coverage -name '*.gcda' -delete
failed=0
ctest --test-dir build/coverage --parallel 2 --output-on-failure "$@" || failed=1
python3 scripts/checks/coverage_report.py build/coverage
exit $failed

#!/usr/bin/env bash
# CI's second try (run_failed_again of scripts/lib.sh) with the real ctest: what fails by chance passes and is named, what fails always
# fails, and nothing passes because nobody says what failed.
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/../.."
. scripts/lib.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flaky=()

# suite NAME COMMAND [NAME COMMAND…]: a build folder with these tests, run once.
suite() {
  rm -rf "$work/build"
  mkdir "$work/build"
  while [ $# -gt 0 ]; do
    printf 'add_test([=[%s]=] "/bin/sh" "-c" [=[%s]=])\n' "$1" "$2" >>"$work/build/CTestTestfile.cmake"
    shift 2
  done
  ctest --test-dir "$work/build" >/dev/null 2>&1 || true
}
again() { run_failed_again "$work/build" >"$work/out" 2>&1; }
fail() { echo "FAILED: $*" >&2; cat "$work/out" >&2; exit 1; }

once="test -e $work/been || { touch $work/been; exit 1; }"

suite 'peer: good' true 'peer: a b, once' "$once"
again || fail "a test that passes at the second time fails CI"
[ "${flaky[*]}" = 'peer: a b, once' ] || fail "the flaky test is not named: ${flaky[*]}"

rm "$work/been"
flaky=()
suite 'by chance' "$once" 'always' false
! again || fail "a test that fails twice passes"
[ ${#flaky[@]} = 0 ] || fail "a run that failed names flaky tests"

suite 'good' true
! again || fail "nothing failed, and yet the run was called good"

many=()
for number in $(seq 11); do many+=("case $number" "test -e $work/many-$number || { touch $work/many-$number; exit 1; }"); done
suite "${many[@]}"
! again || fail "eleven failures pass for chance"
grep -q 'too many' "$work/out" || fail "it is not said why eleven failures are not run again"

#!/usr/bin/env bash
# The number of cases that scripts/test.sh prints last (count_claims of scripts/lib.sh), with the real ctest: each of its tests counts for the
# cases in it, whether they pass or fail and however much is printed before.
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/../.."
. scripts/lib.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

test_that_prints() { printf 'add_test([=[%s]=] "/bin/sh" "-c" [=[%s]=])\n' "$1" "$2" >>"$work/CTestTestfile.cmake"; }
test_that_prints 'one' 'echo "All tests passed (1 assertion in 1 test case)"'
test_that_prints 'many, and words' 'seq 10000; echo "All tests passed (30 assertions in 20 test cases)"'
test_that_prints 'one of three fails' 'echo "test cases: 3 | 2 passed | 1 failed"; echo "assertions: 9 | 8 passed | 1 failed"; exit 1'
test_that_prints 'python' 'seq 10000; echo "100 passed, 7 skipped, 2 warnings in 152.71s (0:02:32)"'
test_that_prints 'python fails' 'echo "400 failed, 1000 passed in 3.05s"; exit 1'
test_that_prints 'none' 'echo "3 balls in 2.00s of play"'
ctest --test-dir "$work" >/dev/null 2>&1 || true

said=$(count_claims "$work")
[ "$said" = "cases that ran: 24 in C++, 1500 in Python (and 7 skipped)" ] || { echo "FAILED: $said" >&2; exit 1; }
[ -z "$(count_claims "$work/nothing")" ] || { echo "FAILED: a folder without a log counts" >&2; exit 1; }

#!/usr/bin/env bash
# Set-up, build, all tests. Extra arguments go to ctest: scripts/test.sh -R store
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/.."
. scripts/lib.sh

preset=release
if [ "${1:-}" = --preset ]; then
  preset=${2:?"--preset needs a name: release, ci, dev, asan or tsan"}
  shift 2
fi

if [ "$preset" = tsan ]; then
  scripts/setup.sh --launcher-only
else
  scripts/setup.sh --peers
fi
say "building (preset $preset)"
build "$preset"
say "testing"
# No model is ever fetched from a hub, and one thread a process keeps two cores fair to tests that start several. Three at a time: many
# wait more than they compute.
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
failed=0
ctest --test-dir "build/$preset" --output-on-failure --parallel 3 "$@" || failed=$?
count_claims "build/$preset"
exit $failed

#!/usr/bin/env bash
# Measures ours beside the real programs in one run. Prints JSON lines: bench, case, ours, theirs, ratio, unit.
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/.."
. scripts/lib.sh

usage() {
  cat <<'TEXT'
usage: scripts/bench.sh BENCH

  launch   mdl-launch beside torchrun: starting 8 processes of /bin/true on one node
  progress  what it costs mdl-launch that 8 workers report 100 steps a second each: processor, memory, messages lost
  rendezvous  N nodes find each other through c10d: real agents, and up to thousands of simulated ones
  store    our TCPStore server beside torch's own under the same load: connecting, operations, barriers, memory
  store-load  the same servers with hostile clients on them, up to 10,000: what honest ones see, and the servers' memory
  train    our train beside the Python tool's: a model of 31.9 million parameters, 1 and 2 ranks, the matrix products alone, and our kernels
  convert  our convert-dataset beside the Python tool's: 35 and 1,400 real sounds
TEXT
}

case "${1:-}" in
  launch | progress) targets=(mdl-launch) ;;
  rendezvous) targets=(mdl-launch mdl-bench) ;;
  store | store-load) targets=(mdl-bench) ;;
  convert) targets=(mdl-toolkit) ;;
  train) targets=(mdl-launch mdl-toolkit training_probe) ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac

{
  scripts/setup.sh --peers
  build release "${targets[@]}"
} >&2
exec "${MDL_VENV:-build/venv}/bin/python" "scripts/bench/${1//-/_}.py" --bin-dir build/release/bin "${@:2}"

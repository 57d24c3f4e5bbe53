#!/usr/bin/env bash
# Fuzzes the parsers of what comes from outside (tests/fuzz). Ends with 1 when an input does harm, and says where it lies.
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/.."
. scripts/lib.sh

usage() {
  cat <<'TEXT'
usage: scripts/fuzz.sh --setup
       scripts/fuzz.sh TARGET|all SECONDS

  --setup  installs clang and libFuzzer (Debian packages); everything else comes from scripts/setup.sh
  TARGET   store_protocol, rendezvous_pickle, error_file, timer_request, progress_message, node_answer, flight_record, http_request,
           command_line, accelerate_yaml, doctor_message; and with the worker:
           safetensors_header, safetensors_index, tokenizer_json, csv, json_row, config_file, audio, dataset_folder, huggingface_listing,
           modelscope_listing, trainer_log
  SECONDS  how long, for each target

What counts as harm: a crash, a report of AddressSanitizer or UndefinedBehaviorSanitizer, an input that takes more than 10 s, one
allocation of more than 256 MiB, more than 2 GiB of memory in all (audio: 1.1 GiB and 2.8 GiB, as a few bytes may be four hours of
sound), or a broken claim of the target's own.

Without the worker (no LibTorch wheels): MDL_FUZZ_WORKER=OFF scripts/fuzz.sh …
New inputs that reach new code are kept in build/fuzz/corpus/TARGET, harmful ones in build/fuzz/found/TARGET. Copy a harmful one to
tests/fuzz/corpus/TARGET once it is mended: ctest replays that folder in every build.
TEXT
}

compiler=clang-16
if [ "${1:-}" = --setup ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends $compiler libclang-rt-16-dev llvm-16 >/dev/null
  say "$($compiler --version | head -1)"
  exit 0
fi
case "${1:-}" in -h | --help) usage; exit 0 ;; esac
if [ $# != 2 ] || ! [[ $2 =~ ^[1-9][0-9]*$ ]]; then
  usage >&2
  exit 2
fi
command -v $compiler >/dev/null || { echo "fuzz.sh: there is no $compiler; run scripts/fuzz.sh --setup" >&2; exit 1; }

target=$1 seconds=$2 worker=${MDL_FUZZ_WORKER:-ON}
mkdir -p build
cmake --preset fuzz -DMDL_BUILD_WORKER="$worker" ${MDL_VENV:+-DMDL_VENV="$(realpath "$MDL_VENV")"} >build/configure-fuzz.log 2>&1 ||
  { cat build/configure-fuzz.log >&2; exit 1; }
mapfile -t known < <(sed -n 's/^ *mdl_add_fuzz(\([a-z_]*\) .*/\1/p' tests/fuzz/CMakeLists.txt)
if [ "$worker" != ON ]; then
  mapfile -t known < <(sed '/MDL_BUILD_WORKER/,$d' tests/fuzz/CMakeLists.txt | sed -n 's/^ *mdl_add_fuzz(\([a-z_]*\) .*/\1/p')
fi
targets=("$target")
[ "$target" != all ] || targets=("${known[@]}")
for name in "${targets[@]}"; do
  printf '%s\n' "${known[@]}" | grep -qx "$name" || { echo "fuzz.sh: no target $name; there are: ${known[*]}" >&2; exit 2; }
done
cmake --build build/fuzz --target "${targets[@]/%/_fuzz}"

export ASAN_SYMBOLIZER_PATH=/usr/bin/llvm-symbolizer-16
harm=0
printf '\n%-20s %12s %10s %9s %8s %s\n' target inputs inputs/s "peak MB" seconds result
for name in "${targets[@]}"; do
  corpus=build/fuzz/corpus/$name found=build/fuzz/found/$name log=build/fuzz/$name.log
  mkdir -p "$corpus" "$found"
  result=clean leaks=1 one=256 all=2048
  # libsndfile 1.2.0 loses a few KiB for every damaged Ogg header (vorbis_info_init).
  [ "$name" != audio ] || leaks=0 one=1100 all=2861
  ASAN_OPTIONS=detect_leaks=$leaks "build/fuzz/bin/${name}_fuzz" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=$all -malloc_limit_mb=$one -print_final_stats=1 \
    -artifact_prefix="$found/" -detect_leaks=$leaks "$corpus" "tests/fuzz/corpus/$name" >"$log" 2>&1 || { result="HARM, see $log and $found/"; harm=1; }
  figure() { sed -n "s/^stat::$1: *//p" "$log"; }
  printf '%-20s %12s %10s %9s %8s %s\n' "$name" "$(figure number_of_executed_units)" "$(figure average_exec_per_sec)" "$(figure peak_rss_mb)" \
    "$seconds" "$result"
done
exit $harm

# Sourced by the scripts beside it: steps that several of them share. The working folder is the repository's root.

# Where setup.sh puts PyPI's CMake if the system's is too old.
export PATH=$PWD/build/tools/bin:$PATH

say() { printf '\n== %s\n' "$*"; }

# build PRESET [TARGET…]: configures once and builds; quiet unless it fails.
build() {
  local preset=$1
  shift
  mkdir -p build
  cmake --preset "$preset" ${MDL_VENV:+-DMDL_VENV="$(realpath "$MDL_VENV")"} >"build/configure-$preset.log" 2>&1 ||
    { cat "build/configure-$preset.log" >&2; return 1; }
  cmake --build "build/$preset" ${1:+--target "$@"}
}

# build_for_torch X.Y [TARGET…]: in build/release-torchX.Y, with the LibTorch of that version that scripts/setup.sh --torch has installed. What an
# older or newer one warns of is an error.
build_for_torch() {
  local folder=build/release-torch$1 log=build/configure-torch$1.log
  cmake --preset ci -B "$folder" -DMDL_VENV="$PWD/build/venv-torch$1" >"$log" 2>&1 || { cat "$log" >&2; return 1; }
  cmake --build "$folder" --target "${@:2}"
}

# make_demo_inputs FOLDER BIN PYTHON: the demo's small random checkpoint and its real sounds, of which that mdl-toolkit makes datasets. PYTHON has
# what scripts/setup.sh --peers brings.
make_demo_inputs() {
  local part
  mkdir -p "$1"
  "$3" scripts/peer/make_checkpoint.py --out "$1/checkpoint" 2>"$1/make_checkpoint.log" || { cat "$1/make_checkpoint.log" >&2; return 1; }
  "$3" scripts/peer/make_dataset.py --out "$1/sounds"
  for part in train test; do
    "$2/mdl-toolkit" convert-dataset "$1/sounds/$part.csv" --model-name "$1/checkpoint" --output "$1/$part-converted"
  done
}

# demo_training BIN INPUTS OUTPUT: sets `command`, the demo's training by two processes.
demo_training() {
  command=("$1/mdl-launch" --standalone --nproc-per-node 2 --no-python "$1/mdl-toolkit" train
    --model-name "$2/checkpoint" --train-dataset "$2/train-converted" --eval-dataset "$2/test-converted" --output "$3"
    --lora-rank 16 --lr 5e-3 --batch-size 4 --num-epochs 8 --eval-steps 10 --save-steps 20)
}

# check_options PROGRAM [ARGUMENT…]: the Python program tells a mistake, or answers --help, before anything is built. On a machine without Python
# a mistake is told after it.
check_options() {
  local program=$1 python
  shift
  python=$(command -v python3 || command -v "${MDL_VENV:-build/venv}/bin/python" || true)
  [ -z "$python" ] || "$python" "$program" "$@"
  case " $* " in
    *" --help "* | *" -h "*)
      [ -n "$python" ] && exit 0
      echo "${0##*/}: the options are explained by a Python program, and there is no python3. Install one, or read $program" >&2
      exit 1
      ;;
  esac
}

# count_claims FOLDER: says how many cases ran in the tests of ctest's last run in this build folder: a test may have many.
count_claims() {
  local log=$1/Testing/Temporary/LastTest.log
  [ -e "$log" ] || return 0
  awk '
    / test cases?\)$/ { cpp += $(NF - 2) }              # All tests passed (12 assertions in 3 test cases)
    /^test cases: / { cpp += $3 }                       # test cases: 3 | 2 passed | 1 failed
    / in [0-9.]+s( \(.*\))?$/ {                         # 1 failed, 11 passed, 2 skipped in 3.21s
      for (i = 2; i <= NF; ++i) { word = $i; sub(",", "", word); python[word] += $(i - 1) }
    }
    END {
      printf "cases that ran: %d in C++, %d in Python (and %d skipped)\n", cpp, python["passed"] + python["failed"], python["skipped"]
    }' "$log"
}

# Where ctest writes what failed, in a build folder: a line NUMBER:NAME each.
failed_tests=Testing/Temporary/LastTestsFailed.log

# run_failed_again FOLDER: the tests that failed in this build folder, one after the other. Adds those that pass now to the array `flaky`;
# fails when one fails again, when nothing says which they are (the build failed), and when they are too many to be chance.
run_failed_again() {
  local folder=$1 names
  [ -s "$folder/$failed_tests" ] || return 1
  mapfile -t names < <(cut -d: -f2- "$folder/$failed_tests")
  if [ ${#names[@]} -gt 10 ]; then
    echo "${#names[@]} tests failed: too many to run again" >&2
    return 1
  fi
  say "running again what failed: ${names[*]}"
  ctest --test-dir "$folder" --rerun-failed --output-on-failure || return 1
  flaky+=("${names[@]}")
}

# Sourced by portability.sh: builds mdl-launch and the C++ tests of what it is made of with other compilers and systems, and runs them.
# Each source_… prints what it came to.

source_targets="mdl-launch common_tests rendezvous_tests launcher_tests"

# A script for sh, of here and elsewhere: build_and_test SOURCE BUILD COMPILER JOBS [OPTION…]
# shellcheck disable=SC2016
build_and_test='
source=$1 build=$2 compiler=$3 jobs=$4
shift 4
PATH=$source/build/tools/bin:$PATH
cmake -S "$source" --preset release -B "$build" -DMDL_BUILD_WORKER=OFF -DCMAKE_CXX_COMPILER="$compiler" "$@" || exit 3
nice -n 5 cmake --build "$build" --parallel "$jobs" --target '"$source_targets"' || exit 4
for tests in common rendezvous launcher; do "$build/bin/${tests}_tests" || exit 5; done
'

# outcome STATUS LOG NAME: in words; with asterisks where it is no success and no refusal.
outcome() {
  local status=$1 log=$2 name=$3 why
  why=$(sed -n 's/^ *\(GCC [0-9.]* is too old\):.*/\1/p; s/^setup.sh: .* is \(GCC [0-9]*\), and .* or newer is needed.*/\1 is too old/p' "$log" | head -1)
  case "$status,$why" in
    0,*) echo "$name ($(awk '/ test cases?\)$/ { n += $(NF - 2) } END { print n + 0 }' "$log") test cases)" ;;
    *,?*) echo "no: $why" ;;
    4,*) echo "**$name does not compile it: see $log**" ;;
    5,*) echo "**$name: tests fail: see $log**" ;;
    *) echo "**$name: set-up fails: see $log**" ;;
  esac
}

# source_here COMPILER NAME
source_here() {
  local folder=build/portability/${2// /-} log status=0
  folder=${folder,,}
  log=$folder.log
  command -v "$1" >/dev/null || { echo "$2 is not here"; return; }
  sh -c "$build_and_test" sh "$PWD" "$PWD/$folder" "$1" "$(nproc)" >"$log" 2>&1 || status=$?
  outcome $status "$log" "$2"
}

# source_in SUITE COMPILER NAME [OPTION…]: in a system of build/roots, set up there by setup.sh.
source_in() {
  local root=$PWD/build/roots/$1 folder=${3// /-} log status=0
  folder=${folder,,}
  log=build/portability/$1-$folder.log
  rm -rf "$root/src"
  mkdir -p "$root/src"
  git ls-files -z | xargs -0 tar -c | tar -x -C "$root/src"
  inside "$root" sh -ec '[ "$1" = c++ ] || { apt-get update -qq; apt-get install -y -qq --no-install-recommends "$1"; }
    cd /src; CXX=$1 scripts/setup.sh --launcher-only' sh "$2" >"$log" 2>&1 || { outcome 3 "$log" "$3"; return; }
  inside "$root" sh -c "$build_and_test" sh /src "/out/$folder" "$2" "$(nproc)" "${@:4}" >>"$log" 2>&1 || status=$?
  outcome $status "$log" "$3"
}

sources_in() {
  say "$2: sources"
  case "$1" in
    bullseye) cell "$2" source "$(source_in "$1" c++ "GCC 10")" ;;  # the only one there
    # Debian's Catch2 asks for the C++ library that is loaded there, which is younger than that of GCC 13.
    *) cell "$2" source "$(source_in "$1" g++-13 "GCC 13" -DCMAKE_CXX_STANDARD_LIBRARIES=-l:libstdc++.so.6), $(source_in "$1" g++-14 "GCC 14")" ;;
  esac
}

sources_here() {
  say "$1: sources"
  cell "$1" source "$(source_here g++-11 "GCC 11"), $(source_here g++-12 "GCC 12"), $(source_here clang++-16 "Clang 16")"
}

# Sourced by the scripts beside it: steps that several of them share. The working folder is the repository's root.

say() { printf '\n== %s\n' "$*"; }

# build PRESET [TARGET…]: configures once and builds; quiet unless it fails.
build() {
  local preset=$1
  shift
  cmake --preset "$preset" ${MDL_VENV:+-DMDL_VENV="$(realpath "$MDL_VENV")"} >"build/configure-$preset.log" 2>&1 ||
    { cat "build/configure-$preset.log" >&2; return 1; }
  cmake --build "build/$preset" ${1:+--target "$@"}
}

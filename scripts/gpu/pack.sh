#!/usr/bin/env bash
# Packs what scripts/gpu/accept.sh needs on a machine with a GPU into one archive: programs and their libraries, inputs, scripts.
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/../.."
. scripts/lib.sh

usage() {
  cat <<'TEXT'
usage: scripts/gpu/pack.sh [--torch X.Y.Z] [--output FOLDER]

  --torch X.Y.Z    the LibTorch of the machine with the GPU (2.11.0)
  --output FOLDER  where gpu-acceptance-torchX.Y.Z.tar.xz is written (dist)
  MDL_VENV         environment variable: the virtual environment with what scripts/setup.sh --peers brings (default: build/venv)

That machine needs x86-64, glibc 2.34, NVIDIA's driver, and Python 3.11 or newer with that torch, transformers, peft, safetensors, numpy and any
pyarrow; no network and no package of the system. The archive has mdl-toolkit as its wheel installs it, mdl-launch, Arrow's library, those of
bitsandbytes for its CUDA and for CPUs, a small checkpoint with real sounds, the tokenizer for the 7B, and the scripts. More than 64 MiB are refused.

There: tar xf gpu-acceptance-torchX.Y.Z.tar.xz && gpu-acceptance/accept.sh (docs/gpu.md, "On a rented card")
TEXT
}

torch=2.11.0 output=dist
while [ $# -gt 0 ]; do
  case "$1" in
    --torch | --output)
      [ $# -ge 2 ] || { echo "pack.sh: $1 needs a value" >&2; usage >&2; exit 2; }
      case "$1" in --torch) torch=$2 ;; *) output=$2 ;; esac
      shift 2
      ;;
    -h | --help) usage; exit 0 ;;
    *) echo "pack.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
done
[[ "$torch" =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "pack.sh: --torch needs a version such as 2.11.0" >&2; exit 2; }
minor=${torch%.*}
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false

[ -n "${MDL_VENV:-}" ] || scripts/setup.sh --peers
peers=$(realpath "${MDL_VENV:-build/venv}")
scripts/setup.sh --torch "$torch"
scripts/package.sh --torch "$minor"
scripts/package.sh --arch x86_64
venv=$PWD/build/venv-torch$minor bin=$PWD/build/release-torch$minor/bin

say "packing"
stage=build/gpu-acceptance
rm -rf "$stage"
mkdir -p "$stage/inputs" "$stage/toolkit/pyarrow" "$stage/toolkit/bitsandbytes"
toolkit=$stage/toolkit
"$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-index --no-compile --target "$toolkit" \
  dist/mdl_toolkit_native-*torch"$minor"-*.whl
rm "$toolkit/bin/mdl-toolkit-native"  # the same as mdl-toolkit
cp build/portable/bin/mdl-launch "$toolkit/bin/"
# The machine's pyarrow may be of another version.
cp -L "$venv"/lib/python3*/site-packages/pyarrow/libarrow.so.[0-9]* "$toolkit/pyarrow/"
flavour=$("$bin/mdl-toolkit" --libraries | python3 -c "import json, sys; print(json.load(sys.stdin)['built_for']['flavour'])")
for library in cpu "cuda${flavour#cu}"; do cp "$peers"/lib/python3*/site-packages/bitsandbytes/libbitsandbytes_"$library".so "$toolkit/bitsandbytes/"; done

make_demo_inputs "$stage/made" "$bin" "$peers/bin/python"
mv "$stage/made/checkpoint" "$stage/inputs/checkpoint"
for part in train test; do mv "$stage/made/$part-converted" "$stage/inputs/$part"; done
rm -r "$stage/made"
# For the 7B: tokenizer, code, configuration; and of the weights what make_model.py takes over.
"$peers/bin/python" scripts/peer/make_checkpoint.py --out "$stage/inputs/vocabulary" --full-vocab >"build/make_vocabulary.log" 2>&1 ||
  { cat build/make_vocabulary.log >&2; exit 1; }
"$peers/bin/python" - "$stage/inputs/vocabulary/model.safetensors" <<'PYTHON'
import sys

from safetensors.torch import load_file, save_file

sys.path.append("scripts/gpu")
from make_model import FRONT_END

tensors = load_file(sys.argv[1])
save_file({name: tensor for name, tensor in tensors.items() if name.startswith(FRONT_END)}, sys.argv[1], {"format": "pt"})
PYTHON
cp scripts/gpu/*.py scripts/gpu/accept.sh "$stage/"

mkdir -p "$output"
du -sh "$toolkit"/* "$stage/inputs"/*
scripts/gpu/archive.sh "$stage" "$output/gpu-acceptance-torch$torch.tar.xz"

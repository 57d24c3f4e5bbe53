#!/bin/sh
# Tries an installed worker: try_worker.sh DATA WORK MDL_LAUNCH MDL_TOOLKIT. DATA has a small checkpoint/ and train.csv; WORK is a folder for
# what comes of it. Ends with 1 where something failed, and says what. LibTorch and Arrow are found by MDL_TORCH.
data=$1 work=$2 launch=$3 toolkit=$4
export HF_HUB_OFFLINE=1 CUDA_VISIBLE_DEVICES='' OMP_NUM_THREADS=1
unset LD_LIBRARY_PATH
fail() {
  echo "FAILED: $*" >&2
  exit 1
}

rm -rf "$work"
mkdir -p "$work"
"$toolkit" --version >"$work/version" 2>&1 || fail "--version: $(cat "$work/version")"
"$toolkit" train --help >"$work/help" 2>&1 || fail "train --help: $(cat "$work/help")"
"$toolkit" convert-dataset "$data/train.csv" --model-name "$data/checkpoint" --output "$work/converted" >"$work/convert.log" 2>&1 ||
  fail "convert-dataset: $(tail -5 "$work/convert.log")"
"$launch" --standalone --nproc-per-node 2 --no-python "$toolkit" train --model-name "$data/checkpoint" --train-dataset "$work/converted" \
  --output "$work/output" --lora-rank 4 --batch-size 2 --num-epochs 1 >"$work/train.log" 2>&1 || fail "two ranks train: $(tail -20 "$work/train.log")"
grep -q "'loss'" "$work/train.log" || fail "two ranks train: no loss in $work/train.log"
[ -e "$work/output/final/config.json" ] || fail "two ranks train: there is no model in $work/output/final"

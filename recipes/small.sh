#!/usr/bin/env bash
# The network inside the package, nearly as it was trained (docs/model-card.md) in two processes: everything at hand
# without decoupling at 128x96 (where the ablation branches off); then as rdpose at 192x160 and nine times at 256x192, from
# the third time on with close-ups, then with turned pictures, then with more pasted crowds and pictures changed more, then
# with boxes as rough as a detector's, then with pictures changed less, the last time without labels that the network
# contradicts. Eleven hours of two cores that compute in bfloat16; the same command goes on after an interruption.
set -euo pipefail
cd "$(dirname "$0")/.."
source recipes/start.sh
early=experiments/small/all_192x160.yaml
large=('model.image_size=[192,256]' model.sigma=2 augment.half_body=0.3 train.epochs=1 train.lr=6e-4)
labeller=c399a69  # the commit whose shipped network labelled the faces of Leeds Sports the first time

faces() {  # FILE WEIGHTS
  [[ -f data/sets/$1 ]] || "$python" recipes/label_faces.py --weights "$2" --shared data --out "data/sets/$1"
}

"$python" recipes/make_sets.py --out data/sets --shared data
train_start
[[ -f data/sets/faces.json ]] || git show $labeller:src/rdpose/weights/small.safetensors >data/labeller.safetensors
faces faces.json data/labeller.safetensors
train $early name=ship-192x160
train $early name=ship "model.init=$runs/ship-192x160/final_state.safetensors" "${large[@]}"
train $early name=ship-2 "model.init=$runs/ship/final_state.safetensors" "${large[@]}" seed=1
faces faces-2.json "$runs/ship-2/model_best.safetensors"
train experiments/small/all_256x192.yaml name=ship-3 seed=2
train experiments/small/all_256x192.yaml name=ship-4 "model.init=$runs/ship-3/final_state.safetensors" train.epochs=2 seed=3
faces faces-3.json "$runs/ship-3/model_best.safetensors"
"$python" recipes/from_behind.py data/sets/faces-3.json --out data/sets/behind.json
train experiments/small/turned_256x192.yaml name=ship-5 seed=4
faces faces-4.json "$runs/ship-5/model_best.safetensors"
"$python" recipes/from_behind.py data/sets/faces-4.json --out data/sets/behind-4.json
"$python" recipes/paste_more.py data/sets/faces-4.json --shared data --out data/sets/pasted-2
train experiments/small/strong_256x192.yaml name=ship-7 seed=6
train experiments/small/detected_256x192.yaml name=ship-8 seed=7
train experiments/small/mild_256x192.yaml name=ship-9 seed=8
tenth=("$runs"/ship-9/{model_best,final_state}.safetensors)
[[ -f data/sets/tenth.safetensors ]] || "$python" recipes/ship.py "${tenth[@]}" --out data/sets/tenth.safetensors
faces faces-5.json data/sets/tenth.safetensors
[[ -f data/sets/sound.json ]] || "$python" recipes/doubt_labels.py data/sets/faces-5.json \
  --weights data/sets/tenth.safetensors --shared data --out data/sets/sound.json
"$python" recipes/from_behind.py data/sets/sound.json --out data/sets/behind-5.json
"$python" recipes/paste_more.py data/sets/sound.json --shared data --seed 2200 --out data/sets/pasted-3
train experiments/small/sound_256x192.yaml name=ship-10 seed=9
"$python" recipes/ship.py "${tenth[@]}" "$runs"/ship-10/{epoch_3,epoch_4,final_state}.safetensors

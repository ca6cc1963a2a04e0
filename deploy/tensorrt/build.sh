#!/usr/bin/env bash
# Build a TensorRT plan of a model on this machine's GPU, check it, and put it live in the model repository.
#
#   deploy/tensorrt/build.sh [--model view_classifier]
#
#   TRITON_IMAGE       the very image that will serve the plan: a plan fits one TensorRT version and one kind of card
#   MODEL_REPOSITORY   the live repository; the plan becomes its model's next version
#   ENGINE             docker (with the NVIDIA container toolkit) or podman (with CDI)
#
# Serve it:   tritonserver --model-repository=/models --model-config-name=plan
#             (with --model-control-mode=poll a running server takes up the new version by itself)
# Roll back:  mv model_repository/view_classifier/2 model_repository/view_classifier/retired-2
# What it does, step by step, and what is not yet verified on a GPU: training/export/tensorrt.py
set -euo pipefail
cd "$(dirname "$0")/../.."

image=${TRITON_IMAGE:-nvcr.io/nvidia/tritonserver:25.03-py3}
repository=$(realpath "${MODEL_REPOSITORY:-model_repository}")
engine=${ENGINE:-docker}
cache=$PWD/.cache/tensorrt

if ! command -v "$engine" >/dev/null || ! command -v nvidia-smi >/dev/null; then
    echo "error: found no $engine or no nvidia-smi; expected a machine with the NVIDIA GPU that will serve the plan." \
        "Run this script there: deploy/tensorrt/build.sh" >&2
    exit 2
fi

gpus=(--gpus all)
if [[ $engine == podman ]]; then gpus=(--device nvidia.com/gpu=all); fi

mkdir -p "$cache"
exec "$engine" run --rm "${gpus[@]}" --shm-size=1g --user "$(id -u):$(id -g)" --workdir /echoplane \
    --env PYTHONDONTWRITEBYTECODE=1 --env HOME=/tmp \
    --volume "$PWD/services:/echoplane/services:ro" --volume "$PWD/training:/echoplane/training:ro" \
    --volume "$repository:/models" --volume "$cache:/cache" \
    "$image" python3 -m training.export.tensorrt --repository /models --timing-cache /cache/timing.cache "$@"

#!/usr/bin/env bash
# `adbreak train` beside the same work in Keras, in turns; installs TensorFlow into .work/google.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/venv.sh google tensorflow-cpu==2.21.0 ai-edge-litert==2.3.0 pillow scikit-image scikit-learn
weights=${ADBREAK_WEIGHTS:-$HOME/.cache/adbreak}/efficientnet_lite0.safetensors
[ -f "$weights" ] || node trainer/dist/main.js weights pull >&2
PYTHON=.work/google/bin/python exec node tools/dist/bench/train/train.js

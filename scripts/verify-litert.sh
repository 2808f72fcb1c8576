#!/usr/bin/env bash
# Writes small models with our converter and runs them in Google's own interpreter, from the wheel ai-edge-litert.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=.work/litert
scripts/venv.sh litert ai-edge-litert==2.3.0 numpy
node tools/dist/verify/golden-models.js "$folder/models"
"$folder/bin/python" scripts/verify_litert.py "$folder/models"

#!/usr/bin/env bash
# Our runtimes, the addon and Google's own interpreter (Python) on the same files, in turns.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=.work/litert
scripts/venv.sh litert ai-edge-litert==2.3.0 numpy
PYTHON="$folder/bin/python" node tools/dist/bench/runtime/runtime.js

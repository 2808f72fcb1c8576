#!/usr/bin/env bash
# Our runtimes, the addon and Google's own interpreter (Python) on the same files, in turns.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=.work/litert
if [ ! -x "$folder/bin/python" ]; then
  python3 -m venv "$folder"
  "$folder/bin/pip" install -q --disable-pip-version-check ai-edge-litert==2.3.0 numpy
fi
PYTHON="$folder/bin/python" node trainer/dist/bench/runtime.js

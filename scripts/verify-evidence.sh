#!/usr/bin/env bash
# Our statistics against scipy, on seeded cases (SEED=); installs scipy into .work/evidence.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=.work/evidence
if [ ! -f "$folder/.ready" ]; then
  python3 -m venv "$folder"
  "$folder/bin/pip" install -q --disable-pip-version-check scipy==1.17.1
  touch "$folder/.ready"
fi
node hub/dist/bench/evidence-vectors.js | "$folder/bin/python" scripts/verify_evidence.py

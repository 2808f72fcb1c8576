#!/usr/bin/env bash
# Our statistics against scipy, on seeded cases (SEED=); installs scipy into .work/evidence.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=.work/evidence
scripts/venv.sh evidence scipy==1.17.1
node hub/dist/bench/evidence-vectors.js | "$folder/bin/python" scripts/verify_evidence.py

#!/usr/bin/env bash
# Our statistics against scipy, evidently, nannyml and river, on seeded cases (SEED=); installs them into .work/references.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=.work/references
scripts/venv.sh references scipy==1.17.1 evidently==0.7.23 nannyml==0.13.1 river==0.26.1 "pandas<3"
node tools/dist/verify/evidence-vectors.js | "$folder/bin/python" scripts/verify_evidence.py

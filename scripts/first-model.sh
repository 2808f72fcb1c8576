#!/bin/bash
# A first model for `adbreak detect`, trained on synthetic broadcasts: it shows how everything works, on television it
# is worth little. Each part that is there is not made again. SECONDS_EACH= of training video a channel.
set -euo pipefail
cd "$(dirname "$0")/.."
adbreak() { node hub/bin/adbreak.js "$@"; }
work=.work/first-model

if [ ! -e "$work/model/manifest.json" ]; then
  adbreak weights pull || echo "no pretrained weights: a small network is trained from scratch"
  seconds=${SECONDS_EACH:-600}
  [ -e "$work/data/done" ] || adbreak dataset synthesize --output "$work/data" --seconds "$seconds"
  touch "$work/data/done"
  adbreak train --config configs/training/production-base.yaml --data "$work/data" --output "$work/model" \
    --name synthetic-ad-detector --cache .work/features
fi
adbreak models use "$work/model"

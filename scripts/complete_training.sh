#!/usr/bin/env bash
# From labelled frames to rollouts: prepares the data sets, trains the base and the sports model, deploys what meets its
# requirements. REGISTRY_URL= is the hub (http://localhost:8000); it ends at the first step that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
read -ra adbreak <<<"${ADBREAK:-npx adbreak}"
registry=${REGISTRY_URL:-http://localhost:8000}

echo "=== Live TV Ad Detection - Production Model Training ==="

echo "Step 1: Preparing dataset..."
"${adbreak[@]}" dataset prepare --source local --source-path data/raw-frames --output-dir data/datasets/production \
  --split-ratio 0.7,0.15,0.15

echo "Step 2: Training base ad detector..."
"${adbreak[@]}" train --config configs/training/production-base.yaml --registry-url "$registry"

echo "Step 3: Training sports ad detector..."
"${adbreak[@]}" dataset prepare --source local --source-path data/sports-frames --output-dir data/datasets/sports
"${adbreak[@]}" train --config configs/training/production-sports.yaml --registry-url "$registry"

echo "Step 4: Deploying models to production..."
scripts/deploy_models.sh base-ad-detector sports-ad-detector

echo "=== Training Complete ==="
echo "View results at: training_results/training_results.json"
echo "Monitor models at: $registry/api/v1/monitoring"

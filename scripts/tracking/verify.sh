#!/usr/bin/env bash
# What a training tells its trackers, read back by TensorBoard and by an MLflow server on this machine.
# Installs both into .work/tracking.
set -euo pipefail
cd "$(dirname "$0")/../.."

wanted=scripts/tracking/requirements.txt
folder=.work/tracking
if ! cmp -s "$wanted" "$folder/.ready"; then
  echo "installing $(tr '\n' ' ' <"$wanted")into $folder" >&2
  rm -rf "$folder"
  # A folder and no environment: Debian has pip without venv, and pip does not touch what the system manages.
  python3 -m pip install -q --disable-pip-version-check --root-user-action ignore --only-binary :all: \
    --target "$folder" -r "$wanted"
  cp "$wanted" "$folder/.ready"
fi
PYTHONPATH=$(realpath "$folder") PYTHONDONTWRITEBYTECODE=1 python3 scripts/tracking/verify.py

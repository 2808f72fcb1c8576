#!/usr/bin/env bash
# What the Python device needs beside Python's own library, and schemathesis, into .work/conformance; a half-made folder is made again.
set -euo pipefail
cd "$(dirname "$0")/../.."

wanted=scripts/conformance/requirements.txt
folder=.work/conformance
cmp -s "$wanted" "$folder/.ready" && exit 0
echo "installing $(tr '\n' ' ' <"$wanted")into $folder" >&2
rm -rf "$folder"
# A folder and no environment: Debian has pip without venv, and pip does not touch what the system manages.
python3 -m pip install -q --disable-pip-version-check --root-user-action ignore --only-binary :all: --target "$folder" -r "$wanted"
cp "$wanted" "$folder/.ready"

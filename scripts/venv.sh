#!/usr/bin/env bash
# venv.sh NAME PACKAGES...: a Python environment .work/NAME of its own, made once; a half-made one is made again.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=.work/$1
shift
[ -f "$folder/.ready" ] && exit 0
echo "installing $* into $folder" >&2
python3 -m venv "$folder"
"$folder/bin/pip" install -q --disable-pip-version-check "$@"
touch "$folder/.ready"

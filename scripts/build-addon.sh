#!/usr/bin/env bash
# Compiles tfjs-tflite-node's addon with the node-gyp that npm brings. Where this Node has its headers beside it,
# nothing is downloaded.
set -euo pipefail
cd "$(dirname "$0")/.."

prefix=$(node -p 'require("path").dirname(require("path").dirname(require("fs").realpathSync(process.execPath)))')
gyp=$(node -p 'require.resolve("node-gyp/bin/node-gyp.js", { paths: [require("path").join(require("child_process").execSync("npm root -g").toString().trim(), "npm")] })')
headers=()
[ -f "$prefix/include/node/node.h" ] && headers=("--nodedir=$prefix")
log=$(mktemp)
if ! (cd node_modules/tfjs-tflite-node && node "$gyp" rebuild "${headers[@]}" >"$log" 2>&1); then
  tail -n 20 "$log" >&2
  echo "The fallback runtime could not be compiled; the lines above say why. The native runtime does not need it." >&2
  exit 1
fi
echo "fallback runtime compiled for Node $(node -v)"

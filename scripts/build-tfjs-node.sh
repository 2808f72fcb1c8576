#!/usr/bin/env bash
# Builds the native binding of @tensorflow/tfjs-node against the TensorFlow in a pinned Python wheel, into
# ADBREAK_TFJS_NODE, else ~/.cache/adbreak: training takes it from there (trainer/fit/native.ts). Its own installer
# fetches a library from elsewhere, without a digest. Nothing half-built is left: the folder is moved into place whole.
set -euo pipefail
cd "$(dirname "$0")/.."

package=node_modules/@tensorflow/tfjs-node
version=$(node -p "require('./$package/package.json').version")
target=${ADBREAK_TFJS_NODE:-$HOME/.cache/adbreak/tfjs-node-$version}
napi=8
wheel=tensorflow-cpu==2.21.0
digest=2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c
if [ "$(uname -sm)" != "Linux x86_64" ]; then
  echo "There is no build for $(uname -sm); training goes on with wasm." >&2
  exit 1
fi
# Counts what this script makes of it: an earlier build is replaced.
stamp=build-2
[ -f "$target/$stamp" ] && { echo "tfjs-node $version is in $target"; exit 0; }

# Beside the target: a rename does not cross volumes.
mkdir -p "$(dirname "$target")"
folder=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$folder"' EXIT

echo "fetching $wheel (270 MB) with pip"
echo "$wheel --hash=sha256:$digest" > "$folder/requirements.txt"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
  --platform manylinux_2_27_x86_64 --python-version 3.11 --implementation cp --dest "$folder" -r "$folder/requirements.txt"

# Of the wheel: the two libraries, and the headers of the C interface with what they include.
mkdir -p "$folder/deps/lib"
python3 - "$folder" <<'PYTHON'
import glob, re, shutil, sys, zipfile
folder = sys.argv[1]
wanted = re.compile(r"tensorflow/(include/(?:tensorflow|xla|tsl)/.*\.h|lib(?:tensorflow_cc|tensorflow_framework)\.so\.2)$")
with zipfile.ZipFile(glob.glob(folder + "/*.whl")[0]) as wheel:
    for name in filter(wanted.match, wheel.namelist()):
        wheel.extract(name, folder)
PYTHON
mv "$folder"/tensorflow/lib*.so.2 "$folder/deps/lib/"
mv "$folder/tensorflow/include" "$folder/deps/include"
ln -s libtensorflow_cc.so.2 "$folder/deps/lib/libtensorflow.so"
ln -s libtensorflow_framework.so.2 "$folder/deps/lib/libtensorflow_framework.so"

cp -r "$package/binding" "$package/binding.gyp" "$package/package.json" "$folder/"
# Each step allocates the same activations anew. glibc would map them from the kernel and give them back each time, a
# fifth of the step; so it keeps what it has, which costs 1 GB (docs/decisions/029).
cat >> "$folder/binding/tfjs_binding.cc" <<'CC'

#include <malloc.h>
__attribute__((constructor)) static void keep_memory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
}
CC
prefix=$(node -p 'require("path").dirname(require("path").dirname(require("fs").realpathSync(process.execPath)))')
gyp=$(node -p 'require.resolve("node-gyp/bin/node-gyp.js", { paths: [require("path").join(require("child_process").execSync("npm root -g").toString().trim(), "npm")] })')
headers=()
[ -f "$prefix/include/node/node.h" ] && headers=("--nodedir=$prefix")
built=(--module_name=tfjs_binding "--module_path=$folder/lib/napi-v$napi" "--napi_build_version=$napi")
if ! (cd "$folder" && node "$gyp" rebuild "${built[@]}" "${headers[@]}" >"$folder/log" 2>&1); then
  tail -n 20 "$folder/log" >&2
  echo "tfjs-node could not be compiled; the lines above say why. Training goes on with wasm." >&2
  exit 1
fi
node -e "require('$folder/lib/napi-v$napi/tfjs_binding.node')"
# What only the compiler needed.
rm -rf "$folder"/{build,binding,binding.gyp,tensorflow,deps/include,log,requirements.txt} "$folder"/*.whl
touch "$folder/$stamp"
chmod 755 "$folder"
rm -rf "$target"
mv -T "$folder" "$target"
trap - EXIT
echo "tfjs-node $version for training is in $target"

#!/usr/bin/env bash
# The same weights through Keras, Google's converter and ours, on the same pictures; installs what it needs into .work/reference.
# verify-reference.sh [convert]: with `convert`, only what `make bench-convert` measures.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=.work/reference
mkdir -p "$folder"
scripts/venv.sh google tensorflow-cpu==2.21.0 ai-edge-litert==2.3.0 pillow scikit-image scikit-learn
python=.work/google/bin/python
[ -f "$folder/test.rgb" ] || "$python" scripts/reference/pictures.py "$folder" 100 240
weights=${ADBREAK_WEIGHTS:-$HOME/.cache/adbreak}/efficientnet_lite0.safetensors
[ -f "$weights" ] || node trainer/dist/main.js weights pull

rm -f "$folder/rows.jsonl"
for architecture in efficientnet_lite0 mobilenet_v3_small mobilenet_v3_large; do
  echo "$architecture: Keras and Google's converter" >&2
  google=$("$python" scripts/reference/keras_and_google.py "$folder" "$architecture" 2>"$folder/google.log" | tail -n 1) || { tail -n 20 "$folder/google.log" >&2; exit 1; }
  from=(); [ "$architecture" = efficientnet_lite0 ] || from=(--weights "$folder/$architecture.weights.h5")
  convert=(node trainer/dist/main.js convert --architecture "$architecture" "${from[@]}" --logits)
  "${convert[@]}" --quantize none --output "$folder/$architecture.ours.float.tflite" >&2
  # The whole command is timed, with the start of the process and the reading of the weights; of Google's, convert() alone.
  started=$(date +%s.%N)
  "${convert[@]}" --calibration "$folder/calibration.rgb" --output "$folder/$architecture.ours.int8.tflite" --report "$folder/$architecture.json" >&2
  seconds=$(python3 -c "import sys; print(float(sys.argv[2]) - float(sys.argv[1]))" "$started" "$(date +%s.%N)")
  accepted=$(node tools/dist/verify/accept.js "$folder/$architecture".{ours,google}.{float,int8}.tflite)
  judged=$("$python" scripts/reference/judge.py "$folder" "$architecture" 2>"$folder/judge.log" | tail -n 1) || { tail -n 20 "$folder/judge.log" >&2; exit 1; }
  printf '{"google":%s,"report":%s,"seconds":%s,"accepted":%s,"judged":%s}\n' "$google" "$(tr -d '\n' < "$folder/$architecture.json")" "$seconds" "$accepted" "$judged" >> "$folder/rows.jsonl"
done

if [ "${1:-}" = convert ]; then
  python3 scripts/reference/table.py "$folder/rows.jsonl" --bench
else
  scripts/venv.sh support tflite-support==0.4.4 "numpy<2"
  node trainer/dist/main.js convert --architecture efficientnet_lite0 --quantize none --labels scripts/reference/labels.txt --headless --output "$folder/labelled.tflite" >&2
  .work/support/bin/python scripts/reference/metadata.py "$folder/labelled.tflite"
  python3 scripts/reference/table.py "$folder/rows.jsonl"
fi

#!/usr/bin/env bash
# deploy_models.sh [MODEL...]: the newest version of each model goes on its way to all devices, through the gates of the
# hub's plan. PLAN= names another plan; the hub is that of ADBREAK_HUB, ADBREAK_TOKEN and ADBREAK_CA.
set -euo pipefail
cd "$(dirname "$0")/.."
read -ra adbreak <<<"${ADBREAK:-npx adbreak}"

models=("$@")
[ ${#models[@]} -gt 0 ] || models=(base-ad-detector sports-ad-detector)
plan=()
[ -z "${PLAN:-}" ] || plan=(--plan "$PLAN")

for model in "${models[@]}"; do
  versions=$("${adbreak[@]}" models show "$model")
  read -r version status _ <<<"$versions"
  case $status in
    available)
      echo "$model $version: rolled out from here"
      "${adbreak[@]}" models promote "$model" "$version" "${plan[@]}"
      ;;
    canary) echo "$model $version: a rollout is trying it already" ;;
    production) echo "$model $version: it is in production already" ;;
    *)
      echo "$model $version: $status; a version that was rolled back is not tried again, train another one" >&2
      exit 1
      ;;
  esac
done

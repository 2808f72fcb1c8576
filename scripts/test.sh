#!/usr/bin/env bash
# Runs every compiled test with Node's own runner. A skipped test is a failure: a missing part must not look like a pass.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t files < <(find shared/dist edge/dist hub/dist trainer/dist tools/dist web/dist -name '*.test.js' | sort)
report=$(mktemp)
status=0
node --test --test-concurrency=2 --test-timeout=600000 --test-reporter=spec --test-reporter-destination=stdout --test-reporter=tap --test-reporter-destination="$report" "${files[@]}" || status=$?
count() { grep -E "^# $1 " "$report" | tail -n 1 | awk '{print $3}'; }
echo "$(count pass) passed, $(count fail) failed, $(count skipped) skipped"
if [ "$(count skipped)" != 0 ] || [ "$(count todo)" != 0 ]; then
  echo "skipped tests are not allowed here:" >&2
  grep -E '# (SKIP|TODO)' "$report" >&2 || true
  exit 1
fi
exit "$status"

#!/usr/bin/env bash
# Builds the pages into web/dist, where a source of theirs is newer than what was built last.
set -euo pipefail
cd "$(dirname "$0")/../web"

built=dist/labeler/index.html
if [ -e "$built" ] && [ -z "$(find kit labeler package.json vite.config.ts ../shared/contract -type f -newer "$built" -print -quit)" ]; then
  exit 0
fi
npx vite build --logLevel warn

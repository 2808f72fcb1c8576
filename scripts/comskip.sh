#!/usr/bin/env bash
# comskip, the finder by rules that `make bench-networks` holds models against: from Debian's packages where we may install,
# otherwise one sentence names what is missing. Never a skip: a comparison without its other side must not look like one.
set -euo pipefail

command -v comskip >/dev/null && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "installing comskip with apt" >&2
  apt-get update -q >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends comskip >/dev/null
else
  echo "Missing: comskip, the finder by rules that models are measured beside. Install it, on Debian as root: apt-get install comskip" >&2
  exit 1
fi

#!/usr/bin/env bash
# Mosquitto, the broker that `make bench-ingest` holds the hub against: from Debian's packages where we may install, otherwise
# one sentence names what is missing. Never a skip: a comparison without its other side must not look like one.
set -euo pipefail

PATH="$PATH:/usr/sbin:/sbin"
command -v mosquitto >/dev/null && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "installing mosquitto with apt" >&2
  apt-get update -q >/dev/null
  # The benchmark starts its own; the runlevel keeps the package from starting a service on port 1883.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends mosquitto >/dev/null
else
  echo "Missing: mosquitto, the broker that the hub is measured beside. Install it, on Debian as root: apt-get install mosquitto" >&2
  exit 1
fi

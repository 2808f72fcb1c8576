#!/usr/bin/env bash
# Programs that npm cannot bring: ffmpeg (capture, synthetic broadcasts), Chromium (page tests), curl (the commands of docs/operations/http.md), PostgreSQL (tests of the
# hub's store on it), a font, pip (weights) and a C++ compiler (the fallback runtime). Installed through apt when we may; otherwise one sentence names what is missing.
set -euo pipefail

missing=()
command -v ffmpeg >/dev/null || missing+=(ffmpeg)
command -v chromium >/dev/null || missing+=(chromium)
command -v curl >/dev/null || missing+=(curl)
[ -n "$(ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null)" ] || missing+=(postgresql)
[ -n "$(ls /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf 2>/dev/null)" ] || missing+=(fonts-dejavu-core)
python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
command -v g++ >/dev/null && command -v make >/dev/null || missing+=(g++ make)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "installing ${missing[*]} with apt"
  apt-get update -q >/dev/null
  # Tests start a PostgreSQL of their own; the runlevel keeps the package from starting a service.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "Missing: ${missing[*]}. Install them, on Debian as root: apt-get install ${missing[*]}" >&2
  exit 1
fi

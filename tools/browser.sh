#!/usr/bin/env bash
# Installs what the site and its tests need besides Python, from the packages of Debian: Node.js, npm, and Chromium.
set -euo pipefail

declare -A package=([node]=nodejs [npm]=npm [chromium]=chromium)
missing=()
for program in "${!package[@]}"; do
  command -v "$program" > /dev/null || missing+=("${package[$program]}")
done
[ ${#missing[@]} -eq 0 ] && exit
command -v apt-get > /dev/null || { echo "not installed: ${missing[*]}"; exit 1; }
timeout 300 apt-get update -qq
timeout 300 apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null

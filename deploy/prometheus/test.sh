#!/usr/bin/env bash
# Checks what is in this folder, and runs the alerts' unit tests: all that needs nothing but promtool and amtool.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

promtool check config prometheus.yml
promtool check rules rules/*.yml
amtool check-config alertmanager.yml

# The same with the alternatives, the lines that begin with `#|`.
alternatives=$(mktemp -d)
trap 'rm -rf "$alternatives"' EXIT
for file in prometheus.yml alertmanager.yml; do
    sed 's/^\( *\)#| /\1/' "$file" >"$alternatives/$file"
done
promtool check config --syntax-only "$alternatives/prometheus.yml"
amtool check-config "$alternatives/alertmanager.yml"

# Who is told: `routes test` fails where it is somebody else.
for severity in page ticket; do
    amtool config routes test --config.file=alertmanager.yml --verify.receivers="$severity" severity="$severity"
done

promtool test rules tests/*.yml

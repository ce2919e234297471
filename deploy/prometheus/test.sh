#!/usr/bin/env bash
# Checks the configuration and the rules, and runs the alerts' unit tests: all that needs nothing but promtool.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

promtool check config prometheus.yml

# The same with its alternatives, the lines that begin with `#|`.
with_alternatives=$(mktemp)
trap 'rm -f "$with_alternatives"' EXIT
sed 's/^\( *\)#| /\1/' prometheus.yml >"$with_alternatives"
promtool check config --syntax-only "$with_alternatives"

promtool check rules rules/*.yml
promtool test rules tests/*.yml

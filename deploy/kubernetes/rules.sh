#!/usr/bin/env bash
# Writes components/prometheus-operator/prometheusrules.yaml: each file of deploy/prometheus/rules as a resource of
# the Prometheus Operator. With --check it only says whether that file is up to date.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
target=components/prometheus-operator/prometheusrules.yaml

resources() {
    printf '# Made from deploy/prometheus/rules by deploy/kubernetes/rules.sh. Do not edit.\n'
    for file in ../prometheus/rules/*.yml; do
        printf -- '---\napiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n'
        printf '  name: alumniq-relay-%s\n  labels:\n    app.kubernetes.io/name: alumniq-relay\nspec:\n' \
            "$(basename "$file" .yml)"
        # Whole lines are moved two columns to the right, which changes no YAML, block scalars included.
        sed 's/^\(..*\)$/  \1/' "$file"
    done
}

if [ "${1:-}" = --check ]; then
    resources | diff -u "$target" - || {
        printf 'error: %s is out of date: run deploy/kubernetes/rules.sh\n' "$target" >&2
        exit 1
    }
else
    resources >"$target"
fi

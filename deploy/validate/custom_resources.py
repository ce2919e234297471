"""The custom resources as a program in TypeScript: its compiler finds what their types do not know, or miss."""

import json
import pathlib

import yaml

FOLDER = pathlib.Path(__file__).parent.parent / "kubernetes" / "components"
TYPES = {
    "ScaledObject": "@kubernetes-models/keda/keda.sh/v1alpha1",
    "PrometheusRule": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
    "ServiceMonitor": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
}

for kind, module in TYPES.items():
    print(f'import type {{ I{kind} }} from "{module}";')
for path in sorted(FOLDER.glob("*/*.yaml")):
    for number, resource in enumerate(yaml.safe_load_all(path.read_text())):
        if resource and resource["kind"] in TYPES:
            name = f"{resource['kind']}_{path.stem}_{number}"
            print(f"export const {name}: I{resource['kind']} = {json.dumps(resource)};")

"""What no schema sees in deploy/kubernetes: that every name leads somewhere and that every pod is confined.

Exit code 1: something is wrong, each on a line. With --queries it prints the queries that scale, as a file of rules.
"""

import json
import pathlib
import sys

import yaml

FOLDER = pathlib.Path(__file__).parent.parent / "kubernetes"
COMPONENT = "app.kubernetes.io/component"
problems = []


def claim(holds, text):
    if not holds:
        problems.append(text)


def resources_of(folder):
    """What a kustomization lists; every file that it names must exist, and every file must be named."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    found = []
    listed = kustomization.get("resources", [])
    for name in listed + kustomization.get("components", []):
        path = folder / name
        if path.is_file():
            found += [document for document in yaml.safe_load_all(path.read_text()) if document]
        else:
            claim((path / "kustomization.yaml").is_file(), f"{folder}: {name} does not exist")
    for generator in kustomization.get("configMapGenerator", []):
        for name in generator["files"]:
            claim((folder / name).is_file(), f"{folder}: {name} does not exist")
    forgotten = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml", *listed}
    claim(not forgotten, f"{folder}: nothing names {sorted(forgotten)}")
    return found


def of_kind(resources, kind):
    return [resource for resource in resources if resource["kind"] == kind]


def name_of(resource):
    return resource["metadata"]["name"]


def component_of(resource):
    return resource["metadata"]["labels"][COMPONENT]


def is_confined(workload):
    """Kubernetes' own profile `restricted`, and a root that cannot be written."""
    name, pod = name_of(workload), workload["spec"]["template"]["spec"]
    context = pod["securityContext"]
    claim(context["runAsNonRoot"] and context["runAsUser"] > 0, f"{name}: may run as root")
    claim(context["seccompProfile"]["type"] == "RuntimeDefault", f"{name}: has no seccomp profile")
    claim(pod["automountServiceAccountToken"] is False, f"{name}: gets a token of the cluster")
    for container in pod["containers"]:
        context = container["securityContext"]
        claim(context["readOnlyRootFilesystem"], f"{name}: can write its root")
        claim(context["allowPrivilegeEscalation"] is False, f"{name}: may gain privileges")
        claim(context["capabilities"] == {"drop": ["ALL"]}, f"{name}: keeps capabilities")
        claim("memory" in container["resources"]["limits"], f"{name}: has no limit of memory")


def is_whole(deployment, base):
    """Its account, its volumes and its configuration are there, and it has the time to drain."""
    name, pod = name_of(deployment), deployment["spec"]["template"]["spec"]
    accounts = [name_of(account) for account in of_kind(base, "ServiceAccount")]
    claim(pod["serviceAccountName"] in accounts, f"{name}: no such service account")
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in pod["containers"][0]["volumeMounts"]:
        claim(mount["name"] in volumes, f"{name}: no volume {mount['name']}")
    claim(volumes["config"]["configMap"]["name"] == "alumniq-relay", f"{name}: no such config map")
    claim(pod["terminationGracePeriodSeconds"] >= 35, f"{name}: is killed before worker.drain (25 s) is over")


def without_role(deployment):
    """What must be the same in all deployments."""
    copy = json.loads(json.dumps(deployment))
    container = copy["spec"]["template"]["spec"]["containers"][0]
    container["args"] = container["resources"] = None
    return json.dumps(copy).replace(component_of(deployment), "ROLE")


base = resources_of(FOLDER / "base")
rest = [
    resource
    for folder in [*sorted(FOLDER.glob("components/*")), *sorted(FOLDER.glob("overlays/*"))]
    for resource in resources_of(folder)
]
if "--queries" in sys.argv:
    triggers = [trigger for scaled in of_kind(rest, "ScaledObject") for trigger in scaled["spec"]["triggers"]]
    rules = [{"record": f"query_{n}", "expr": t["metadata"]["query"]} for n, t in enumerate(triggers)]
    print(yaml.safe_dump({"groups": [{"name": "scaling", "rules": rules}]}))
    sys.exit(0)

deployments = of_kind(base, "Deployment")
components = sorted(map(component_of, deployments))
claim(components == ["control", "crm", "salsa"], f"the deployments are {components}")
for deployment in deployments:
    is_whole(deployment, base)
    same = without_role(deployment) == without_role(deployments[0])
    claim(same, f"{name_of(deployment)}: differs from {name_of(deployments[0])} in more than its role")

ports = set()
for workload in deployments + of_kind(rest, "StatefulSet"):
    is_confined(workload)
    for container in workload["spec"]["template"]["spec"]["containers"]:
        ports |= {port["name"] for port in container["ports"]}
for service in of_kind(base + rest, "Service"):
    for port in service["spec"]["ports"]:
        claim(port["targetPort"] in ports, f"{name_of(service)}: no port {port['targetPort']}")

budgets = [b["spec"]["selector"]["matchLabels"][COMPONENT] for b in of_kind(base, "PodDisruptionBudget")]
claim(sorted(budgets) == components, f"there are disruption budgets for {budgets}")
for scaled in of_kind(rest, "ScaledObject"):
    target = scaled["spec"]["scaleTargetRef"]["name"]
    claim(target in map(name_of, deployments), f"{target} is scaled, but does not exist")
for monitor in of_kind(rest, "ServiceMonitor"):
    wanted = monitor["spec"]["selector"]["matchLabels"][COMPONENT]
    claim(wanted in map(component_of, of_kind(base, "Service")), f"no service {wanted} is there to be scraped")
claim(not of_kind(base + rest, "Secret"), "a secret stands in the repository")

print("\n".join(problems) or "the manifests hold together")
sys.exit(1 if problems else 0)

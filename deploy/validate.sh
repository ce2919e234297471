#!/usr/bin/env bash
# Validates the deployment files as far as that goes without Docker, a cluster or a running systemd. Called by test.sh;
# installs what it needs: Debian packages, and tools from PyPI (and npm, where that is) into target/validate.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prerequisites.sh"
need_rust_and_redis

target=${CARGO_TARGET_DIR:-target}
tools=$target/validate
program=$target/debug/alumniq-relay
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$tools"
export PYTHONUTF8=1 # the files are UTF-8, whatever the locale says

step "shell scripts"
need shellcheck shellcheck
check_shell_scripts

step "Prometheus rules as a resource of Kubernetes"
deploy/kubernetes/rules.sh --check

step "systemd units"
need systemd-analyze systemd
# In a tree of their own: the units name the installed program, and its user need not exist here.
mkdir -p "$scratch"/root/{usr/lib/systemd,usr/local/bin,etc/systemd/system}
ln -s usr/lib "$scratch/root/lib"
cp -r /lib/systemd/system "$scratch/root/usr/lib/systemd/"
install /bin/true "$scratch/root/usr/local/bin/alumniq-relay"
cp deploy/systemd/*.service deploy/systemd/*.timer "$scratch/root/etc/systemd/system/"
verified=$(systemd-analyze verify --root="$scratch/root" --recursive-errors=one --man=no \
    alumniq-relay.service alumniq-relay@9465.service alumniq-relay-sync.service alumniq-relay-sync.timer 2>&1) ||
    fail "$verified"
[ -z "$verified" ] || fail "$verified" # it warns of unknown keys without failing
for unit in deploy/systemd/*.service; do
    # 1.2 of 10; the rest is the network, which the program is there for, and what an embedded Redis needs.
    systemd-analyze security --offline=true --threshold=13 "$unit" >"$scratch/security" || {
        grep '✗' "$scratch/security"
        fail "$unit is less confined than it was"
    }
    tail -n 1 "$scratch/security"
    sed -n '/^# Hardening/,/^LimitCORE/p' "$unit" >"$scratch/$(basename "$unit").hardening"
    cmp "$scratch/alumniq-relay-sync.service.hardening" "$scratch/$(basename "$unit").hardening" ||
        fail "$unit is confined in another way than the others"
done

step "settings"
need_venv
if ! cmp -s deploy/validate/requirements.txt "$tools/installed"; then
    python3 -m venv --clear "$tools/python"
    if "$tools/python/bin/pip" install -q --disable-pip-version-check -r deploy/validate/requirements.txt; then
        cp deploy/validate/requirements.txt "$tools/installed"
    else
        echo "skipped, with all that follows: PyPI cannot be reached"
        exit 0
    fi
fi
python=$tools/python/bin
# With --examples, of which there are none, everything is compiled as for the tests, and not once more.
cargo build --locked -q --bins --examples
"$python/python" deploy/validate/settings.py "$program"

step "JSON API, by its own OpenAPI document"
if ! cmp -s deploy/validate/api-requirements.txt "$tools/api-installed"; then
    rm -f "$tools/api-installed"
    python3 -m venv --clear "$tools/api"
    if "$tools/api/bin/pip" install -q --disable-pip-version-check -r deploy/validate/api-requirements.txt; then
        cp deploy/validate/api-requirements.txt "$tools/api-installed"
    fi
fi
if [ -e "$tools/api-installed" ]; then
    "$python/python" deploy/validate/api.py "$program" "$tools/api/bin/schemathesis"
else
    echo "skipped: schemathesis cannot be installed, because PyPI cannot be reached or lacks it"
fi

step "Dockerfile"
"$python/hadolint" deploy/Dockerfile

step "compose.yaml, by the schema of the Compose specification"
"$python/check-jsonschema" --builtin-schema vendor.compose-spec deploy/compose.yaml
need promtool prometheus
promtool check config --syntax-only deploy/compose/prometheus.yml

step "Kubernetes manifests, by the schemas of Kubernetes"
mapfile -t manifests < <(find deploy/kubernetes -name '*.yaml' ! -name kustomization.yaml)
"$python/kubernetes-validate" --strict --quiet --no-warn "${manifests[@]}"
"$python/python" deploy/validate/kubernetes.py
"$python/python" deploy/validate/kubernetes.py --queries >"$scratch/queries.yml"
promtool check rules "$scratch/queries.yml"
if have kubectl && kubectl kustomize deploy/kubernetes/base >"$scratch/base.yaml" 2>/dev/null; then
    kubectl kustomize deploy/kubernetes/overlays/example >"$scratch/example.yaml"
    "$python/kubernetes-validate" --strict --quiet --no-warn "$scratch/base.yaml" "$scratch/example.yaml"
else
    echo "not rendered: there is no kubectl with kustomize here"
fi

step "custom resources, by the types of KEDA and the Prometheus Operator"
types=(@kubernetes-models/keda@2.0.0 @kubernetes-models/prometheus-operator@6.0.0 typescript@5.9.3)
if [ "$(cat "$tools/npm/installed" 2>/dev/null)" != "${types[*]}" ] && have npm &&
    npm install --prefix "$tools/npm" --no-audit --no-fund --silent "${types[@]}"; then
    echo "${types[*]}" >"$tools/npm/installed"
fi
if [ -e "$tools/npm/installed" ]; then
    "$python/python" deploy/validate/custom_resources.py >"$tools/npm/resources.mts"
    "$tools/npm/node_modules/.bin/tsc" --noEmit --skipLibCheck --strict --module node16 "$tools/npm/resources.mts"
    echo "they fit"
else
    echo "skipped: there is no npm here, or its registry cannot be reached"
fi

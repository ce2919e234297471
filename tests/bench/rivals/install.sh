#!/bin/sh
# Installs what the rivals need into a directory: install.sh DIRECTORY
#   DIRECTORY/bullmq   pipeline.mjs with its node_modules: node DIRECTORY/bullmq/pipeline.mjs
#   DIRECTORY/celery   a venv: DIRECTORY/celery/bin/python tests/bench/rivals/celery/pipeline.py
# What is installed already and unchanged is not installed again.
set -eu

if [ $# -ne 1 ]; then
    echo "usage: $0 DIRECTORY" >&2
    exit 2
fi
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "$1"
into=$(CDPATH='' cd -- "$1" && pwd)

debian() {
    if ! command -v apt-get >/dev/null; then
        echo "missing: $*; this is no Debian, install it by hand" >&2
        exit 1
    fi
    root=
    if [ "$(id -u)" -ne 0 ]; then root=sudo; fi
    # shellcheck disable=SC2086 # without sudo, $root is no word at all
    {
        $root apt-get update -q
        $root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
    } >&2
}

command -v node >/dev/null || debian nodejs
command -v npm >/dev/null || debian npm
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then debian python3 python3-venv; fi
if ! node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'; then
    echo "node is $(node --version): the BullMQ rival needs 20.19 or newer" >&2
    exit 1
fi

mkdir -p "$into/bullmq"
for file in package.json package-lock.json .npmrc pipeline.mjs; do
    cp "$here/bullmq/$file" "$into/bullmq/$file"
done
if ! cmp -s "$into/bullmq/package-lock.json" "$into/bullmq/installed"; then
    # No package of these needs its install script; msgpackr has a prebuilt or a plain variant.
    (cd "$into/bullmq" && npm ci --ignore-scripts --no-audit --no-fund >&2)
    cp "$into/bullmq/package-lock.json" "$into/bullmq/installed"
fi

if ! cmp -s "$here/celery/requirements.txt" "$into/celery/installed"; then
    python3 -m venv "$into/celery"
    "$into/celery/bin/pip" install -q --disable-pip-version-check -r "$here/celery/requirements.txt" >&2
    cp "$here/celery/requirements.txt" "$into/celery/installed"
fi

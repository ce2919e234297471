#!/usr/bin/env bash
# The one test command: formatting, lints, documentation, licences, tests. Installs what it needs.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prerequisites.sh"

for component in fmt clippy; do
    cargo "$component" --version >/dev/null 2>&1 ||
        fail "cargo $component is missing: rustup component add rustfmt clippy"
done

need curl curl # the README's commands, which a test runs, use it
need faketime faketime # some tests run processes whose clocks are wrong
need promtool prometheus # the alerts' tests; a real Prometheus scrapes a fleet
need amtool prometheus-alertmanager # checks who is told

step "formatting"
cargo fmt --all --check

step "lints"
cargo clippy --locked --workspace --all-targets -- -D warnings

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

if have cargo-deny; then
    step "advisories, licences, duplicates and sources of the dependencies"
    # It needs the advisories of today and every platform's crates: without a network that is no fault of the code.
    if cargo fetch --locked && cargo deny fetch db; then
        cargo deny --locked check
    else
        echo "skipped: the advisories or the crates cannot be fetched"
    fi
fi

step "Prometheus' configuration, rules and alerts"
deploy/prometheus/test.sh

step "deployment files"
deploy/validate.sh

step "tests"
cargo test --locked --workspace

#!/usr/bin/env bash
# The one test command: formatting, lints, documentation, licences, tests. Installs what it needs.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prerequisites.sh"

for component in fmt clippy; do
    cargo "$component" --version >/dev/null 2>&1 ||
        fail "cargo $component is missing: rustup component add rustfmt clippy"
done

# What waits for servers, or needs nothing compiled. It runs beside the compiler.
beside() {
    # curl: the README's commands, which a test runs. faketime: processes whose clocks are wrong. promtool: the alerts'
    # tests, and a real Prometheus that scrapes a fleet. amtool: who is told. chromedriver: a real browser.
    trap '' TERM # or packages would be left half installed
    need_all "curl curl" "faketime faketime" "promtool prometheus" "amtool prometheus-alertmanager" \
        "chromedriver chromium chromium-driver" "shellcheck shellcheck" "systemd-analyze systemd"
    trap - TERM
    kill -0 "$$" 2>/dev/null || exit 1 # nobody waits for the rest any more

    step "Prometheus' configuration, rules and alerts"
    deploy/prometheus/test.sh

    step "deployment files"
    deploy/validate.sh
}

# A process group of its own, so that whatever ends this script ends all of it.
log=$(mktemp)
set -m
(beside) </dev/null >"$log" 2>&1 &
group=$!
set +m
ended() {
    [ -z "$group" ] || kill -TERM -- "-$group" 2>/dev/null || true
    rm -f "$log"
}
trap ended EXIT

join_beside() {
    local code=0
    wait "$group" || code=$?
    group=
    cat "$log"
    [ "$code" -eq 0 ] || fail "one of the checks above has failed"
}

step "formatting"
cargo fmt --all --check

step "lints"
cargo clippy --locked --workspace --all-targets -- -D warnings

step "documentation"
# With --examples, of which there are none, the dependencies have the features that the tests want: those that the
# lints have checked are used again.
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --lib --examples

if have cargo-deny; then
    step "advisories, licences, duplicates and sources of the dependencies"
    # It needs the advisories of today and every platform's crates: without a network that is no fault of the code.
    if cargo fetch --locked && cargo deny fetch db; then
        cargo deny --locked check
    else
        echo "skipped: the advisories or the crates cannot be fetched"
    fi
fi

step "compiling the tests"
cargo test --locked --workspace --no-run

join_beside

step "tests"
# Most of them wait for processes most of the time.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((4 * $(nproc)))}
cargo test --locked --workspace

step "tests, 400 days from now"
# Cargo's own clock stays right: it compares the times of files. libc's allocator: see tests/promises/harness/clock.rs
far_clock="['env', 'FAKETIME=+$((400 * 86400))', 'FAKETIME_DONT_FAKE_MONOTONIC=1',
    'LD_PRELOAD=$(faketime -f +0 printenv LD_PRELOAD):libc.so.6']"
at_far_date() {
    cargo test --locked --workspace --config "target.'cfg(unix)'.runner = $far_clock" "$@"
}
at_far_date --lib
# All but the rooms that take minutes and whose claims no date has a part in: they move the queue through its states,
# carry heavy load, stop processes and Redis, or ask Prometheus, whose clock stays right. New rooms are included.
unaffected=(queue_model queue_promises chaos draining limits privacy redis_away resting starvation telling watching
    dashboard monitoring)
skips=()
for room in "${unaffected[@]}"; do
    skips+=(--skip "$room::")
done
at_far_date --test promises -- "${skips[@]}"

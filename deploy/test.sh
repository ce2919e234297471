#!/usr/bin/env bash
# The one test command: formatting, lints, documentation, dependencies, tests.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prerequisites.sh"

usage() {
    cat <<'END'
Usage: deploy/test.sh [--quick]

Runs every check and every test, and installs what they need.

Options:
  --quick  Run only the checks and tests that need no server: formatting, lints and unit tests.
           Installs nothing.
  --help   Print this help.
END
}

quick=
for argument in "$@"; do
    case $argument in
    --quick) quick=yes ;;
    --help | -h)
        usage
        exit
        ;;
    *)
        printf "error: unknown argument '%s'\n\n%s\n" "$argument" "$(usage)" >&2
        exit 2
        ;;
    esac
done

if [ -n "$quick" ]; then
    for command in cargo cc; do
        have "$command" || fail "\`$command\` is missing: deploy/test.sh without --quick installs it"
    done
else
    need_rust_and_redis
fi
for component in fmt clippy; do
    cargo "$component" --version >/dev/null 2>&1 ||
        fail "cargo $component is missing: rustup component add rustfmt clippy"
done

check_formatting() {
    step "formatting"
    cargo fmt --all --check
}

check_lints() {
    step "lints"
    cargo clippy --locked --workspace --all-targets -- -D warnings
}

if [ -n "$quick" ]; then
    check_formatting
    check_lints

    step "shell scripts"
    if have shellcheck; then check_shell_scripts; else echo "skipped: shellcheck is not installed"; fi

    step "unit tests"
    start_redis=(embedded::tests conversion::tests console::pages::tests)
    cargo test --locked --workspace --lib -- "${start_redis[@]/#/--skip=}"

    printf '\nskipped by --quick: %s, %s\n' "unit tests that start redis-server (${start_redis[*]})" \
        "tests/promises, documentation, dependencies, deployment files, tests 400 days from now"
    exit
fi

# What waits for servers, or needs nothing compiled. It runs beside the compiler.
beside() {
    # curl: the README's commands, which a test runs. faketime: processes whose clocks are wrong. promtool: the alerts'
    # tests, and a real Prometheus that scrapes a fleet. amtool: who is told. chromedriver: a real browser.
    trap '' TERM # or packages would be left half installed
    need_all "curl curl" "faketime faketime" "promtool prometheus" "amtool prometheus-alertmanager" \
        "chromedriver chromium chromium-driver" "shellcheck shellcheck" "systemd-analyze systemd"
    trap - TERM
    touch "$installed"
    kill -0 "$$" 2>/dev/null || exit 1 # nobody waits for the rest any more

    step "dependencies"
    deploy/dependencies.sh

    step "Prometheus' configuration, rules and alerts"
    deploy/prometheus/test.sh

    step "deployment files"
    deploy/validate.sh
}

# A process group of its own, so that whatever ends this script ends all of it.
log=$(mktemp)
installed=$log.installed # exists when all packages are installed
set -m
(beside) </dev/null >"$log" 2>&1 &
group=$!
set +m
ended() {
    [ -z "$group" ] || kill -TERM -- "-$group" 2>/dev/null || true
    rm -f "$log" "$installed"
}
trap ended EXIT

join_beside() {
    local code=0
    wait "$group" || code=$?
    group=
    cat "$log"
    [ "$code" -eq 0 ] || fail "one of the checks above has failed"
}

check_formatting
check_lints

step "documentation"
# With --examples, of which there are none, the dependencies have the features that the tests want: those that the
# lints have checked are used again.
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --lib --examples

step "compiling the tests"
cargo test --locked --workspace --no-run

# The tests need the packages. They run beside the rest of the checks, which wait for each other.
while [ ! -e "$installed" ] && kill -0 "$group" 2>/dev/null; do sleep 1; done
[ -e "$installed" ] || join_beside

step "tests"
# Most of them wait for processes most of the time.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((8 * $(nproc)))}
cargo test --locked --workspace

join_beside

step "tests, 400 days from now"
# Cargo's own clock stays right: it compares the times of files. libc's allocator: see tests/harness/clock.rs
far_clock="['env', 'FAKETIME=+$((400 * 86400))', 'FAKETIME_DONT_FAKE_MONOTONIC=1',
    'LD_PRELOAD=$(faketime -f +0 printenv LD_PRELOAD):libc.so.6']"
at_far_date() {
    cargo test --locked --workspace --config "target.'cfg(unix)'.runner = $far_clock" "$@"
}
at_far_date --lib
# All but the rooms that take minutes and whose claims no date has a part in: they move the queue through its states,
# carry heavy load, stop processes and Redis, or ask Prometheus, whose clock stays right. New rooms are included.
unaffected=(queue_aborts queue_model queue_promises chaos draining limits privacy redis_away resting starvation telling
    watching dashboard monitoring)
skips=()
for room in "${unaffected[@]}"; do
    skips+=(--skip "$room::")
done
at_far_date --test promises -- "${skips[@]}"

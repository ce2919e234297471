#!/usr/bin/env bash
# Shows the whole pipeline on simulated vendors that misbehave, and checks every promise. Installs what it
# needs. More options of `alumniq-relay demo` may follow.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prerequisites.sh"
need_rust_and_redis

step "building"
cargo build --release --locked

step "running the demo"
exec "${CARGO_TARGET_DIR:-target}/release/alumniq-relay" demo --changes 2000 --people 700 --faults "$@"

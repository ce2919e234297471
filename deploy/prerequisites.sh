# shellcheck shell=bash
# Sourced by the other scripts: installs what they need on Debian and its kin, as root or through sudo
# without a password; elsewhere says what to install. Asks for nothing, and installs nothing until it is called.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

step() {
    printf '\n==> %s\n' "$*"
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

have() {
    command -v "$1" >/dev/null 2>&1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# apt_install COMMAND PACKAGE…: installs the packages that bring COMMAND.
apt_install() (
    command=$1
    shift
    remedy="\`$command\` is missing: install it (Debian and Ubuntu: apt-get install $*) and run this again"
    have apt-get || fail "$remedy"
    as_root true 2>/dev/null || fail "$remedy; this needs root, or sudo without a password"

    # Debian starts a service on installing it: not wanted here, and it fails in containers.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'as_root rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    as_root apt-get update -qq || echo "apt-get update failed: trying with the package lists at hand"
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends "$@" || fail "$remedy"
)

need() {
    have "$1" && return
    step "installing $1"
    apt_install "$@"
}

# need_all "COMMAND PACKAGE…"…: the same for several, all that are missing at once.
need_all() {
    local words command missing=() packages=()
    for words in "$@"; do
        command=${words%% *}
        have "$command" && continue
        missing+=("$command")
        read -ra words <<<"${words#* }"
        packages+=("${words[@]}")
    done
    [ "${#missing[@]}" -eq 0 ] && return
    step "installing ${missing[*]}"
    apt_install "${missing[*]}" "${packages[@]}"
}

need_rust() {
    if ! have cargo; then
        step "installing Rust through rustup"
        need curl curl ca-certificates
        curl --proto '=https' --tlsv1.2 --retry 3 -fsSL https://sh.rustup.rs |
            sh -s -- -y -q --profile minimal --component clippy --component rustfmt --no-modify-path ||
            fail "Rust is missing: install it from https://rustup.rs and run this again"
    fi
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    found=$(cargo --version | cut -d ' ' -f 2)
    if [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" != "$wanted" ]; then
        fail "Rust $found is too old, $wanted is needed: rustup update stable (https://rustup.rs)"
    fi
}

# Rust links with cc, and the TLS library has C and assembly in it.
need_rust_and_redis() {
    need_all "redis-server redis-server" "cc gcc libc6-dev"
    need_rust
}

# Virtual environments: tools come from PyPI.
need_venv() {
    python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3 python3-venv
}

check_shell_scripts() {
    shellcheck -x -P SCRIPTDIR deploy/*.sh deploy/*/*.sh .ci/*
}

# rustup puts cargo here, and not every shell has it in its PATH.
have cargo || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

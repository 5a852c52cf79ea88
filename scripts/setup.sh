#!/usr/bin/env bash
# Installs what building and testing need on a fresh Debian 12 (root, Rust and Node 20 present).
# Each function says what it installs, and returns at once when nothing is missing.
#
#   scripts/setup.sh                    everything
#   scripts/setup.sh postgres redis     only these
#   source scripts/setup.sh             the functions, for another script
set -euo pipefail

RUST_VERSION_MIN=1.95
NODE_VERSION_MIN=20
POSTGRES_VERSION_MIN=15
# The version that is installed where there is none, or an older one.
NEXTEST_VERSION=0.9.143
# The Debian release that packages TimescaleDB, and its major version of PostgreSQL.
TIMESCALEDB_SUITE=trixie
TIMESCALEDB_POSTGRES=17

# Outside the repository, so that no clone makes it twice. Short, because the path of a Unix socket
# below it has to stay under 108 bytes.
: "${AGENTAURI_TIMESCALEDB_ROOT:=/var/cache/agentauri/timescaledb}"
export AGENTAURI_TIMESCALEDB_ROOT

# Root's private servers run as nobody else: whoever shared their account could open their data.
SERVERS_ACCOUNT=agentauri-servers
# How root starts one that ends with its starter.
# shellcheck disable=SC2034 # for those who source this
AS_SERVERS=(setpriv --reuid "$SERVERS_ACCOUNT" --regid "$SERVERS_ACCOUNT" --init-groups
    --pdeathsig INT)

say() { printf 'setup: %s\n' "$*" >&2; }

stop() {
    say "$*"
    exit 1
}

# need_apt PACKAGE…: installs the Debian packages that are missing. Starts no service.
need_apt() {
    local package missing=()
    for package in "$@"; do
        apt_has "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    ((EUID == 0)) || stop "missing; install them as root: apt-get install ${missing[*]}"
    apt_update_once
    say "installing the Debian packages ${missing[*]}"
    (
        # A subshell, so that its trap cannot displace the caller's.
        [[ -e /usr/sbin/policy-rc.d ]] || {
            trap 'rm -f /usr/sbin/policy-rc.d' EXIT
            forbid_services /
        }
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
            "${missing[@]}" >&2
    )
}

# need_tests: what the tests of every kind run on.
need_tests() {
    need_postgres
    need_redis
    need_pgbouncer
    need_timescaledb
    need_account
    need_nextest
    need_npm devnet
    need_npm ponder-indexers
}

# need_postgres: the server programs of any PostgreSQL that is new enough. Their cluster is never
# used, so none is made: each test run starts a private one.
need_postgres() {
    postgres_bin >/dev/null && return
    ((EUID != 0)) || forbid_cluster /
    need_apt "postgresql-$POSTGRES_VERSION_MIN"
}

# postgres_bin: prints the folder of the newest installed PostgreSQL's programs.
postgres_bin() {
    local bin newest=''
    for bin in /usr/lib/postgresql/*/bin; do
        [[ -x $bin/initdb && -x $bin/postgres && -x $bin/psql ]] || continue
        at_least "$(basename "$(dirname "$bin")")" "$POSTGRES_VERSION_MIN" || continue
        newest=$(printf '%s\n' "$newest" "$bin" | sort -V | tail -n 1)
    done
    [[ -n $newest ]] && printf '%s\n' "$newest"
}

# need_redis: the redis-server program.
need_redis() {
    command -v redis-server >/dev/null || need_apt redis-server
}

# need_pgbouncer: the program of the pooler that tests put before PostgreSQL.
need_pgbouncer() {
    [[ -x /usr/sbin/pgbouncer ]] || need_apt pgbouncer
}

# need_account: the account of root's private servers, here and in TimescaleDB's root, under one
# number: in both it is nobody else's. Others than root run servers as themselves.
need_account() {
    ((EUID == 0)) || return 0
    local lock=/var/cache/agentauri/account.lock
    ! has_account / || lacks_account "$AGENTAURI_TIMESCALEDB_ROOT" || return 0
    mkdir -p "$(dirname "$lock")"
    # Whoever comes second waits, and finds it made.
    (
        flock 9
        make_account
    ) 9>"$lock"
}

# has_account ROOT: whether the account is there, under the number that it has here.
has_account() {
    local id
    id=$(account_id /) && [[ $(account_id "$1") == "$id" ]]
}

# lacks_account ROOT: whether it is a root without the account.
lacks_account() { [[ -e $1/etc/passwd ]] && ! has_account "$1"; }

# account_id ROOT: its number there; fails where it is not.
account_id() { sed -n "s/^$SERVERS_ACCOUNT:[^:]*:\([0-9]*\):.*/\1/p" "$1/etc/passwd" | grep .; }

make_account() {
    local root=$AGENTAURI_TIMESCALEDB_ROOT id
    id=$(account_id / || account_id "$root" 2>/dev/null || free_id "$root")
    has_account / || add_account / "$id"
    [[ ! -e $root/etc/passwd ]] || has_account "$root" || add_account "$root" "$id"
}

# add_account ROOT ID
add_account() {
    say "making the account $SERVERS_ACCOUNT ($2) in $1"
    useradd --root "$1" --system --user-group --uid "$2" --no-create-home \
        --home-dir /nonexistent --shell /usr/sbin/nologin "$SERVERS_ACCOUNT" \
        || stop "cannot make the account $SERVERS_ACCOUNT with the number $2 in $1"
}

# free_id ROOT: a number that no user and no group has, here and there.
free_id() {
    local id taken
    taken=$(cut -d : -f 3 /etc/passwd /etc/group "$1"/etc/{passwd,group} 2>/dev/null || true)
    for ((id = 999; id >= 500; id--)); do
        grep -qx "$id" <<<"$taken" || { echo "$id"; return; }
    done
    stop 'no number is free for a system account'
}

# need_npm DIR: the packages of DIR's lock file.
need_npm() {
    local lock=$1/package-lock.json installed=$1/node_modules/.package-lock.json version
    command -v npm >/dev/null || stop "npm is missing: install Node.js $NODE_VERSION_MIN or later"
    version=$(node --version)
    at_least "${version#v}" "$NODE_VERSION_MIN" \
        || stop "node is $version; Node.js $NODE_VERSION_MIN or later is needed"
    [[ -e $installed && ! $installed -ot $lock ]] && return
    say "installing the npm packages of $1"
    (cd "$1" && npm ci --no-audit --no-fund >&2)
}

# need_rust: checks the toolchain; how to install it is the machine's business.
need_rust() {
    local version
    command -v cargo >/dev/null \
        || stop "cargo is missing: install Rust $RUST_VERSION_MIN or later, for example with rustup"
    version=$(cargo --version | cut -d ' ' -f 2)
    at_least "$version" "$RUST_VERSION_MIN" \
        || stop "cargo is $version; $RUST_VERSION_MIN or later is needed: rustup update stable"
}

# need_nextest: the runner of the Rust tests.
need_nextest() {
    need_rust
    local version
    version=$({ cargo nextest --version 2>/dev/null || true; } \
        | sed -n '1s/^cargo-nextest \([0-9.]*\).*/\1/p')
    [[ -z $version ]] || ! at_least "$version" "$NEXTEST_VERSION" || return 0
    say "installing cargo-nextest $NEXTEST_VERSION (compiled here, a few minutes)"
    cargo install cargo-nextest --locked --version "$NEXTEST_VERSION" >&2
}

# need_timescaledb: a Debian root with PostgreSQL and TimescaleDB in it, as Debian 12 has no package
# of TimescaleDB. Servers are run in it by chroot, which only root may do.
need_timescaledb() {
    local root=$AGENTAURI_TIMESCALEDB_ROOT
    [[ -x $root/usr/lib/postgresql/$TIMESCALEDB_POSTGRES/bin/postgres ]] && return
    [[ ! -e $root ]] || stop "$root exists, but has no PostgreSQL $TIMESCALEDB_POSTGRES; remove it"
    ((${#root} <= 60)) || stop "$root is too long for a Unix socket below it"
    ((EUID == 0)) || stop "TimescaleDB's root is missing and only root can make it: $root"
    need_apt debootstrap
    mkdir -p "$(dirname "$root")"
    # Whoever comes second waits, and finds it made.
    (
        flock 9
        [[ -e $root ]] || make_timescaledb_root "$root"
    ) 9>"$root.lock"
}

# Everything under a temporary name first: an interrupted run is not mistaken for a whole one.
make_timescaledb_root() {
    local root=$1 half=$1.half mirror proxy
    apt_has_lists || apt_update_once
    mirror=$(apt_mirror)
    [[ -n $mirror ]] || stop "apt knows no Debian mirror (see apt-get indextargets)"
    proxy=$(apt-config dump --format '%v' Acquire::http::Proxy)
    say "making $root: Debian $TIMESCALEDB_SUITE with TimescaleDB (about two minutes, 500 MB)"
    # An interrupted run may have left its /proc mounted.
    umount "$half/proc" "$half/sys" 2>/dev/null || true
    rm -rf --one-file-system "$half"
    bootstrap_timescaledb "$half" "$mirror" "$proxy" >"$root.log" 2>&1 || {
        tail -n 20 "$root.log" >&2
        stop "debootstrap failed; its whole output is in $root.log"
    }
    rm -rf "$half"/var/cache/apt/archives/*.deb "$half"/var/lib/apt/lists/*
    umount "$half/proc" "$half/sys" 2>/dev/null || true
    mkdir -p "$half/dev/shm"
    chmod 1777 "$half/tmp" "$half/dev/shm"
    # Containers may forbid device nodes; PostgreSQL needs these two.
    chroot "$half" runuser -u postgres -- sh -c ': </dev/urandom >/dev/null' \
        || stop "no /dev/null and /dev/urandom in $half: making device nodes is forbidden here"
    mv "$half" "$root"
    say "made $root"
}

# bootstrap_timescaledb ROOT MIRROR PROXY: in two stages, and between them services and clusters are
# forbidden.
bootstrap_timescaledb() {
    http_proxy=${3:-${http_proxy:-}} debootstrap --foreign --variant=minbase \
        --include="postgresql-$TIMESCALEDB_POSTGRES-timescaledb" "$TIMESCALEDB_SUITE" "$1" "$2" \
        && forbid_services "$1" \
        && forbid_cluster "$1" \
        && LC_ALL=C.UTF-8 chroot "$1" /debootstrap/debootstrap --second-stage
}

apt_has() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

apt_has_lists() { [[ -n $(apt_mirror) ]]; }

apt_update_once() {
    [[ -z ${APT_UPDATED:-} ]] || return 0
    say "fetching the lists of Debian packages"
    apt-get update -q >&2
    APT_UPDATED=1
}

# The mirror that apt itself uses for Debian's main archive.
apt_mirror() {
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 'Component: main' \
        | sed -n '/^\(https\?\|file\):/{p;q}'
}

# forbid_services ROOT: packages installed there start nothing.
forbid_services() {
    printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
    chmod 755 "$1/usr/sbin/policy-rc.d"
}

# forbid_cluster ROOT: Debian's PostgreSQL packages make no cluster there.
forbid_cluster() {
    mkdir -p "$1/etc/postgresql-common/createcluster.d"
    echo 'create_main_cluster = false' \
        >"$1/etc/postgresql-common/createcluster.d/agentauri.conf"
}

# at_least VERSION MINIMUM
at_least() {
    [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$2" ]]
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
    (($#)) || set -- rust nextest postgres redis pgbouncer timescaledb account
    for part in "$@"; do
        declare -F "need_$part" >/dev/null || stop "unknown: $part"
        [[ $part != npm && $part != apt ]] || stop "need_$part wants arguments: source this file"
        "need_$part"
    done
    say "complete"
fi

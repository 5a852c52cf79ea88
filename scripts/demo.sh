#!/usr/bin/env bash
# Installs what is missing, builds, and runs `agentauri demo` with the arguments given.
#
#   scripts/demo.sh            traffic until Ctrl-C
#   scripts/demo.sh --once     ends with a summary once every event was delivered and verified
#   scripts/demo.sh --help     all options
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/setup.sh
source scripts/setup.sh

need_rust
need_postgres
need_redis
need_account
need_npm devnet
say 'building agentauri (release; some minutes the first time)'
(cd rust-backend && cargo build --release --locked --bin agentauri >&2)
exec rust-backend/target/release/agentauri demo --devnet devnet "$@"

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
# Not optimised: that would take three times as long, and the demo's traffic needs it not. What is
# compiled here serves `cargo build`, too.
say 'building agentauri (a minute or two the first time)'
(cd rust-backend && cargo build --locked --bin agentauri >&2)
exec rust-backend/target/debug/agentauri demo --devnet devnet "$@"

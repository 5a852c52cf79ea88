#!/usr/bin/env bash
# The soaks: traffic, random reorgs and kills for as many rounds as are asked for.
set -euo pipefail

usage() {
    cat <<'HELP'
scripts/soak.sh [TEST [ROUNDS]]

Runs one of the soak tests of crates/cli/tests/processes for so many rounds (default 150: some ten
minutes with our indexer). Each round is traffic, a reorg of 1 to 20 blocks and a kill -9; in the
end valid events are the chain's logs, every message of an orphaned one is retracted under one id,
and state is a replay. scripts/run-tests.sh runs three rounds of each.

  chain::reorgs::a_reorg_is_retracted_at_its_receiver_with_both_blocks
                  our indexer
  chain::reorgs::the_auditor_of_an_inserting_writer_has_a_reorg_retracted
  chain::ponder::ponder_as_the_indexer_has_a_reorg_retracted
                  about 15 s a round

Example:
  scripts/soak.sh \
      chain::ponder::ponder_as_the_indexer_has_a_reorg_retracted 45
HELP
}

main() {
    local test=${1:-chain::reorgs::a_reorg_is_retracted_at_its_receiver_with_both_blocks}
    local rounds=${2:-150}
    if [[ $test == -h || $test == --help ]]; then
        usage
        exit
    fi
    if ! [[ $rounds =~ ^[1-9][0-9]*$ ]]; then
        usage >&2
        exit 2
    fi
    cd "$(dirname "${BASH_SOURCE[0]}")/.."
    # shellcheck source=scripts/setup.sh
    source scripts/setup.sh
    need_postgres
    need_redis
    need_npm devnet
    need_npm ponder-indexers
    cd rust-backend
    cargo build --workspace --bins
    cargo test -q -p cli --test processes -- --exact "$test" --list | grep -q ': test$' \
        || stop "there is no test $test"
    # Not by nextest, which ends a test after five minutes.
    AGENTAURI_TEST_SOAK_ROUNDS=$rounds \
        cargo test -p cli --test processes -- --exact "$test" --nocapture
}

main "$@"

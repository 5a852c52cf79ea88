#!/usr/bin/env bash
# Checks before a release that take too long for scripts/run-tests.sh: about an hour on two cores.
set -euo pipefail

CHECKS=(soak-indexer soak-auditor soak-ponder nodes worlds mutants faults bench)
SOAK_ROUNDS=45

check_soak_indexer() {
    soak chain::reorgs::a_reorg_is_retracted_at_its_receiver_with_both_blocks
}

check_soak_auditor() {
    soak chain::reorgs::the_auditor_of_an_inserting_writer_has_a_reorg_retracted
}

check_soak_ponder() {
    soak chain::ponder::ponder_as_the_indexer_has_a_reorg_retracted
}

soak() { bash scripts/soak.sh "$1" "$SOAK_ROUNDS"; }

check_nodes() {
    AGENTAURI_NODE_SEEDS=1-500 in_rust cargo nextest run --workspace --profile release-checks \
        -E 'test(whenever_some_way_of_asking_brings_the_logs_they_are_stored)'
}

check_worlds() { in_rust cargo run --release -q -p simulator -- --seeds 1000; }

check_mutants() { in_rust cargo nextest run --release -p simulator -E 'test(/^mutants::/)'; }

check_faults() { released fault-harness; }

check_bench() { released agentauri bench --quick; }

# released PROGRAM ARGUMENT…: runs one of our programs as users do.
released() {
    in_rust cargo build --release -q --bins
    in_rust "target/release/$1" "${@:2}"
}

in_rust() (cd rust-backend && "$@")

usage() {
    cat <<'HELP'
scripts/release-checks.sh [--only CHECK…] | --list | --help

Runs every check, or those named, and ends with a table; goes on after one that fails.

  soak-indexer, soak-auditor, soak-ponder   45 rounds of traffic, reorgs and kills each
  nodes      500 nodes whose limits and manners are drawn from a seed
  worlds     1,000 seeds of the simulator
  mutants    each engine that is wrong on purpose is found
  faults     every fault of the harness, once, done to running processes
  bench      every scenario of `agentauri bench --quick`; its figures are read by you

Figures beside those of an earlier build: scripts/bench-pairs.sh.
HELP
}

wrong_usage() {
    usage >&2
    exit 2
}

main() {
    local only=() check
    case ${1:-} in
        '') only=("${CHECKS[@]}") ;;
        -h | --help)
            usage
            exit
            ;;
        --list)
            printf '%s\n' "${CHECKS[@]}"
            exit
            ;;
        --only) only=("${@:2}") ;;
        *) wrong_usage ;;
    esac
    ((${#only[@]})) || wrong_usage
    for check in "${only[@]}"; do
        [[ " ${CHECKS[*]} " == *" $check "* ]] || wrong_usage
    done
    cd "$(dirname "${BASH_SOURCE[0]}")/.."
    # shellcheck source=scripts/setup.sh
    source scripts/setup.sh
    need_tests
    take_all "${only[@]}"
}

# take_all CHECK…: a check runs as a program of its own, so that its failure ends only itself.
take_all() {
    local check begin status table=() failed=0
    for check in "$@"; do
        printf '\n=== %s\n' "$check"
        begin=$SECONDS status=0
        bash scripts/release-checks.sh --check "$check" || status=$?
        ((status == 0)) || failed=1
        table+=("$(printf '%-14s %6d s  %s' "$check" $((SECONDS - begin)) \
            "$( ((status == 0)) && echo ok || echo "FAILED ($status)")")")
    done
    printf '\n=== checks\n'
    printf '%s\n' "${table[@]}"
    return "$failed"
}

if [[ ${1:-} == --check ]]; then
    "check_${2//-/_}"
else
    main "$@"
fi

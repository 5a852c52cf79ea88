#!/usr/bin/env bash
# Every test there is, in one go: installs what is missing, then takes the steps below in order.
set -euo pipefail

# Steps, cheapest first. A step named a-b is the function step_a_b.
STEPS=(
    setup
    shellcheck
    sql-plain
    sql-timescaledb
    rust-fmt
    rust-lint
    tidy
    rust-plain
    rust-timescaledb
    devnet
    ponder
    doors
)

# The Rust tests that meet the hypertable.
MEETS_HYPERTABLE='binary(judging) or binary(acting) or binary(processes) and not test(refus)
    or binary(bench) or binary(promises) and test(/^real::/) and not test(queueing)
    or binary(schemas) or binary(servers) and test(/^account::|whom_a_test/)
    or binary(reorgs) or binary(audits) or binary(doors)
    or binary(indexer) and test(/^(auditing|forgeries|branch::reorgs)::/)
    or binary(indexer) and test(/^(backfill::history_below|branch::branches::.*back|gaps::ag)/)'
: "${AGENTAURI_TIMESCALEDB_FILTER:=$MEETS_HYPERTABLE}"

step_setup() {
    # shellcheck source=scripts/setup.sh
    source scripts/setup.sh
    need_apt perl python3 shellcheck
    need_tests
}

step_shellcheck() { shellcheck --external-sources .ci/run scripts/*.sh database/tests/*.sh; }

step_sql_plain() { bash database/tests/run.sh plain; }

step_sql_timescaledb() { bash database/tests/run.sh timescaledb; }

step_rust_fmt() { in_rust cargo fmt --all --check; }

step_rust_lint() { in_rust cargo clippy --workspace --all-targets -- -D warnings; }

step_tidy() { in_rust cargo run -q -p xtask -- tidy; }

step_rust_plain() {
    in_rust env AGENTAURI_TEST_POSTGRES=plain cargo nextest run --workspace --profile ci
}

step_rust_timescaledb() {
    # shellcheck source=scripts/setup.sh
    source scripts/setup.sh
    in_rust env AGENTAURI_TEST_POSTGRES=timescaledb \
        cargo nextest run --workspace --profile ci -E "$AGENTAURI_TIMESCALEDB_FILTER"
}

step_devnet() (cd devnet && npm run typecheck && npm run lint && npm test)

step_ponder() {
    # Of the whole workspace, as the Rust tests are: the same dependencies serve both.
    in_rust cargo build --quiet --workspace --bin chain-indexer
    (cd ponder-indexers && npm run typecheck && npm run lint && npm test)
}

step_doors() { bash scripts/test-event-processor.sh; }

in_rust() (cd rust-backend && "$@")

usage() {
    cat <<'END'
scripts/run-tests.sh [--only STEP…] [--keep-going] | --list | --help

  --only STEP…   only these steps
  --keep-going   take the steps after a failing one, too
  --list         the names of the steps
END
}

main() {
    local only=() keep_going='' name
    while (($#)); do
        case $1 in
            -h | --help)
                usage
                exit
                ;;
            --list)
                printf '%s\n' "${STEPS[@]}"
                exit
                ;;
            --keep-going) keep_going=1 ;;
            --only)
                while (($# > 1)) && [[ $2 != --* ]]; do
                    only+=("$2")
                    shift
                done
                ((${#only[@]})) || wrong_usage
                ;;
            *) wrong_usage ;;
        esac
        shift
    done
    for name in "${only[@]}"; do
        [[ " ${STEPS[*]} " == *" $name "* ]] || wrong_usage
    done
    ((${#only[@]})) || only=("${STEPS[@]}")

    LOGS=$(mktemp -d "${TMPDIR:-/tmp}/agentauri-tests.XXXXXX")
    trap clean_up EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    for name in "${only[@]}"; do
        take "$name" || [[ -n $keep_going ]] || break
    done
    end_leftovers
    report
}

wrong_usage() {
    usage >&2
    exit 2
}

# take STEP: takes a step in a process group of its own, and shows and keeps its output.
take() {
    local begin=$SECONDS status=0
    printf '\n=== %s\n' "$1"
    # Through a file and not a pipe: a server left running would hold the pipe open for ever.
    : >"$LOGS/$1"
    setsid bash scripts/run-tests.sh --step "$1" >"$LOGS/$1" 2>&1 &
    STEP=$!
    # In the background, because bash handles a signal only while it waits.
    tail -n +1 -s 0.1 -f --pid "$STEP" "$LOGS/$1" &
    wait $! || true
    wait "$STEP" || status=$?
    STEP=''
    note "$1" "$begin" "$status"
}

# note STEP BEGIN STATUS: a line for the table. Fails where the step failed.
note() {
    local result=ok
    (($3 == 0)) || result="FAILED ($3)"
    TABLE+=("$(printf '%-18s %6d s  %s' "$1" $((SECONDS - $2)) "$result")")
    (($3 == 0)) || FAILED+=("$1")
    return "$3"
}

# The table of steps and, where one failed, its last lines: whoever reads only the end sees why.
report() {
    local name
    printf '\n=== steps\n'
    printf '%s\n' "${TABLE[@]}"
    if ((${#FAILED[@]} == 0)); then
        printf '\nEvery step passed, in %d s.\n' "$SECONDS"
        return
    fi
    for name in "${FAILED[@]}"; do
        printf '\nFAILED: %s. Its last lines:\n' "$name"
        tail -n 60 "$LOGS/$name"
    done
    return 1
}

# A server that a step started and did not stop is a failure, and is ended here.
end_leftovers() {
    local begin=$SECONDS attempt left='' pid
    for ((attempt = 0; attempt < 300; attempt++)); do
        left=$(our_servers)
        [[ -n $left ]] || break
        sleep 0.1
    done
    printf '%s\n' "${left:-none}" >"$LOGS/left-running"
    # Where it works names the test's folder. It may end by itself meanwhile; what hangs for so long
    # heeds no other signal.
    [[ -z $left ]] || while read -r pid _; do
        { ls -l "/proc/$pid/cwd" && ps -o pid,ppid,stat,lstart,args -p "$pid"; } || true
        kill -KILL "$pid" || true
    done <<<"$left" >>"$LOGS/left-running" 2>&1
    note left-running "$begin" "$([[ -z $left ]] && echo 0 || echo 1)" || true
}

# Servers among our descendants, as "PID NAME". A process whose parent has ended is our child again
# (see adopt_orphans), so none escapes by becoming a daemon.
our_servers() {
    local stat line pid ancestor
    declare -A parents names
    for stat in /proc/[0-9]*/stat; do
        { line=$(<"$stat"); } 2>/dev/null || continue
        [[ $line =~ ^([0-9]+)\ \((.*)\)\ ([A-Z])\ ([0-9]+) && ${BASH_REMATCH[3]} != Z ]] || continue
        names[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
        parents[${BASH_REMATCH[1]}]=${BASH_REMATCH[4]}
    done
    for pid in "${!names[@]}"; do
        [[ ${names[$pid]} =~ ^(postgres|redis-server|anvil)$ ]] || continue
        ancestor=$pid
        while [[ -n $ancestor && $ancestor != "$$" ]]; do
            ancestor=${parents[$ancestor]:-}
        done
        [[ -z $ancestor ]] || echo "$pid ${names[$pid]}"
    done
}

# Becomes a process to which Linux gives the orphans among its descendants (prctl number 36,
# PR_SET_CHILD_SUBREAPER, which survives exec).
adopt_orphans() {
    local prctl
    case $(uname -m) in
        x86_64) prctl=157 ;;
        aarch64 | riscv64) prctl=167 ;;
        *) return ;;
    esac
    [[ -z ${AGENTAURI_TEST_ADOPT:-} ]] || return 0
    # shellcheck disable=SC2016
    AGENTAURI_TEST_ADOPT=1 exec perl -e 'syscall(shift, 36, 1, 0, 0, 0); exec @ARGV' \
        "$prctl" bash "${BASH_SOURCE[0]}" "$@"
}

clean_up() {
    if [[ -n $STEP ]]; then
        kill -- "-$STEP" 2>/dev/null || true
        wait "$STEP" || true
    fi
    [[ -z $LOGS ]] || rm -rf "$LOGS"
}

if [[ ${1:-} == --step ]]; then
    "step_${2//-/_}"
    exit
fi
adopt_orphans "$@"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
LOGS='' STEP='' TABLE=() FAILED=()
main "$@"

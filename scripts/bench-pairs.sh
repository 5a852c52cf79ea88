#!/usr/bin/env bash
# The figures of this build beside those of another, in alternating pairs.
set -euo pipefail

usage() {
    cat <<'HELP'
scripts/bench-pairs.sh BEFORE PAIRS BENCH-ARGUMENT…

Runs `agentauri bench` of two builds in turns, every other pair in the other order, so that the
machine's mood meets both, and prints for each figure the median (least … most) of each side and
the ratio of the medians.

  BEFORE  a folder with the other build's programs, e.g. a worktree's rust-backend/target/release;
          the scenario `chain` runs Ponder as it is in that worktree
  PAIRS   how many times each side runs

Example, with a build of an earlier commit:
  git worktree add --detach ../before COMMIT
  (cd ../before/rust-backend && cargo build --release --bins)
  scripts/bench-pairs.sh ../before/rust-backend/target/release 5 sustained latency --quick
HELP
}

# Reads the reports of both sides, each a list: one row a figure, separated by tabs.
# shellcheck disable=SC2016 # jq's variables
TABLE='
def median: sort | if length % 2 == 1 then .[length / 2 | floor]
    else (.[length / 2] + .[length / 2 - 1]) / 2 end;
def rounded: if . == 0 then 0 else . as $x
    | (pow(10; 3 - ($x | fabs | log10 | floor))) as $by | ($x * $by | round) / $by end;
def side: "\(median | rounded) (\(min | rounded) … \(max | rounded))";
def values($key): [.[].figures[] | select([.scenario, .case, .name] == $key) | .median];
[$before[0].figures[] | [.scenario, .case, .name]][] as $key
| ($before | values($key)) as $old | ($after | values($key)) as $new
| select(($new | length) > 0)
| ($old | median) as $base
| ($key + [($old | side), ($new | side),
    (if $base == 0 then "-" else (($new | median) / $base * 1000 | round) / 1000 end)])
| @tsv'

main() {
    case ${1:-} in
        -h | --help)
            usage
            exit
            ;;
    esac
    if (($# < 3)) || ! [[ $2 =~ ^[1-9][0-9]*$ ]] || [[ ! -x $1/agentauri ]]; then
        usage >&2
        exit 2
    fi
    local before after pairs=$2 pair
    before=$(cd "$1" && pwd)
    shift 2
    cd "$(dirname "${BASH_SOURCE[0]}")/.."
    # shellcheck source=scripts/setup.sh
    source scripts/setup.sh
    need_apt jq
    need_postgres
    need_redis
    local tree
    for tree in . "$before/../../.."; do
        need_npm "$tree/devnet"
        need_npm "$tree/ponder-indexers"
    done
    (cd rust-backend && cargo build --release -q --bins)
    after=$PWD/rust-backend/target/release
    REPORTS=$(mktemp -d "${TMPDIR:-/tmp}/agentauri-pairs.XXXXXX")
    trap 'rm -rf "$REPORTS"' EXIT
    for ((pair = 1; pair <= pairs; pair++)); do
        printf 'pair %d of %d\n' "$pair" "$pairs" >&2
        if ((pair % 2)); then
            run "$before" "before-$pair" "$@"
            run "$after" "after-$pair" "$@"
        else
            run "$after" "after-$pair" "$@"
            run "$before" "before-$pair" "$@"
        fi
    done
    {
        printf 'scenario\tcase\tfigure\tbefore\tafter\tafter/before\n'
        jq -rn --slurpfile before <(cat "$REPORTS"/before-*) \
            --slurpfile after <(cat "$REPORTS"/after-*) "$TABLE"
    } | column -t -s $'\t'
}

# run FOLDER NAME BENCH-ARGUMENT…: one side of a pair. A bench that fails shows all it said.
run() {
    local tree
    tree=$(git -C "$1" rev-parse --show-toplevel)
    (cd "$tree" && "$1/agentauri" bench "${@:3}" --out "$REPORTS/$2") >"$REPORTS/said" 2>&1 || {
        cat "$REPORTS/said" >&2
        exit 1
    }
}

main "$@"

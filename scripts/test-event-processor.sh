#!/usr/bin/env bash
# The manual test of docs/architecture/event-store-integration.md, done by a machine: the event
# processor is built and started as printed there, the printed INSERT is run, and the printed lines
# must appear. Servers: those of DATABASE_URL and REDIS_URL, or else private ones on free ports.
#
#   scripts/test-event-processor.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

DOCUMENT=docs/architecture/event-store-integration.md
# On a cold machine `cargo run` compiles first.
START_SECONDS=1200
FOLDER='' PIDS=()

main() {
    case ${1:-} in
        '') ;;
        -h | --help)
            sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
            exit
            ;;
        *)
            echo 'usage: scripts/test-event-processor.sh [--help]' >&2
            exit 2
            ;;
    esac
    # shellcheck source=scripts/setup.sh
    source scripts/setup.sh
    need_rust
    need_postgres
    need_redis
    need_account
    PATH=$(postgres_bin):$PATH
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/agentauri-door.XXXXXX")
    LOG=$FOLDER/processor.log
    if [[ -z ${DATABASE_URL:-} || -z ${REDIS_URL:-} ]]; then
        start_postgres
        start_redis
    fi
    export DATABASE_URL REDIS_URL

    check 'PostgreSQL answers' psql_answers
    start_processor
    check 'the event processor builds and starts' \
        said "$START_SECONDS" 'INFO Starting Event Processor...'
    check 'it connects to Redis' said 60 'INFO Connected to Redis'
    check 'it listens' said 60 "INFO Listening for PostgreSQL NOTIFY events on channel 'new_event'"
    check 'the NOTIFY trigger exists' trigger_exists
    check 'the printed INSERT works' run_printed 'INSERT INTO events'
    check 'the notification arrives' said 60 'DEBUG Received notification for event: test_manual_'
    check 'the event is processed' said 60 'INFO Processing event: test_manual_' \
        '(chain_id=11155111, registry=identity, event_type=AgentRegistered)'
    check 'the printed load loop works' run_printed 'load_test_'
    check 'its last event is processed' processed_last
    check 'the three monitoring queries run' run_queries
    check 'nothing that a superuser migrated belongs to one' no_superuser_owns
    echo "$PASSED passed, 0 failed"
}

PASSED=0

# check WHAT COMMAND…: says what passed; ends the script at the first failure.
check() {
    local what=$1
    shift
    if ! "$@" >"$FOLDER/check.log" 2>&1; then
        echo "FAILED: $what"
        cat "$FOLDER/check.log"
        echo 'The event processor said last:'
        tail -n 20 "$LOG"
        exit 1
    fi
    PASSED=$((PASSED + 1))
    echo "ok: $what"
}

psql_answers() { psql -X -q -d "$DATABASE_URL" -c 'SELECT 1'; }

start_processor() {
    : >"$LOG"
    # A group of its own, so that the compilers under `cargo run` end with it.
    (cd rust-backend && exec setsid cargo run --locked -p event-processor) >"$LOG" 2>&1 &
    PROCESSOR=$!
}

# said SECONDS TEXT…: waits for a line of the log with every TEXT in it.
said() {
    local deadline=$((SECONDS + $1)) text lines
    shift
    while ((SECONDS < deadline)); do
        lines=$(<"$LOG")
        for text in "$@"; do
            lines=$(grep -F -- "$text" <<<"$lines") || true
        done
        [[ -z $lines ]] || return 0
        kill -0 "$PROCESSOR" || return 1
        sleep 0.2
    done
    echo "no line with: $*"
    return 1
}

trigger_exists() {
    psql -X -q -v ON_ERROR_STOP=1 -d "$DATABASE_URL" -At -c \
        "SELECT 1 FROM pg_trigger WHERE tgname = 'trigger_notify_new_event'" | grep -qx 1
}

# run_printed TEXT: runs the bash block of the document that has TEXT in it, as printed, but for
# `docker exec -i NAME psql …`, which becomes psql on our database.
run_printed() {
    local block
    block=$(printed bash "$1")
    [[ -n $block ]] || { echo "no such block: $1"; return 1; }
    # shellcheck disable=SC2016 # expanded by the shell that runs the block
    bash -euo pipefail -c 'docker() { psql -X -q -v ON_ERROR_STOP=1 -d "$DATABASE_URL"; }
'"$block"
}

# printed LANGUAGE TEXT: the first fenced block of that language with TEXT in it.
printed() {
    awk -v fence="\`\`\`$1" -v text="$2" '
        $0 ~ "^ *" fence "$" { inside = 1; block = ""; next }
        inside && /^ *```$/ {
            inside = 0
            if (index(block, text)) { printf "%s", block; exit }
            next
        }
        inside { block = block $0 "\n" }' "$DOCUMENT"
}

processed_last() {
    local deadline=$((SECONDS + 60)) judged
    while ((SECONDS < deadline)); do
        judged=$(psql -X -At -d "$DATABASE_URL" -c \
            'SELECT coalesce(sum(entries_judged), 0) FROM shard_cursors WHERE chain_id = 11155111')
        ((judged < 1001)) || return 0
        sleep 0.2
    done
    echo "judged only $judged"
    return 1
}

run_queries() {
    local text
    for text in 'COUNT(*) FROM events WHERE created_at' 'avg_latency_sec' 'match_rate_pct'; do
        printed sql "$text" | psql -X -q -v ON_ERROR_STOP=1 -d "$DATABASE_URL"
    done
}

no_superuser_owns() {
    local owned
    owned=$(psql -X -q -v ON_ERROR_STOP=1 -d "$DATABASE_URL" -At \
        -f database/tests/superuser_owned.sql)
    echo "$owned"
    [[ -z $owned ]]
}

start_postgres() {
    local port as=(setpriv --pdeathsig INT)
    port=$(free_port)
    if ((EUID == 0)); then
        as=("${AS_SERVERS[@]}")
        chown "$SERVERS_ACCOUNT:" "$FOLDER"
    fi
    echo postgres >"$FOLDER/password"
    chmod 644 "$FOLDER/password"
    (cd / && "${as[@]}" initdb -D "$FOLDER/data" -U postgres -A scram-sha-256 \
        --pwfile "$FOLDER/password" -E UTF8 --locale=C.UTF-8 --no-sync) >"$FOLDER/initdb.log" 2>&1
    (cd / && exec "${as[@]}" postgres -D "$FOLDER/data" -k "$FOLDER" -p "$port" \
        -c listen_addresses=127.0.0.1 -c fsync=off) >"$FOLDER/postgres.log" 2>&1 &
    PIDS+=($!)
    until_ready pg_isready -q -h 127.0.0.1 -p "$port"
    local server=postgres://postgres:postgres@127.0.0.1:$port
    psql -X -q -d "$server/postgres" -c 'CREATE DATABASE agentauri_backend'
    DATABASE_URL=$server/agentauri_backend
}

start_redis() {
    local port
    port=$(free_port)
    (cd "$FOLDER" && exec setpriv --pdeathsig TERM redis-server --port "$port" \
        --bind 127.0.0.1 --save '' --appendonly no) >"$FOLDER/redis.log" 2>&1 &
    PIDS+=($!)
    until_ready redis-cli -p "$port" ping
    REDIS_URL=redis://127.0.0.1:$port
}

# A port that nobody uses now; the range lies below the ports that the system hands out itself.
free_port() {
    local port attempt
    for ((attempt = 0; attempt < 100; attempt++)); do
        port=$((20000 + RANDOM % 10000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
    echo 'no free port' >&2
    return 1
}

until_ready() {
    local attempt
    for ((attempt = 0; attempt < 1200; attempt++)); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    tail -n 20 "$FOLDER"/*.log >&2
    return 1
}

clean_up() {
    if [[ -n $PROCESSOR ]]; then
        # Until it has its group, it is ended by its own id.
        kill -TERM -- "-$PROCESSOR" 2>/dev/null || kill -TERM "$PROCESSOR" 2>/dev/null || true
        wait "$PROCESSOR" 2>/dev/null || true
    fi
    ((${#PIDS[@]} == 0)) || kill "${PIDS[@]}" 2>/dev/null || true
    wait
    [[ -z $FOLDER ]] || rm -rf "$FOLDER"
}

PROCESSOR='' LOG=''
main "$@"

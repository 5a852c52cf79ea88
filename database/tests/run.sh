#!/usr/bin/env bash
# Runs the SQL tests in this folder: on a private server of the kind asked for, which the owner role
# migrates twice and which is removed afterwards, or against a database that exists and is migrated.
set -euo pipefail

usage() {
    cat <<'END'
database/tests/run.sh [plain|timescaledb] [TEST…]
database/tests/run.sh --against URL [TEST…]

  plain          a private PostgreSQL (default)
  timescaledb    a private PostgreSQL with TimescaleDB; only root can run it
  --against URL  an existing database, as a superuser; nothing stays behind in it
  TEST…          names of files in this folder; all of them by default
END
}

main() {
    local kind=plain url=''
    case ${1:-} in
        -h | --help)
            usage
            exit
            ;;
        # How prove runs one file.
        --one)
            run_one "$2"
            exit
            ;;
        --against)
            url=${2:?--against wants the URL of a database}
            shift 2
            ;;
        plain | timescaledb)
            kind=$1
            shift
            ;;
        -*)
            usage >&2
            exit 2
            ;;
    esac
    cd "$(dirname "${BASH_SOURCE[0]}")"
    # shellcheck source=scripts/setup.sh
    source ../../scripts/setup.sh
    need_apt perl
    need_postgres
    trap clean_up EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    BIN=$(postgres_bin)
    export PATH=$BIN:$PATH
    if [[ -n $url ]]; then
        export TEST_DATABASE=$url
    else
        "start_$kind"
        become_private
        migrate
        migrate
    fi
    (($#)) || set -- test-*
    # In the background, because bash handles a signal only while it waits.
    prove --exec 'bash run.sh --one' "$@" &
    PROVE=$!
    wait "$PROVE"
}

run_one() {
    case $1 in
        *.sql) psql -X -q -d "$TEST_DATABASE" -f "$1" ;;
        *.sh) bash "$1" ;;
    esac
}

# What compose.yaml has the superuser do, once: from here on the migrations need none.
become_private() {
    apply "$TEST_DATABASE" ../migrations/*_create_owner_role.sql ../owner_login.sql
}

migrate() { apply "$TEST_DATABASE user=agentauri_owner" ../migrations/*.sql; }

# apply DATABASE FILE…
apply() {
    local database=$1 file
    shift
    for file in "$@"; do
        PGOPTIONS='-c client_min_messages=warning' psql -X -q -v ON_ERROR_STOP=1 \
            --single-transaction -d "$database" -f "$file" >/dev/null
    done
}

# An account of its own runs root's server, as PostgreSQL refuses to be root.
start_plain() {
    need_account
    FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/agentauri-sql.XXXXXX")
    if ((EUID == 0)); then
        chown "$SERVERS_ACCOUNT:" "$FOLDER"
        start_server "$FOLDER" "$BIN" "${AS_SERVERS[@]}"
    else
        start_server "$FOLDER" "$BIN" setpriv --pdeathsig INT
    fi
}

start_timescaledb() {
    need_timescaledb
    need_account
    ((EUID == 0)) || stop 'only root can run servers in the root of TimescaleDB'
    local root=$AGENTAURI_TIMESCALEDB_ROOT
    FOLDER=$(mktemp -d "$root/tmp/agentauri-sql.XXXXXX")
    chown "$SERVERS_ACCOUNT:" "$FOLDER"
    SETTINGS+=(-c shared_preload_libraries=timescaledb -c timescaledb.telemetry_level=off)
    # Small enough for a test to fill; PostgreSQL 17 has the setting.
    SETTINGS+=(-c max_notify_queue_pages=64)
    start_server "${FOLDER#"$root"}" "/usr/lib/postgresql/$TIMESCALEDB_POSTGRES/bin" \
        chroot "$root" "${AS_SERVERS[@]}"
}

# start_server FOLDER BIN PREFIX…: FOLDER and BIN as seen behind the PREFIX of the command.
start_server() {
    local folder=$1 bin=$2 attempt
    shift 2
    # Where the server's own user may not look, it would complain about the working directory.
    (cd / && "$@" "$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
        --no-sync) >"$FOLDER/initdb.log" 2>&1 || { cat "$FOLDER/initdb.log" >&2; exit 1; }
    (cd / && exec "$@" "$bin/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= \
        -c fsync=off -c synchronous_commit=off "${SETTINGS[@]}") >"$FOLDER/server.log" 2>&1 &
    SERVER=$!
    export TEST_DATABASE="host=$FOLDER user=postgres dbname=postgres"
    for ((attempt = 0; attempt < 1200; attempt++)); do
        ! pg_isready -q -d "$TEST_DATABASE" || return 0
        kill -0 "$SERVER" 2>/dev/null || break
        sleep 0.1
    done
    cat "$FOLDER/server.log" >&2
    echo 'the server did not start' >&2
    exit 1
}

clean_up() {
    [[ -z $PROVE ]] || kill "$PROVE" 2>/dev/null || true
    if [[ -n $SERVER ]]; then
        kill -INT "$SERVER" 2>/dev/null || true
        wait "$SERVER" || true
    fi
    [[ -z $FOLDER ]] || rm -rf "$FOLDER"
}

BIN='' FOLDER='' SERVER='' PROVE='' SETTINGS=()
main "$@"

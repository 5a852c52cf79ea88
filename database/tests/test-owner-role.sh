#!/usr/bin/env bash
# Whoever migrates as a superuser makes objects that belong to a role that is none. Run by run.sh,
# as a superuser.
set -euo pipefail

SCRATCH=tap_owned ALICE=tap_alice
# What a superuser keeps in `public`, of each kind that a migration may make one day.
DRAWN=('TABLE %s (n INT)' 'TABLE %s (n INT GENERATED ALWAYS AS IDENTITY)' 'SEQUENCE %s'
    'TABLE %s (n INT) PARTITION BY LIST (n)' 'VIEW %s AS SELECT 1' 'TYPE %s AS (n INT)'
    'MATERIALIZED VIEW %s AS SELECT 1' "TYPE %s AS ENUM ('a')" 'DOMAIN %s AS TEXT'
    'TYPE %s AS RANGE (subtype = INT)' "FUNCTION %s(INT) RETURNS INT LANGUAGE sql AS 'SELECT 1'"
    "PROCEDURE %s() LANGUAGE sql AS 'SELECT 1'" 'AGGREGATE %s(INT) (sfunc = int4pl, stype = INT)'
    "FUNCTION %s(TEXT) RETURNS INT LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'")

main() {
    ADMIN=$(psql -X -At -d "$TEST_DATABASE" -c 'SELECT current_database()')
    echo '1..18'
    trap clean_up EXIT
    clean_up
    migrated_by_a_superuser whole 'each migration in one transaction'
    role_is_no_superuser
    everything_works
    every_kind_is_given
    migrated_by_a_superuser apart 'each statement by itself'
    alice_keeps_what_is_hers
    more_than_an_owner_is_refused
    exit "$FAILED"
}

role_is_no_superuser() {
    is "$(query $SCRATCH "SELECT concat_ws(' ', rolsuper, rolcreaterole, rolcreatedb,
            rolreplication, rolbypassrls) FROM pg_roles WHERE rolname = 'agentauri_owner'")" \
        'f f f f f' 'the owner role is nothing but an owner'
}

# migrated_by_a_superuser MANNER IN-WORDS
migrated_by_a_superuser() {
    make_scratch
    is "$(migrate "$1")" '' "a superuser can migrate, $2"
    is "$(owned)" '' 'and owns nothing of it'
    is "$(migrate "$1"; owned)" '' 'nor after migrating again'
    is "$(query $SCRATCH "SELECT count(*) > 30, bool_and(proowner = 'agentauri_owner'::regrole)
            FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS (
                SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')")" \
        't|t' 'what was looked at is all there, and the owner role'"'"'s'
}

everything_works() {
    local row="INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash,
        log_index, event_type, registry, timestamp, created_at) VALUES ('%s', 1, 1, '0xa', '0xb', 0,
        'AgentRegistered', 'identity', %s, now());"
    # shellcheck disable=SC2059
    query $SCRATCH "$(printf "$row" one 31536000)"
    # shellcheck disable=SC2059
    query $SCRATCH "SET ROLE agentauri_owner; $(printf "$row" two 60000000)"
    is "$(query $SCRATCH 'SELECT count(*) FROM event_log')" 2 \
        'a superuser and the owner both insert'
    is "$(owned)" '' 'no chunk that an insertion opened is a superuser'"'"'s'
    query $SCRATCH "UPDATE notification_settings SET mode = 'gated'"
    query $SCRATCH "SET ROLE agentauri_owner; UPDATE notification_settings SET only_matching = true"
    is "$(query $SCRATCH 'SELECT notification_mode(), notification_only_matching()')" 'gated|t' \
        'both change the settings'
    is "$(query $SCRATCH "SELECT string_agg(tgname, ' ') FROM pg_trigger WHERE NOT tgisinternal
            AND tgrelid = 'events'::regclass AND tgname LIKE 'trigger\_%' AND tgenabled <> 'A'")" \
        '' 'every trigger is enabled ALWAYS'
}

# Each kind is first seen in a superuser's hands: the look that finds nothing above can find it.
every_kind_is_given() {
    local number
    for number in "${!DRAWN[@]}"; do
        # shellcheck disable=SC2059
        query $SCRATCH "CREATE $(printf "${DRAWN[number]}" "drawn_$number")"
    done
    is "$(owned | sed -n 's/.*drawn_\([0-9]*\).*/\1/p' | sort -un | wc -l)" "${#DRAWN[@]}" \
        'whatever a superuser owns is seen'
    query $SCRATCH "SELECT FROM give_to_owner()"
    is "$(owned)" '' 'and given to the owner'
}

alice_keeps_what_is_hers() {
    clean_up
    query "$ADMIN" "CREATE ROLE $ALICE"
    query "$ADMIN" "CREATE DATABASE $SCRATCH OWNER $ALICE"
    PGOPTIONS="-c role=$ALICE" migrate whole >/dev/null
    is "$(migrate whole)" '' 'a superuser migrates what another role owns'
    query $SCRATCH "CREATE TABLE added ()"
    query $SCRATCH "SELECT FROM give_to_owner()"
    is "$(query $SCRATCH "SELECT string_agg(DISTINCT relowner::regrole::text, ' ') FROM pg_class c
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S') AND NOT EXISTS (
                SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e')")" $ALICE \
        'and what is new is that role'"'"'s, too'
}

more_than_an_owner_is_refused() {
    local right
    make_scratch
    for right in 'ALTER ROLE agentauri_owner SUPERUSER' 'ALTER ROLE agentauri_owner CREATEROLE' \
        "CREATE ROLE $ALICE SUPERUSER; GRANT $ALICE TO agentauri_owner" \
        'GRANT pg_execute_server_program TO agentauri_owner'; do
        REFUSED+=$({ echo "BEGIN; $right;"; cat ../migrations/*_create_owner_role.sql; } \
            | run $SCRATCH 2>&1 | grep -c 'agentauri_owner may do more than own a schema' || true)
    done
    is "$REFUSED" 1111 'an owner that may do more than own is refused'
}

# migrate MANNER: `whole`, a migration a transaction, or `apart`. Prints what is warned of.
migrate() {
    local file
    for file in ../migrations/*.sql; do
        { statements "$1" "$file" | run $SCRATCH >/dev/null; } 2>&1 || true
    done
}

statements() {
    [[ $1 != whole ]] || echo 'BEGIN;'
    cat "$2"
    [[ $1 != whole ]] || echo 'COMMIT;'
}

owned() { run $SCRATCH <superuser_owned.sql; }

make_scratch() {
    clean_up
    query "$ADMIN" "CREATE DATABASE $SCRATCH"
}

clean_up() {
    query "$ADMIN" "DROP DATABASE IF EXISTS $SCRATCH"
    query "$ADMIN" "DROP ROLE IF EXISTS $ALICE"
}

# query DATABASE SQL
query() { run "$1" <<<"$2"; }

# run DATABASE: the statements of standard input. By \c, as $TEST_DATABASE may be a URL.
run() {
    { echo "\\c $1"; cat; } | PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning" \
        psql -X -q -At -v ON_ERROR_STOP=1 -d "$TEST_DATABASE"
}

# is GOT EXPECTED PROMISE
is() {
    ASSERTED=$((ASSERTED + 1))
    if [[ $1 == "$2" ]]; then
        echo "ok $ASSERTED - $3"
        return
    fi
    FAILED=1
    echo "not ok $ASSERTED - $3"
    printf '#      got: %s\n# expected: %s\n' "${1//$'\n'/$'\n'#           }" "$2"
}

ASSERTED=0 FAILED=0 REFUSED='' ADMIN=''
main "$@"

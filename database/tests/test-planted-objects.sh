#!/usr/bin/env bash
# A database in which everybody may create in schema `public`, as up to PostgreSQL 14, is closed by
# the migrations, or they refuse and say the remedy; so they do where a stranger has made there what
# would run, or be written, in place of what is meant. Run by run.sh.
set -euo pipefail

FIRST=$(echo ../migrations/*_close_schema_public.sql)
SCRATCH=tap_planted
STRANGER=tap_planting
# What a stranger can make in `public`, each of a kind that is found by its name.
PLANTED=(
    "FUNCTION public.json_build_object(text, text) RETURNS json LANGUAGE sql AS 'SELECT NULL::json'"
    "FUNCTION public.num_nonnulls(text, bigint) RETURNS integer LANGUAGE sql AS 'SELECT 4'"
    "FUNCTION public.could_match(integer, text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'"
    "FUNCTION public.create_hypertable(text, text) RETURNS void LANGUAGE sql AS ''"
    "PROCEDURE public.anything() LANGUAGE sql AS ''"
    "AGGREGATE public.count(text) (SFUNC = array_append, STYPE = text[])"
    "OPERATOR public.> (FUNCTION = pg_catalog.int8gt, LEFTARG = bigint, RIGHTARG = bigint)"
    "OPERATOR public.|| (FUNCTION = pg_catalog.textcat, LEFTARG = text, RIGHTARG = text)"
    "VIEW public.event_log AS SELECT 1"
    "SEQUENCE public.jobs"
)

main() {
    local planted trust
    echo "1..$((8 + ${#PLANTED[@]}))"
    trap drop_scratch EXIT
    drop_scratch
    query "CREATE ROLE $SCRATCH"
    query "CREATE ROLE $STRANGER"
    query "CREATE DATABASE $SCRATCH"
    in_scratch <<<"GRANT CREATE ON SCHEMA public TO PUBLIC"

    is "$(refusal '' "$SCRATCH")" "PUBLIC may create in schema public, and $SCRATCH may not change \
that; As a superuser: REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT CREATE ON SCHEMA public TO \
$SCRATCH;" 'whoever may not close schema public says what is to be done'
    for planted in "${PLANTED[@]}"; do
        is "$(refusal "CREATE $planted" | sed 's/has a .* that/has one that/')" "schema public has \
one that belongs to $STRANGER; It could run in place of what is meant. Drop it, or where its owner \
is to be trusted: GRANT CREATE ON SCHEMA public TO $STRANGER" "refused: ${planted%%(*}"
    done
    is "$(not_refused)" '' 'refused: a table of any name of ours'
    is "$(refusal 'CREATE TABLE public.of_an_application ()')" '' 'a table of another name is not'
    trust="GRANT CREATE ON SCHEMA public TO $STRANGER"
    is "$(refusal "CREATE ${PLANTED[0]}" postgres "$trust")" '' \
        'whom an operator lets create there is trusted'
    is "$(migrate)" '' 'where nothing was planted, schema public is closed and migrated'
    is "$(in_scratch <<<"SELECT has_schema_privilege('public', 'public', 'CREATE')")" f \
        'and PUBLIC creates there no more'
    in_scratch <<<"CREATE SCHEMA $SCRATCH AUTHORIZATION $SCRATCH"
    is "$(refusal '' "$SCRATCH")" "the migrations are for schema public, and search_path leads to \
$SCRATCH; SET search_path = public" 'a schema that is named like the role is not migrated instead'
    is "$(our_tables | wc -w | xargs test 30 -lt && echo many)" many 'our tables were looked at'
    exit "$FAILED"
}

# refusal STATEMENT [ROLE [STATEMENT]]: what the first migration says to ROLE, with its hint, once a
# stranger has done the one statement and a superuser the other.
refusal() {
    attempt "$@" | in_scratch 2>&1 >/dev/null \
        | sed -n 's/.*ERROR:  //p; s/^HINT:  //p' | paste -s -d '~' | sed 's/~/; /'
}

# All of it is rolled back.
attempt() {
    cat <<END
BEGIN;
SET ROLE $STRANGER;
$1;
RESET ROLE;
${3:-};
SET ROLE ${2:-postgres};
\\i $FIRST
ROLLBACK;
END
}

# The names of ours that a stranger's table may have.
not_refused() {
    local table
    comm -23 <(our_tables | sort) <(
        for table in $(our_tables); do
            attempt "CREATE TABLE public.$table ()"
        done | in_scratch 2>&1 >/dev/null \
            | sed -n 's/.*ERROR:  schema public has a table public\.\(.*\) that .*/\1/p' | sort)
}

our_tables() {
    psql -X -q -At -d "$TEST_DATABASE" -c "SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            AND relname <> '_sqlx_migrations'"
}

# What fails of the migrations, each in a transaction of its own.
migrate() {
    local file
    for file in ../migrations/*.sql; do
        printf 'BEGIN;\n\\i %s\nCOMMIT;\n' "$file"
    done | in_scratch 2>&1 >/dev/null | grep -E 'ERROR' || true
}

in_scratch() {
    {
        echo "\\c $SCRATCH"
        cat
    } | psql -X -q -At -d "$TEST_DATABASE" -f -
}

drop_scratch() {
    query "DROP DATABASE IF EXISTS $SCRATCH"
    query "DROP ROLE IF EXISTS $SCRATCH"
    query "DROP ROLE IF EXISTS $STRANGER"
}

query() {
    PGOPTIONS='-c client_min_messages=warning' \
        psql -X -q -v ON_ERROR_STOP=1 -d "$TEST_DATABASE" -c "$1"
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

ASSERTED=0 FAILED=0
main "$@"

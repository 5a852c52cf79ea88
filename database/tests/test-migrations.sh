#!/usr/bin/env bash
# Migrations can be run again at any time: nothing fails, nothing changes. Run by run.sh.
set -euo pipefail

SCRATCH=tap_migrated

main() {
    local before after
    echo '1..4'
    before=$(fingerprint)
    is "$(migrate_again)" '' 'a second run of the migrations fails nowhere'
    after=$(fingerprint)
    is "$(diff <(echo "$before") <(echo "$after"))" '' 'and changes nothing'
    is "$(($(wc -l <<<"$before") > 100))" 1 'the schema was looked at'
    trap drop_scratch EXIT
    drop_scratch
    query "CREATE ROLE $SCRATCH"
    query "CREATE DATABASE $SCRATCH OWNER $SCRATCH"
    is "$(migrate_as_owner)" '' 'an owner who is no superuser can migrate, and migrate again'
    exit "$FAILED"
}

migrate_again() {
    local file
    for file in ../migrations/*.sql; do
        psql -X -q -v ON_ERROR_STOP=1 --single-transaction -d "$TEST_DATABASE" -f "$file" 2>&1 \
            >/dev/null | grep -v NOTICE || true
    done
}

# On TimescaleDB a role whom no superuser let cannot enable a hypertable's triggers for the replica
# role; the warning says so.
migrate_as_owner() {
    {
        echo "\\c $SCRATCH"
        echo "SET ROLE $SCRATCH; SET client_min_messages = warning;"
        cat ../migrations/*.sql ../migrations/*.sql
    } | psql -X -q -v ON_ERROR_STOP=1 -d "$TEST_DATABASE" 2>&1 >/dev/null \
        | grep -v 'WARNING: .* does not fire in the replica role' || true
}

# All that a migration makes, a line each.
fingerprint() {
    query "
        SELECT format('column %s.%s %s %s %s', attrelid::regclass, attname,
            format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid))
        FROM pg_attribute
        JOIN pg_class ON pg_class.oid = attrelid AND relkind = 'r'
            AND relnamespace = 'public'::regnamespace
        LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
        WHERE attnum > 0
        UNION ALL SELECT format('constraint %s %s %s', conrelid::regclass, conname,
            pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT format('index %s', indexdef) FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT format('trigger %s %s %s', tgrelid::regclass, tgenabled,
            pg_get_triggerdef(oid))
        FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT format('function %s', pg_get_functiondef(oid))
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS
            (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
        UNION ALL SELECT format('triggers'' revision %s', revision) FROM trigger_set
        ORDER BY 1"
}

drop_scratch() {
    query "DROP DATABASE IF EXISTS $SCRATCH"
    query "DROP ROLE IF EXISTS $SCRATCH"
}

query() {
    PGOPTIONS='-c client_min_messages=warning' \
        psql -X -q -At -v ON_ERROR_STOP=1 -d "$TEST_DATABASE" -c "$1"
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

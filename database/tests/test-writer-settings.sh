#!/usr/bin/env bash
# A role with INSERT on `events` and nothing else writes however the bell rings: rows of known and
# of new weeks, by INSERT and by COPY, which psql takes from its script alone. Run by run.sh.
set -euo pipefail

main() { script | psql -X -q -d "$TEST_DATABASE" -f -; }

script() {
    local week=1 mode registry_channels chain_channels only_matching
    echo '\i tap.sql'
    echo 'SELECT pg_temp.plan(24);'
    echo 'CREATE ROLE tap_writer;'
    echo 'GRANT INSERT ON events TO tap_writer;'
    for mode in row gated off; do
        for registry_channels in true false; do
            for chain_channels in true false; do
                for only_matching in true false; do
                    write_by "'$mode', $registry_channels, $chain_channels, $only_matching" "$week"
                    week=$((week + 2))
                done
            done
        done
    done
    echo 'CALL pg_temp.finish();'
}

# write_by SETTINGS WEEK: a row twice, one of a new week, and one of the next that is copied.
write_by() {
    cat <<END
CALL pg_temp.ring($1);
SET ROLE tap_writer;
INSERT INTO events $(columns) VALUES ($(row here 0), NULL);
INSERT INTO events $(columns) VALUES ($(row here 0), NULL), ($(row opens "$2"), '{"a": 1}')
ON CONFLICT DO NOTHING;
COPY events $(columns) FROM STDIN (FORMAT csv, QUOTE '''');
$(row copied $(($2 + 1))),
\\.
RESET ROLE;
SELECT pg_temp.is(pg_temp.logged(), 'here@0 opens@0 copied@0', \$\$$1: all is written\$\$);
DELETE FROM events WHERE id = 'here';
END
}

columns() {
    echo '(id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
    registry, "timestamp", data)'
}

# row ID WEEK: what stands in VALUES and, quoted alike, in CSV. Weeks are counted from 1971.
row() {
    echo "'$1',-1,1,'0xaa','0xbb',0,'NewFeedback','reputation',$((31536000 + $2 * 604800))"
}

main

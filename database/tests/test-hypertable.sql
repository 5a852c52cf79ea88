-- Where TimescaleDB is, `events` is a hypertable, a week of block time a chunk; elsewhere it is
-- not. The name of an event is the same on both.
\ir tap.sql
SELECT pg_temp.plan(7);

SELECT pg_temp.is(
    (SELECT pg_get_constraintdef(oid) FROM pg_constraint
     WHERE conrelid = 'events'::regclass AND contype = 'p'),
    'PRIMARY KEY (id, "timestamp")', 'an event is named by its id and its block time');

SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') AS timescaledb
\gset
\if :timescaledb
SELECT pg_temp.is(
    (SELECT count(*) FROM timescaledb_information.hypertables WHERE hypertable_name = 'events'),
    1, 'events is a hypertable');
SELECT pg_temp.is(
    (SELECT string_agg(format('%s %s', column_name, integer_interval), ', ')
     FROM timescaledb_information.dimensions WHERE hypertable_name = 'events'),
    'timestamp 604800', 'its one dimension is the block time, a week a chunk');

-- Weeks that nobody uses: the first of 1970.
SELECT pg_temp.is((SELECT count(*) FROM show_chunks('events', older_than => 4 * 604800)), 0,
    'no chunk was made for weeks without events');
INSERT INTO events SELECT (pg_temp.event('w' || t, "timestamp" => t)).*
FROM unnest('{604800,1209599,1209600,1814400}'::bigint[]) AS t;
SELECT pg_temp.is(
    (SELECT string_agg(format('%s-%s', range_start_integer, range_end_integer), ' '
        ORDER BY range_start_integer)
     FROM timescaledb_information.chunks
     WHERE hypertable_name = 'events' AND range_end_integer <= 4 * 604800),
    '604800-1209600 1209600-1814400 1814400-2419200',
    'the last second of a week and the first of the next are in two chunks');
SELECT pg_temp.is(
    (SELECT count(*) FROM drop_chunks('events', older_than => 4 * 604800)),
    3, 'weeks can be dropped');
SELECT pg_temp.is((SELECT count(*) FROM events WHERE chain_id = -1), 0, 'and its events with it');
\else
SELECT pg_temp.is((SELECT relkind::text FROM pg_class WHERE oid = 'events'::regclass), 'r',
    'events is a plain table');
SELECT pg_temp.is((SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass), 0,
    'without parts');
SELECT pg_temp.is(
    (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'events'::regclass
        AND tgname = 'trigger_notify_replicated_events'),
    0, 'and without the bell that only chunks need');
SELECT pg_temp.skip('there is no TimescaleDB') FROM generate_series(1, 3);
\endif

CALL pg_temp.finish();

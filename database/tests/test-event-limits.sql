-- What a row of `events` may hold: whatever a writer inserts is bounded, and is judged; what our
-- writers store of a log always fits.
\ir tap.sql
SELECT pg_temp.plan(29);

-- What becomes of an INSERT with these columns.
CREATE FUNCTION pg_temp.inserting(VARIADIC columns text[]) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.outcome(format(
        'INSERT INTO events SELECT (jsonb_populate_record(pg_temp.event(%L), %L)).*',
        'limits', jsonb_object(columns)));
$$;
-- Of arguments. Not by way of text: that is what must not be written.
CREATE TEMP TABLE tap_arguments (data JSONB);
CREATE FUNCTION pg_temp.storing(data jsonb) RETURNS text LANGUAGE sql AS $$
    DELETE FROM tap_arguments;
    INSERT INTO tap_arguments VALUES (data);
    SELECT pg_temp.outcome($i$INSERT INTO events (id, chain_id, block_number, block_hash,
            transaction_hash, log_index, event_type, registry, "timestamp", data)
        SELECT 'limits', -1, 1, '0xaa', '0xbb', 0, 'e', 'r', 31536000, data
        FROM tap_arguments$i$);
$$;
CREATE FUNCTION pg_temp.numbers(count int, number text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT ('[' || repeat(number || ',', count - 1) || number || ']')::jsonb;
$$;

-- Names, hashes and lists

SELECT pg_temp.is(pg_temp.inserting('id', repeat('i', 1100)), 'accepted', 'a long id is stored');
SELECT pg_temp.is(
    (SELECT string_agg(DISTINCT pg_temp.inserting(name, repeat('x', 2000000)), ', ')
     FROM unnest('{id,event_type,block_hash,transaction_hash}'::text[]) AS name),
    '23514 events_log_length, 23514 events_name_length',
    'an id, a name or a hash of megabytes is refused');
SELECT pg_temp.is(pg_temp.inserting('registry', repeat('x', 2000000)) ~ '^23514 events_', true,
    'and such a registry');
SELECT pg_temp.is(pg_temp.inserting('address', repeat('x', 2000000)),
    '23514 events_log_length', 'and such an address');
SELECT pg_temp.is(
    pg_temp.inserting('block_hash', '0x' || repeat('a', 128), 'transaction_hash',
        '0x' || repeat('b', 128), 'address', repeat('c', 128)),
    'accepted', 'twice as long as a real hash is stored');
SELECT pg_temp.is(
    (SELECT string_agg(pg_temp.outcome(format(
        $$INSERT INTO events SELECT (jsonb_populate_record(pg_temp.event('limits'),
            jsonb_build_object('topics', array_fill('0x%s'::text, ARRAY[%s])))).*$$,
        repeat('f', length), count)), ', ' ORDER BY place)
     FROM (VALUES (1, 64, 4), (2, 64, 16), (3, 64, 100), (4, 1000000, 1), (5, 0, 100000))
          AS topics (place, length, count)),
    'accepted, accepted, 23514 events_log_length, 23514 events_log_length, '
    '23514 events_log_length',
    'four topics are stored, and a list of them has a size');
SELECT pg_temp.is(pg_temp.inserting('log_data', '0x' || repeat('ab', 4194304)), 'accepted',
    'as much of a raw log as our writers store is stored');
SELECT pg_temp.is(pg_temp.inserting('log_data', '0x' || repeat('ab', 4194305)),
    '23514 events_log_length', 'and no more');
SELECT pg_temp.is(
    pg_temp.outcome($$INSERT INTO checkpoints VALUES (-1, 1, repeat('x', 2000000))$$),
    '23514 checkpoints_hash_length', 'a checkpoint''s hash has a length');

-- Arguments

SELECT pg_temp.is(pg_temp.storing(pg_temp.numbers(9000, '1e131000')),
    '23514 events_data_length', 'a gigabyte of text in 2.4 kB is refused');
SELECT pg_temp.is(pg_temp.storing(pg_temp.numbers(2000, '-0.' || repeat('0', 16383))),
    '23514 events_data_length', 'and so are zeros behind a point');
SELECT pg_temp.is(
    pg_temp.storing(jsonb_build_object('a', jsonb_build_array(pg_temp.numbers(1000, '1e131000')))),
    '23514 events_data_length', 'however deep they lie');
SELECT pg_temp.is(pg_temp.storing(jsonb_build_object('a', repeat(E'\x01', 3000000))),
    '23514 events_data_length', 'and control characters');
SELECT pg_temp.is(pg_temp.storing(jsonb_build_object('a', repeat('x', 9000000))),
    '23514 events_data_length', 'and what is long itself');
SELECT pg_temp.is(pg_temp.storing(jsonb_build_object(repeat(E'\x02', 3000000), 1)),
    '23514 events_data_length', 'and a name among the arguments');
SELECT pg_temp.is(pg_temp.storing(pg_temp.numbers(100001, '0')),
    '23514 events_data_length', 'and a hundred thousand numbers');
SELECT pg_temp.is(pg_temp.storing((repeat('[', 5000) || repeat(']', 5000))::jsonb),
    '23514 events_data_length', 'and what is nested thousandfold');
SELECT pg_temp.is(pg_temp.storing(jsonb_build_object('a', repeat(E'\x01', 1048576))), 'accepted',
    'a megabyte of control characters is stored, which is what a decoder reads');
SELECT pg_temp.is(
    pg_temp.storing(jsonb_build_object('agentURI', 'data:application/json;base64,'
        || repeat('YWJj', 250000), 'value', '87', 'valueDecimals', 2)),
    'accepted', 'and an agent''s card of a megabyte');
SELECT pg_temp.is(
    (SELECT format('%s %s', pg_column_size(longest) BETWEEN 1785 AND 1800,
            octet_length(longest::text) BETWEEN 16000000 AND 16777216)
     FROM pg_temp.numbers(112, '-1' || repeat('0', 131071) || '.' || repeat('0', 16383))
          AS longest),
    't t', 'what is small as it is stored never has a longer text');

-- Drawn: whatever is stored reads, and what reads is no longer than is said.
SELECT setseed(0.17)
\g /dev/null
CREATE FUNCTION pg_temp.drawn_value(depth int) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    kind int := floor(random() * CASE WHEN depth > 3 THEN 5 ELSE 7 END);
BEGIN
    RETURN CASE kind
        WHEN 0 THEN to_jsonb((CASE WHEN random() < 0.5 THEN '-' ELSE '' END
            || '1e' || floor(random() ^ 3 * 131000))::numeric)
        WHEN 1 THEN ('0.0' || repeat('0', (random() ^ 3 * 16380)::int))::jsonb
        WHEN 2 THEN to_jsonb(repeat(chr(1 + (random() * 40)::int), (random() ^ 9 * 500000)::int))
        WHEN 3 THEN to_jsonb(random() < 0.5)
        WHEN 4 THEN to_jsonb((random() * 1000)::int)
        WHEN 5 THEN (SELECT coalesce(jsonb_agg(pg_temp.drawn_value(depth + 1 + n * 0)), '[]')
                     FROM generate_series(1, (random() ^ 3 * 30)::int) AS n)
        ELSE (SELECT coalesce(jsonb_object_agg(n || repeat(E'\x07', (random() * 9)::int),
                              pg_temp.drawn_value(depth + 1 + n * 0)), '{}')
              FROM generate_series(1, (random() ^ 3 * 30)::int) AS n)
    END;
END
$$;
-- Of any shape, and such as swell to about the limit.
CREATE TEMP TABLE tap_drawn AS
SELECT n, CASE WHEN n % 15 = 0
               THEN pg_temp.numbers(100 + (random() * 50)::int, '1e' || 120000 + n * 80)
               ELSE pg_temp.drawn_value(0) END AS data
FROM generate_series(1, 120) AS n;
CREATE TEMP TABLE tap_read AS
SELECT n, data, arguments_text(data) AS text,
       -- Written out, where that can be borne.
       CASE WHEN pg_column_size(data) < 50000 THEN octet_length(data::text) END AS bytes
FROM tap_drawn;
SELECT pg_temp.is((SELECT count(*) FROM tap_read WHERE text <> data::text), 0,
    'drawn arguments read as they are written');
SELECT pg_temp.is((SELECT count(*) FROM tap_read WHERE (text IS NULL) <> (bytes > 16777216)), 0,
    'and all of them, if they are not too long');
SELECT pg_temp.is(
    (SELECT count(*) FILTER (WHERE text IS NULL) > 0 AND count(text) > 90 FROM tap_read),
    true, 'of which there are both');
SELECT pg_temp.is(
    (SELECT count(*) FROM tap_read
     WHERE pg_temp.storing(data)
        <> CASE WHEN text IS NULL THEN '23514 events_data_length' ELSE 'accepted' END),
    0, 'what is stored is what reads');

-- A claim

INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
    registry, "timestamp", data)
SELECT 'swollen' || n, -1, 1, '0xaa', '0xbb', n, 'e', 'r', 31536000,
       pg_temp.numbers(40, '1e131000')
FROM generate_series(1, 300) AS n;
-- As our sessions have it.
SET work_mem = '256MB';
SELECT pg_temp.is(
    (SELECT count(*) BETWEEN 1 AND 2 AND sum(octet_length(data)) < 30000000
     FROM claim_shards('{-1}', 300, 8388608)),
    true, 'a claim writes out and gives no more than fits, of rows that swell');
SELECT pg_temp.logged()
\g /dev/null

-- As a database may have it whose owner measures nothing
BEGIN;
CREATE OR REPLACE FUNCTION arguments_are_readable(data JSONB) RETURNS BOOLEAN
LANGUAGE sql IMMUTABLE STRICT AS 'SELECT true';
INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
    registry, "timestamp", data)
VALUES ('poison', -1, 1, '0xaa', '0xbb', 0, 'e', 'r', 31536000, pg_temp.numbers(9000, '1e131000')),
    ('next', -1, 1, '0xaa', '0xbb', 1, 'e', 'r', 31536000, '{"a": 1}'),
    ('none', -1, 1, '0xaa', '0xbb', 2, 'e', 'r', 31536000, NULL);
-- The test's own entries are above its horizon.
SELECT pg_temp.is(arguments_text(data), NULL, 'what cannot be written is not read')
FROM events WHERE id = 'poison';
SELECT pg_temp.is(
    pg_temp.outcome($$UPDATE events SET invalidated = true WHERE chain_id = -1$$), 'accepted',
    'and is taken back like any other');
ROLLBACK;

-- Revisions

SELECT pg_temp.is(
    (SELECT string_agg(pg_temp.inserting('revision', revision), ', ')
     FROM unnest('{0,1,-1,2147483647}'::text[]) AS revision),
    'accepted, 23514 events_inserted_revision, 23514 events_inserted_revision, '
    '23514 events_inserted_revision', 'an INSERT sets no revision');
SET session_replication_role = replica;
INSERT INTO events SELECT (jsonb_populate_record(pg_temp.event(id, block_hash => '0xorphan'),
    jsonb_build_object('revision', revision))).*
FROM (VALUES ('first', 0), ('last', 2147483647), ('other', 7)) AS replicated (id, revision);
SET session_replication_role = origin;
SET client_min_messages = error;
UPDATE events SET invalidated = true WHERE chain_id = -1 AND block_hash = '0xorphan';
SET client_min_messages = warning;
SELECT pg_temp.is(
    (SELECT string_agg(format('%s@%s %s', id, revision, invalidated), ', ' ORDER BY id)
     FROM events WHERE block_hash = '0xorphan'),
    'first@1 t, last@2147483647 t, other@8 t',
    'an event that cannot be revised keeps a reorg from no other');

CALL pg_temp.finish();

-- The log that everything is judged from: exactly one entry for each insertion and each revision,
-- in the order in which they were written.
\ir tap.sql
SELECT pg_temp.plan(46);
CALL pg_temp.listen('new_event', 'event_log');

-- Insertions

INSERT INTO events SELECT * FROM pg_temp.event('one');
SELECT pg_temp.is(pg_temp.logged(), 'one@0', 'an INSERT is one entry');

INSERT INTO events SELECT (pg_temp.event(id)).* FROM unnest('{c,a,b}'::text[]) AS id;
SELECT pg_temp.is(pg_temp.logged(), 'c@0 a@0 b@0', 'an INSERT of three rows is three, in order');

INSERT INTO events SELECT
    (pg_temp.event('week' || n, "timestamp" => 31536000 + (n % 2) * 604800, log_index => n)).*
FROM generate_series(1, 5) AS n;
SELECT pg_temp.is(pg_temp.logged(), 'week1@0 week2@0 week3@0 week4@0 week5@0',
    'rows of different weeks stay in order');

COPY events (id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
    registry, "timestamp") FROM STDIN (FORMAT csv);
copy3,-1,1,0xaa,0xbb,0,NewFeedback,reputation,31536000
copy1,-1,1,0xaa,0xbb,1,NewFeedback,reputation,32140800
copy2,-1,1,0xaa,0xbb,2,NewFeedback,reputation,31536000
\.
SELECT pg_temp.is(pg_temp.logged(), 'copy3@0 copy1@0 copy2@0', 'COPY is an entry a row, in order');

INSERT INTO events SELECT (pg_temp.event(id)).* FROM unnest('{one,two}'::text[]) AS id
ON CONFLICT DO NOTHING;
SELECT pg_temp.is(pg_temp.logged(), 'two@0',
    'ON CONFLICT DO NOTHING logs what it inserted and nothing else');

INSERT INTO events SELECT * FROM pg_temp.event('one', "timestamp" => 31536001);
SELECT pg_temp.is(pg_temp.logged(), 'one@0', 'the same id at another block time is another event');

BEGIN;
INSERT INTO events SELECT * FROM pg_temp.event('rolled back');
ROLLBACK;
SELECT pg_temp.is(pg_temp.logged(), 'nothing', 'a transaction rolled back leaves no entry');

BEGIN;
INSERT INTO events SELECT * FROM pg_temp.event('z');
SAVEPOINT doubt;
INSERT INTO events SELECT * FROM pg_temp.event('doubted');
ROLLBACK TO doubt;
SAVEPOINT another;
INSERT INTO events SELECT * FROM pg_temp.event('y');
RELEASE another;
UPDATE events SET invalidated = true WHERE id = 'z';
INSERT INTO events SELECT * FROM pg_temp.event('x');
COMMIT;
SELECT pg_temp.is(
    (SELECT count(DISTINCT xid)::text FROM event_log WHERE chain_id = -1), '1',
    'a transaction has one xid, its savepoints too');
SELECT pg_temp.is(pg_temp.logged(), 'z@0 y@0 z@1 x@0',
    'and its entries stand in the order of its statements');

INSERT INTO events SELECT (pg_temp.event('n' || n)).* FROM generate_series(1, 1000) AS n;
SELECT pg_temp.is(
    pg_temp.logged(),
    (SELECT string_agg(format('n%s@0', n), ' ' ORDER BY n) FROM generate_series(1, 1000) AS n),
    'a thousand rows stay in order');

SELECT * FROM pg_temp.heard()
\g /dev/null

-- Revisions

UPDATE events SET invalidated = true WHERE (id, "timestamp") = ('one', 31536000);
SELECT pg_temp.is(pg_temp.logged(), 'one@1',
    'an invalidation is one entry, its revision one higher');
SELECT pg_temp.is(pg_temp.heard_bells(), 1, 'and rings the bell event_log once');

UPDATE events SET invalidated = false WHERE (id, "timestamp") = ('one', 31536000);
SELECT pg_temp.is(pg_temp.logged(), 'one@2', 'taking it back is one more');

UPDATE events SET invalidated = false WHERE chain_id = -1 AND id <> 'z';
UPDATE events SET created_at = '-infinity', block_hash = upper(block_hash) WHERE chain_id = -1;
UPDATE events SET block_number = block_number, transaction_hash = '0xBB' WHERE chain_id = -1;
UPDATE events SET invalidated = true WHERE id = 'nobody';
SELECT pg_temp.is(pg_temp.logged(), 'nothing',
    'updates that do not change the chain''s mind log nothing');
SELECT pg_temp.is(pg_temp.heard_bells(), 1, 'and ring nothing (one bell for the change before)');

UPDATE events SET revision = 99 WHERE (id, "timestamp") = ('one', 31536000);
UPDATE events SET revision = 99, invalidated = true WHERE id = 'two';
SELECT pg_temp.is(
    (SELECT string_agg(revision::text, ' ' ORDER BY id) FROM events
     WHERE id IN ('one', 'two') AND "timestamp" = 31536000),
    '2 1', 'nobody else sets a revision');
SELECT pg_temp.is(pg_temp.logged(), 'two@1', 'nor logs one');

UPDATE events SET block_number = 200 + (id = 'a')::int, log_index = (id = 'b')::int
WHERE id IN ('a', 'b', 'c');
SELECT pg_temp.is(pg_temp.logged(), 'c@1 b@1 a@1', 'another place in the chain is a revision');
SELECT * FROM pg_temp.heard()
\g /dev/null
UPDATE events SET invalidated = true WHERE chain_id = -1 AND block_number >= 200;
SELECT pg_temp.is(pg_temp.logged(), 'c@2 b@2 a@2',
    'a reorg is an entry an event, in the order of the chain');
SELECT pg_temp.is(pg_temp.heard_bells(), 1, 'and one bell');

UPDATE events SET invalidated = true WHERE id IN ('week1', 'week2');
UPDATE events SET invalidated = false WHERE id = 'week1';
SELECT pg_temp.is(
    (SELECT string_agg(event_id || ':' || invalidated, ' ' ORDER BY xid, seq) FROM event_log
     WHERE chain_id < 0),
    'week1:true week2:true week1:false', 'an entry says whether its revision was valid');
SELECT pg_temp.is(pg_temp.logged(), 'week1@1 week2@1 week1@2', 'across weeks too');

-- Another block takes a name over

INSERT INTO events SELECT * FROM pg_temp.event('moved');
SELECT pg_temp.logged(), count(*) FROM pg_temp.heard()
\g /dev/null
INSERT INTO events SELECT * FROM pg_temp.event('moved', block_hash => '0xcc')
ON CONFLICT (id, "timestamp") DO UPDATE SET block_hash = EXCLUDED.block_hash, block_number = 101;
SELECT pg_temp.is(pg_temp.logged(), 'moved@1',
    'an upsert with another block hash is one entry, one revision on');
SELECT pg_temp.is(pg_temp.heard_bells(), 1, 'and rings once');
SELECT pg_temp.is(
    (SELECT format('%s %s@%s', block_hash, block_number, revision) FROM superseded_events
     WHERE id = 'moved'), '0xaa 100@0', 'and what the row said before is kept');

INSERT INTO events SELECT * FROM pg_temp.event('moved', block_hash => '0xcc')
ON CONFLICT (id, "timestamp") DO UPDATE SET block_hash = EXCLUDED.block_hash, block_number = 101;
SELECT pg_temp.is(pg_temp.logged(), 'nothing', 'an upsert that says the same is none');
SELECT pg_temp.is(pg_temp.heard_bells(), 0, 'and rings nothing');

UPDATE events SET invalidated = true WHERE id = 'moved';
INSERT INTO events SELECT * FROM pg_temp.event('moved', block_hash => '0xdd')
ON CONFLICT (id, "timestamp") DO UPDATE SET block_hash = EXCLUDED.block_hash;
SELECT pg_temp.is(pg_temp.logged(), 'moved@2 moved@3',
    'an invalidated name taken over is one revision on');
SELECT pg_temp.is((SELECT invalidated FROM events WHERE id = 'moved'), false, 'and valid again');

UPDATE events SET block_hash = '0xee', invalidated = true WHERE id = 'moved';
SELECT pg_temp.is(
    (SELECT format('%s %s', revision, invalidated) FROM events WHERE id = 'moved'), '4 t',
    'a valid name taken over by a block that is invalid at once is invalid');
SELECT pg_temp.is(pg_temp.logged(), 'moved@4', 'in one revision');

INSERT INTO events SELECT (pg_temp.event(id, block_hash => '0xff')).*
FROM unnest('{new1,moved,new2}'::text[]) AS id
ON CONFLICT (id, "timestamp") DO UPDATE SET block_hash = EXCLUDED.block_hash;
SELECT pg_temp.is(
    (SELECT string_agg(entry, ' ' ORDER BY entry)
     FROM string_to_table(pg_temp.logged(), ' ') AS entry),
    'moved@5 new1@0 new2@0', 'an upsert of stored and new names logs each once');

-- What never changes

SELECT pg_temp.is(pg_temp.outcome($$UPDATE events SET id = 'x' WHERE id = 'moved'$$), '23000',
    'an event''s id does not change');
SELECT pg_temp.is(
    pg_temp.outcome($$UPDATE events SET "timestamp" = "timestamp" + 1 WHERE id = 'moved'$$),
    '23000', 'nor its timestamp');
SELECT pg_temp.is(
    pg_temp.outcome($$UPDATE events SET id = id, "timestamp" = "timestamp" WHERE id = 'moved'$$),
    'accepted', 'setting them to what they are is no change');

-- What a row may hold

SELECT pg_temp.is(
    (SELECT string_agg(pg_temp.outcome(format(
        $$INSERT INTO events SELECT * FROM pg_temp.event('new', "timestamp" => %s)$$, t)),
        ', ' ORDER BY t)
     FROM unnest('{-1,0,4102444800,4102444801,1750000000000}'::bigint[]) AS t),
    '23514 events_timestamp_range, accepted, accepted, 23514 events_timestamp_range, '
    '23514 events_timestamp_range',
    'a timestamp is of the years 1970 to 2100, in seconds');
SELECT pg_temp.is(
    (SELECT string_agg(DISTINCT pg_temp.outcome(format(
        $$INSERT INTO events
          SELECT (jsonb_populate_record(pg_temp.event('new'), '{"%s": null}')).*$$, name)), ', ')
     FROM unnest('{id,chain_id,block_number,block_hash,transaction_hash,log_index,event_type,'
        'registry,timestamp}'::text[]) AS name),
    '23502', 'the columns that name an event and its place are NOT NULL');
SELECT pg_temp.is(
    pg_temp.outcome($$INSERT INTO events SELECT * FROM pg_temp.event('moved')$$)
        ~ '^23505 ',
    true, 'a name is stored once');
SELECT pg_temp.is(
    pg_temp.outcome($$INSERT INTO events SELECT (jsonb_populate_record(pg_temp.event('new'),
        jsonb_build_object('agent_id', repeat('9', 78)::numeric))).*$$),
    'accepted', 'an agent_id holds any uint256');

-- Two writers at a time

CALL pg_temp.open_connection('first');
CALL pg_temp.open_connection('second');
\set columns 'id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type'
\set values '(%L, -1, 1, %L, %L, 0, %L, %L, 31536000)'
SELECT format('INSERT INTO events (%s, registry, "timestamp") VALUES %s', :'columns', :'values')
    AS insert
\gset
SELECT
    pg_temp.logged(),
    dblink_exec('first', 'BEGIN'),
    dblink_exec('second', 'BEGIN'),
    dblink_exec('first', format(:'insert', 'wrote first', '0xaa', '0xbb', 'e', 'r')),
    dblink_exec('second', format(:'insert', 'wrote second', '0xaa', '0xbb', 'e', 'r')),
    dblink_exec('second', 'COMMIT')
\g /dev/null
SELECT pg_temp.is(
    (SELECT count(*) FROM event_log
     WHERE chain_id = -1 AND xid < pg_snapshot_xmin(pg_current_snapshot())),
    0, 'while an earlier writer is open, nothing later is below the horizon');
SELECT dblink_exec('first', 'COMMIT')
\g /dev/null
SELECT pg_temp.is(
    (SELECT count(*) FROM event_log
     WHERE chain_id = -1 AND xid < pg_snapshot_xmin(pg_current_snapshot())),
    2, 'once it has committed, both are');
SELECT pg_temp.is(pg_temp.logged(), 'wrote first@0 wrote second@0',
    'who wrote first stands first, whoever committed first');

-- Deleting

SELECT pg_temp.is(
    (SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND confrelid = 'events'::regclass),
    0, 'nothing has a foreign key to events');
DELETE FROM events WHERE chain_id = -1;
SELECT pg_temp.is((SELECT count(*) FROM events WHERE chain_id = -1), 0, 'events can be deleted');
SELECT pg_temp.is(pg_temp.logged(), 'nothing', 'which is no entry');
SELECT pg_temp.is(
    pg_temp.outcome($$INSERT INTO event_log
        (chain_id, event_id, event_timestamp, revision, invalidated, checkpoint_block)
        VALUES (-1, 'x', 1, 0, false, 5)$$)
    || ', ' || pg_temp.outcome($$INSERT INTO event_log (chain_id, event_id) VALUES (-1, 'x')$$)
    || ', ' || pg_temp.outcome($$INSERT INTO event_log (chain_id) VALUES (-1)$$),
    '23514 event_log_event_or_height, 23514 event_log_event_or_height, '
    '23514 event_log_event_or_height',
    'an entry speaks of an event or of the chain''s heights, of one of them');

CALL pg_temp.finish();

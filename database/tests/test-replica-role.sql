-- Rows that arrive in a session of the replica role (replication, bulk tools) are events like any
-- other: ordinary triggers do not fire there, ours do.
\ir tap.sql
SELECT pg_temp.plan(21);
CALL pg_temp.listen('new_event', 'event_log');

SELECT pg_temp.is(
    (SELECT string_agg(format('%s %s', tgname, tgenabled), ', ' ORDER BY tgname) FROM pg_trigger
     WHERE tgrelid IN ('events'::regclass, 'checkpoints'::regclass) AND NOT tgisinternal
        AND tgname LIKE 'trigger\_%' AND tgenabled <> 'A'),
    NULL, 'every trigger of ours is enabled ALWAYS');

-- Where the week already has a chunk, and where it has none (on a hypertable).
INSERT INTO events SELECT * FROM pg_temp.event('before');
SELECT pg_temp.logged(), count(*) FROM pg_temp.heard()
\g /dev/null
SET session_replication_role = replica;

INSERT INTO events SELECT * FROM pg_temp.event('old week');
SELECT pg_temp.is(pg_temp.logged(), 'old week@0', 'an insertion into a known week is logged');
SELECT pg_temp.is(pg_temp.heard_ids(), 'old week', 'and heard, once');

INSERT INTO events SELECT * FROM pg_temp.event('new week', "timestamp" => 60000000);
SELECT pg_temp.is(pg_temp.logged(), 'new week@0', 'an insertion into a new week is logged');
SELECT pg_temp.is(pg_temp.heard_ids(), 'new week', 'and heard, once');

COPY events (id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
    registry, "timestamp") FROM STDIN (FORMAT csv);
copied,-1,1,0xaa,0xbb,0,NewFeedback,reputation,70000000
\.
SELECT pg_temp.is(pg_temp.logged(), 'copied@0', 'COPY is logged');
SELECT pg_temp.is(pg_temp.heard_ids(), 'copied', 'and heard, once');

INSERT INTO events SELECT * FROM pg_temp.event('before') ON CONFLICT DO NOTHING;
SELECT pg_temp.is(pg_temp.logged() || ', ' || pg_temp.heard_ids(), 'nothing, nothing',
    'what was there is not');

UPDATE events SET invalidated = true WHERE id IN ('before', 'new week');
SELECT pg_temp.is(
    (SELECT string_agg(entry, ', ' ORDER BY entry)
     FROM regexp_split_to_table(pg_temp.logged(), ' (?=before|new)') AS entry),
    'before@1, new week@1', 'invalidations are logged');
SELECT pg_temp.is(pg_temp.heard_bells(), 1, 'and ring once');
UPDATE events SET invalidated = true WHERE id IN ('before', 'new week');
UPDATE events SET transaction_hash = upper(transaction_hash) WHERE id IN ('before', 'new week');
SELECT pg_temp.is(pg_temp.logged(), 'nothing', 'an update that changes nothing is not');
SELECT pg_temp.is(pg_temp.heard_bells(), 0, 'and rings nothing');

INSERT INTO events SELECT * FROM pg_temp.event('before', block_hash => '0xcc')
ON CONFLICT (id, "timestamp") DO UPDATE SET block_hash = EXCLUDED.block_hash;
SELECT pg_temp.is(pg_temp.logged(), 'before@2', 'another block takes a name over: one revision on');
SELECT pg_temp.is((SELECT invalidated FROM events WHERE id = 'before'), false, 'and valid again');
UPDATE events SET block_hash = '0xdd', invalidated = true WHERE id = 'before';
SELECT pg_temp.is(
    pg_temp.logged() || (SELECT format(' %s', invalidated) FROM events WHERE id = 'before'),
    'before@3 t', 'or invalid, if the same statement says so');

UPDATE events SET data = '{}' WHERE id = 'before';
UPDATE events SET data = '{ }' WHERE id = 'before';
SELECT pg_temp.is(pg_temp.logged(), 'before@4', 'what says something else is a revision');
SELECT pg_temp.is(
    (SELECT string_agg(format('%s %s %s', revision, block_hash, is_corrected), ', '
        ORDER BY revision) FROM superseded_events WHERE id = 'before'),
    '1 0xaa f, 2 0xcc f, 3 0xdd t', 'and what each row said before is kept');
UPDATE events SET chain_id = -2 WHERE id = 'before';
SELECT pg_temp.is(
    (SELECT string_agg(format('%s@%s %s', chain_id, revision, invalidated), ', '
        ORDER BY xid, seq) FROM event_log WHERE event_id = 'before'),
    '-1@5 t, -2@6 f', 'it leaves the one chain and comes to the other');
SELECT pg_temp.logged() \g /dev/null

INSERT INTO checkpoints (chain_id, block_number, block_hash) VALUES (-1, 7, '0xaa');
SELECT pg_temp.is(pg_temp.logged(), 'checkpoint 7', 'a checkpoint is logged');

SET session_replication_role = origin;
UPDATE events SET invalidated = false WHERE id IN ('before', 'new week');
SELECT pg_temp.is(
    (SELECT string_agg(format('%s %s', id, revision), ', ' ORDER BY id) FROM events
     WHERE id IN ('before', 'new week')),
    'before 6, new week 2', 'afterwards the revisions go on from there');
INSERT INTO events SELECT * FROM pg_temp.event('after', "timestamp" => 60000000);
SELECT pg_temp.is(pg_temp.heard_ids(), 'after', 'and an ordinary insertion is heard once');

CALL pg_temp.finish();

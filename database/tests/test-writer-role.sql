-- A writer needs INSERT on `events` and nothing else.
\ir tap.sql
SELECT pg_temp.plan(8);
CALL pg_temp.listen('new_event');
CREATE ROLE tap_writer;
GRANT INSERT ON events TO tap_writer;
GRANT USAGE ON SCHEMA public TO tap_writer;

SET ROLE tap_writer;
INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
    registry, "timestamp")
VALUES ('w1', -1, 1, '0xaa', '0xbb', 0, 'NewFeedback', 'reputation', 31536000);
INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
    registry, "timestamp")
VALUES ('w1', -1, 1, '0xaa', '0xbb', 0, 'NewFeedback', 'reputation', 31536000)
ON CONFLICT DO NOTHING;
COPY events (id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
    registry, "timestamp") FROM STDIN (FORMAT csv);
w2,-1,1,0xaa,0xbb,1,NewFeedback,reputation,50000000
\.
RESET ROLE;

SELECT pg_temp.is(pg_temp.logged(), 'w1@0 w2@0', 'a role with INSERT alone writes, and is logged');
SELECT pg_temp.is(pg_temp.heard_ids(), 'w1 w2', 'and heard');

SET ROLE tap_writer;
SELECT pg_temp.is(pg_temp.outcome('SELECT * FROM event_log'), '42501', 'it cannot read the log');
SELECT pg_temp.is(
    pg_temp.outcome('INSERT INTO event_log (chain_id, checkpoint_block) VALUES (-1, 1)'), '42501',
    'it cannot write the log');
SELECT pg_temp.is(pg_temp.outcome('SELECT * FROM events'), '42501', 'it cannot read events');
SELECT pg_temp.is(pg_temp.outcome('UPDATE events SET invalidated = true'), '42501',
    'it cannot invalidate');
SELECT pg_temp.is(pg_temp.outcome('DELETE FROM events'), '42501', 'it cannot delete');
SELECT pg_temp.is(pg_temp.outcome('SET session_replication_role = replica'), '42501',
    'it cannot step around the triggers');
RESET ROLE;

CALL pg_temp.finish();

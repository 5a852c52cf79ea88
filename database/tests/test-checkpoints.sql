-- A checkpoint that moves is an entry of its chain's log; one that stays is not.
\ir tap.sql
SELECT pg_temp.plan(13);

INSERT INTO checkpoints (chain_id, block_number, block_hash) VALUES (-1, 100, '0xaa');
SELECT pg_temp.is(pg_temp.logged(), 'checkpoint 100',
    'the first checkpoint of a chain is an entry');
SELECT pg_temp.is((SELECT updated_at IS NOT NULL FROM checkpoints WHERE chain_id = -1), true,
    'it knows when it was written');

CREATE PROCEDURE pg_temp.reach(block BIGINT, hash TEXT) LANGUAGE sql AS $$
    INSERT INTO checkpoints (chain_id, block_number, block_hash) VALUES (-1, block, hash)
    ON CONFLICT (chain_id) DO UPDATE SET
        block_number = EXCLUDED.block_number, block_hash = EXCLUDED.block_hash, updated_at = now();
$$;

CALL pg_temp.reach(101, '0xbb');
SELECT pg_temp.is(pg_temp.logged(), 'checkpoint 101', 'a higher block is an entry');
CALL pg_temp.reach(101, '0xbb');
SELECT pg_temp.is(pg_temp.logged(), 'nothing', 'the same block again is not');
CALL pg_temp.reach(101, '0xcc');
SELECT pg_temp.is(pg_temp.logged(), 'checkpoint 101', 'another block of the same height is');
CALL pg_temp.reach(99, '0xdd');
SELECT pg_temp.is(pg_temp.logged(), 'checkpoint 99', 'so is a lower one');

BEGIN;
INSERT INTO events SELECT * FROM pg_temp.event('e');
CALL pg_temp.reach(100, '0xaa');
COMMIT;
SELECT pg_temp.is(pg_temp.logged(), 'e@0 checkpoint 100',
    'a block''s events stand before its checkpoint');

BEGIN;
CALL pg_temp.reach(200, '0xaa');
ROLLBACK;
SELECT pg_temp.is(pg_temp.logged(), 'nothing', 'a checkpoint rolled back is no entry');

DELETE FROM checkpoints WHERE chain_id = -1;
SELECT pg_temp.is(pg_temp.logged(), 'nothing', 'nor is one deleted');

CREATE FUNCTION pg_temp.reported() RETURNS TEXT LANGUAGE sql AS $$
    SELECT coalesce(string_agg(concat_ws(' ', 'safe ' || safe_block,
                                         'finalized ' || finalized_block), ', '
                               ORDER BY xid, seq), 'nothing')
    FROM event_log WHERE chain_id = -2;
$$;

INSERT INTO safe_blocks (chain_id, block_number) VALUES (-2, 10);
INSERT INTO finalized_blocks (chain_id, block_number, block_hash) VALUES (-2, 5, '0xaa');
UPDATE safe_blocks SET block_number = 11 WHERE chain_id = -2;
UPDATE safe_blocks SET updated_at = now() WHERE chain_id = -2;
UPDATE finalized_blocks SET block_hash = '0xbb' WHERE chain_id = -2;
UPDATE finalized_blocks SET block_number = 7, is_guess = true WHERE chain_id = -2;
SELECT pg_temp.is(pg_temp.reported(), 'safe 10, finalized 5, safe 11',
    'what becomes safe or finalized is an entry; a guess is none, nor is anything else');
SELECT pg_temp.is(
    pg_temp.outcome('INSERT INTO event_log (chain_id) VALUES (-2)'),
    '23514 event_log_event_or_height',
    'an entry that says nothing is refused');
SELECT pg_temp.is(
    pg_temp.outcome($$INSERT INTO waiting_events VALUES (-2, 'instant', 1, 0, 'e', 0, 0, 0,
                      '{00000000-0000-0000-0000-000000000000}')$$),
    '23514 waiting_events_finality',
    'nothing waits for an instant judgement');
UPDATE finalized_blocks SET block_number = 8, is_guess = false WHERE chain_id = -2;
DELETE FROM safe_blocks WHERE chain_id = -2;
DELETE FROM finalized_blocks WHERE chain_id = -2;
SELECT pg_temp.is(pg_temp.reported(),
    'safe 10, finalized 5, safe 11, finalized 8, safe -1, finalized -1',
    'a row that an operator deletes takes back what it said');

CALL pg_temp.finish();

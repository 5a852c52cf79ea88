-- A checkpoint that moves is an entry of its chain's log; one that stays is not.
\ir tap.sql
SELECT pg_temp.plan(16);

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

-- The block's time.
INSERT INTO checkpoints (chain_id, block_number, block_hash, said_time, said_hash)
VALUES (-2, 1, '0xaa', 100, '0xaa');
UPDATE checkpoints SET block_number = 2, block_hash = '0xbb' WHERE chain_id = -2;
UPDATE checkpoints
SET block_number = 3, block_hash = '0xcc', said_time = 100, said_hash = '0xcc'
WHERE chain_id = -2;
SELECT pg_temp.is(
    (SELECT string_agg(concat_ws(' ', checkpoint_block, block_time), ', ' ORDER BY xid, seq)
     FROM event_log WHERE chain_id = -2), '1 100, 2, 3 100',
    'an entry has its block''s time, and none where the writer says none');
DELETE FROM checkpoints WHERE chain_id = -2;
DELETE FROM event_log WHERE chain_id = -2;

CREATE FUNCTION pg_temp.reported() RETURNS TEXT LANGUAGE sql AS $$
    SELECT coalesce(string_agg(concat_ws(' ', 'safe ' || safe_block,
                                         'finalized ' || finalized_block,
                                         'at ' || block_time), ', '
                               ORDER BY xid, seq), 'nothing')
    FROM event_log WHERE chain_id = -2;
$$;

INSERT INTO chain_heights (chain_id, kind, block_number, block_hash, block_time)
VALUES (-2, 'safe', 10, '0xa10', 100), (-2, 'finalized', 5, '0xaa', 50);
UPDATE chain_heights SET block_number = 11, block_time = 110 WHERE chain_id = -2 AND kind = 'safe';
UPDATE chain_heights SET updated_at = now() WHERE chain_id = -2 AND kind = 'safe';
UPDATE chain_heights SET block_hash = '0xbb' WHERE chain_id = -2 AND kind = 'finalized';
UPDATE chain_heights SET block_number = 7, is_guess = true
WHERE chain_id = -2 AND kind = 'finalized';
SELECT pg_temp.is(pg_temp.reported(), 'safe 10 at 100, finalized 5 at 50, safe 11 at 110',
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
UPDATE chain_heights SET block_number = 8, block_time = NULL, is_guess = false
WHERE chain_id = -2 AND kind = 'finalized';
DELETE FROM chain_heights WHERE chain_id = -2 AND kind = 'safe';
DELETE FROM chain_heights WHERE chain_id = -2;
SELECT pg_temp.is(pg_temp.reported(),
    'safe 10 at 100, finalized 5 at 50, safe 11 at 110, finalized 8, safe -1, finalized -1',
    'a row that an operator deletes takes back what it said');

CREATE FUNCTION pg_temp.time_of_safe() RETURNS TEXT LANGUAGE sql AS $$
    SELECT concat_ws(' ', block_number, block_hash, block_time) FROM chain_heights
    WHERE chain_id = -2 AND kind = 'safe';
$$;
INSERT INTO chain_heights (chain_id, kind, block_number, block_hash, block_time)
VALUES (-2, 'safe', 10, '0xa10', 100);
UPDATE chain_heights SET block_number = 12 WHERE chain_id = -2 AND kind = 'safe';
SELECT pg_temp.is(pg_temp.time_of_safe(), '12 0xa10',
    'a number that is moved alone leaves no time of another block');
UPDATE chain_heights SET block_number = 13, block_hash = '0xa13', block_time = 130
WHERE chain_id = -2 AND kind = 'safe';
UPDATE chain_heights SET block_number = 14, block_hash = '0xa14', block_time = 130
WHERE chain_id = -2 AND kind = 'safe';
SELECT pg_temp.is(pg_temp.time_of_safe(), '14 0xa14 130', 'two blocks may have one time');
DELETE FROM chain_heights WHERE chain_id = -2;

CALL pg_temp.finish();

-- What Ponder's tables tell `events`: the tables are made here as Ponder makes them, and written as
-- it writes them, in reorgs, at restarts and beside another writer.
\ir tap.sql
SELECT pg_temp.plan(54);

CREATE PROCEDURE pg_temp.tables_of(schema_name TEXT) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE SCHEMA %I', schema_name);
    EXECUTE format(
        'CREATE TABLE %I.registry_event (
             id TEXT PRIMARY KEY, chain_id BIGINT, block_number BIGINT, block_hash TEXT,
             transaction_hash TEXT, log_index INTEGER, event_type TEXT, registry TEXT,
             "timestamp" BIGINT, agent_id TEXT, data TEXT, address TEXT, topics TEXT,
             log_data TEXT)', schema_name);
    EXECUTE format(
        'CREATE TABLE %I.cursor (
             chain_id BIGINT PRIMARY KEY, block_number BIGINT, block_hash TEXT, parent_hash TEXT,
             "timestamp" BIGINT)', schema_name);
    PERFORM ponder_attach(schema_name);
END
$$;

-- A block of the given branch with one log, as Ponder stores it: the cursor may come first.
CREATE PROCEDURE pg_temp.block(schema_name TEXT, block_number BIGINT, branch TEXT)
LANGUAGE plpgsql AS $$
DECLARE
    hash TEXT := '0x' || branch || block_number;
BEGIN
    EXECUTE format(
        'INSERT INTO %I.cursor VALUES (-1, $1, $2, ''0x'', 31536000)
         ON CONFLICT (chain_id) DO UPDATE SET
             block_number = EXCLUDED.block_number, block_hash = EXCLUDED.block_hash', schema_name)
    USING block_number, hash;
    EXECUTE format(
        'INSERT INTO %I.registry_event VALUES (''-1-'' || $2 || ''-0'', -1, $1, $2, ''0xcc'', 0,
             ''unknown'', ''identity'', 31536000, NULL, NULL, ''0xdd'', '''', ''0x'')', schema_name)
    USING block_number, hash;
END
$$;

-- What Ponder does in a reorg, and to every block that is not final at a restart.
CREATE PROCEDURE pg_temp.revert(schema_name TEXT, to_block BIGINT, branch TEXT)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DELETE FROM %I.registry_event WHERE block_number > $1', schema_name)
    USING to_block;
    EXECUTE format('UPDATE %I.cursor SET block_number = $1, block_hash = $2', schema_name)
    USING to_block, '0x' || branch || to_block;
END
$$;

-- The events of our chain: block, branch, and whether they are taken back.
CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(
        string_agg(
            substr(block_hash, 3) || CASE WHEN invalidated THEN '!' ELSE '' END, ' '
            ORDER BY block_number, block_hash), 'nothing')
    FROM events WHERE chain_id = -1;
$$;

CREATE FUNCTION pg_temp.checkpoint() RETURNS text LANGUAGE sql AS $$
    SELECT block_number || ' ' || block_hash FROM checkpoints WHERE chain_id = -1;
$$;

CREATE FUNCTION pg_temp.see_lock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('tap.lock_is_held', (xmax = pg_current_xact_id()::xid)::text, false)
    FROM public.chain_locks WHERE chain_id = -1;
    RETURN NULL;
END
$$;

-- Whether a statement holds the chain's lock when it writes the first event.
CREATE FUNCTION pg_temp.holds_first(statement TEXT) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
BEGIN
    CREATE TRIGGER tap_first BEFORE INSERT ON events FOR EACH STATEMENT
        EXECUTE FUNCTION pg_temp.see_lock();
    EXECUTE statement;
    DROP TRIGGER tap_first ON events;
    RETURN current_setting('tap.lock_is_held')::boolean;
END
$$;

CALL pg_temp.tables_of('tap_one');
SELECT pg_temp.is(pg_temp.outcome($$CALL pg_temp.block('tap_one', 1, 'a')$$), 'P0001',
    'a schema that is not registered writes nothing');
SELECT pg_temp.is((ponder_start('tap_one', -1, true, 0)).status, 'current',
    'the first schema of a chain is its current one');

CALL pg_temp.block('tap_one', 1, 'a');
CALL pg_temp.block('tap_one', 2, 'a');
CALL pg_temp.block('tap_one', 3, 'a');
SELECT pg_temp.is(pg_temp.logged(),
    '-1-0xa1-0@0 checkpoint 1 -1-0xa2-0@0 checkpoint 2 -1-0xa3-0@0 checkpoint 3',
    'a block''s events are logged before its checkpoint, whichever Ponder writes first');
SELECT pg_temp.is((SELECT topics FROM events WHERE id = '-1-0xa1-0'), '{}'::text[],
    'a log without topics has none');

SELECT pg_temp.is((SELECT block_time FROM checkpoints WHERE chain_id = -1), 31536000,
    'with its block''s time');
CALL pg_temp.revert('tap_one', 0, 'a');
SELECT pg_temp.is(pg_temp.state(), 'a1 a2 a3', 'deleted rows are in doubt, and not taken back');
CALL pg_temp.block('tap_one', 1, 'a');
CALL pg_temp.block('tap_one', 2, 'a');
CALL pg_temp.block('tap_one', 3, 'a');
SELECT pg_temp.is(pg_temp.logged(), 'nothing', 'a restart that brings them all again logs nothing');

CALL pg_temp.revert('tap_one', 1, 'a');
CALL pg_temp.block('tap_one', 2, 'b');
SELECT pg_temp.is(pg_temp.state(), 'a1 a2! b2 a3!',
    'the first block of another branch takes back all of the old one');
SELECT pg_temp.is(pg_temp.checkpoint(), '2 0xb2', 'and sets the checkpoint back');
SELECT pg_temp.is(
    (SELECT string_agg(
         concat_ws(' ', block_hash, fork_block, replaced_by), ', ' ORDER BY block_hash)
     FROM orphaned_blocks WHERE chain_id = -1),
    '0xa2 1 0xb2, 0xa3 1', 'the blocks replaced are remembered, with what is known of others');
CALL pg_temp.revert('tap_one', 1, 'a');
CALL pg_temp.block('tap_one', 2, 'a');
CALL pg_temp.block('tap_one', 3, 'a');
SELECT pg_temp.is(pg_temp.state(), 'a1 a2 b2! a3', 'back on the first branch its events are valid');

-- Passes 2 in a batch, as it does once they are final; so no branch is seen to change.
CALL pg_temp.revert('tap_one', 1, 'a');
BEGIN;
UPDATE tap_one.cursor SET block_number = 5, block_hash = '0xc5';
COMMIT;
SELECT pg_temp.is(pg_temp.state(), 'a1 a2! b2! a3!',
    'what a batch of blocks did not bring again is taken back');
SELECT pg_temp.is(pg_temp.checkpoint(), '5 0xc5', 'and the checkpoint is the batch''s last block');

-- What the nodes call safe and final, of the blocks passed.
CREATE FUNCTION pg_temp.final() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', 'safe',
        (SELECT block_number FROM chain_heights WHERE chain_id = -1 AND kind = 'safe'), 'finalized',
        (SELECT block_number || ' ' || block_hash FROM chain_heights
         WHERE chain_id = -1 AND kind = 'finalized'));
$$;
SELECT ponder_report('tap_one', 5, '0xq5', 4, '0xa4') \g /dev/null
SELECT pg_temp.is(pg_temp.final(), 'safe finalized', 'a block of another branch is not reported');
SELECT ponder_report('tap_one', 5, '0xc5', 1, '0xa1') \g /dev/null
SELECT ponder_report('tap_one', 1, '0xa1', NULL, NULL) \g /dev/null
SELECT pg_temp.is(pg_temp.final(), 'safe 5 finalized 1 0xa1',
    'what is safe and final is reported, and only raised');
BEGIN;
UPDATE tap_one.cursor SET block_number = 6, block_hash = '0xc6';
SELECT pg_temp.is(ponder_report('tap_one', NULL, NULL, 5, '0xc5')::text || ' ' || pg_temp.final(),
    'false safe 5 finalized 1 0xa1', 'nothing is reported while Ponder writes');
-- Nor by our indexer: what Ponder sets back would stand in the log in front of it.
INSERT INTO observed_blocks (
    chain_id, reader, block_number, block_hash, parent_hash, "timestamp")
VALUES (-1, 'indexer', 6, '0xc6', '0xc5', 31536000);
SELECT raise_chain_height(-1, 'indexer', 'safe', 6, '0xc6', false) \g /dev/null
SELECT pg_temp.is(pg_temp.final(), 'safe 5 finalized 1 0xa1', 'nor by our indexer');
ROLLBACK;

-- Our own indexer beside it, which only inserts, and follows other branches.
CALL pg_temp.block('tap_one', 6, 'c');
INSERT INTO events SELECT * FROM pg_temp.event('-1-0xq6-0', '0xq6', block_number => 6);
INSERT INTO events
SELECT * FROM pg_temp.event('-1-0xc7-1', '0xc7', block_number => 7, log_index => 1);
INSERT INTO events SELECT * FROM pg_temp.event('typed by hand', '0xh6', block_number => 6);
CALL pg_temp.block('tap_one', 7, 'c');
SELECT pg_temp.is(pg_temp.state(), 'a1 a2! b2! a3! c6 h6 q6! c7 c7',
    'what another writer says of a block that Ponder knows to be another is taken back');
SELECT ponder_report('tap_one', 7, '0xc7', 5, '0xc5') \g /dev/null
CALL pg_temp.revert('tap_one', 5, 'c');
CALL pg_temp.block('tap_one', 6, 'd');
SELECT pg_temp.is(pg_temp.final(), 'safe 5 finalized 5 0xc5',
    'a reorg sets the safe block back to its fork');
SELECT pg_temp.is(
    pg_temp.outcome(
        $$DO $do$ BEGIN
              UPDATE tap_one.cursor SET block_number = 4;
              UPDATE tap_one.cursor SET block_number = 5, block_hash = '0xe5';
              SET CONSTRAINTS ALL IMMEDIATE;
          END $do$ $$), 'P0001', 'a reorg that replaces a finalized block is not followed');
SELECT pg_temp.is(pg_temp.state(), 'a1 a2! b2! a3! c6! d6 h6 q6! c7! c7!',
    'and what it says of the blocks that a reorg replaced');

-- What another reader finalized, Ponder does not replace, whether it knows the block or not.
INSERT INTO observed_blocks (
    chain_id, reader, block_number, block_hash, parent_hash, "timestamp")
SELECT -1, 'indexer', n, '0xd' || n, '0xd' || n - 1, 31536000 FROM generate_series(6, 8) AS n;
SELECT raise_chain_height(-1, 'indexer', 'finalized', 8, '0xd8', false) \g /dev/null
SELECT pg_temp.is(pg_temp.outcome($$DO $do$ BEGIN
        UPDATE tap_one.cursor SET block_number = 8, block_hash = '0xe8';
        SET CONSTRAINTS ALL IMMEDIATE;
    END $do$ $$), 'P0001', 'a block of the height of a finalized one is refused');
SELECT pg_temp.is(pg_temp.outcome($$DO $do$ BEGIN
        UPDATE tap_one.cursor SET block_number = 5;
        UPDATE tap_one.cursor SET block_number = 6, block_hash = '0xe6';
        SET CONSTRAINTS ALL IMMEDIATE;
    END $do$ $$), 'P0001', 'so is one of another branch below it');
SELECT pg_temp.is(pg_temp.outcome($$DO $do$ BEGIN
        UPDATE tap_one.cursor SET block_number = 8, block_hash = '0xd8';
        SET CONSTRAINTS ALL IMMEDIATE;
    END $do$ $$), 'accepted', 'the finalized block is passed');
DELETE FROM observed_blocks WHERE chain_id = -1 AND reader = 'indexer';
UPDATE chain_heights SET block_number = 5, block_hash = '0xc5'
WHERE chain_id = -1 AND kind = 'finalized';
DELETE FROM events WHERE chain_id = -1 AND block_number > 5;
UPDATE tap_one.cursor SET block_number = 5;

-- Another build, beside it.
CALL pg_temp.tables_of('tap_two');
SELECT pg_temp.is((ponder_start('tap_two', -1, true, 0)).status, 'candidate',
    'the second schema is a candidate');
CALL pg_temp.block('tap_two', 1, 'a');
CALL pg_temp.block('tap_two', 2, 'b');
CALL pg_temp.block('tap_two', 5, 'x');
SELECT pg_temp.is(pg_temp.state(), 'a1 a2! b2! a3! x5',
    'a candidate inserts what is new, and brings nothing back');
CALL pg_temp.revert('tap_two', 2, 'b');
CALL pg_temp.block('tap_two', 5, 'c');
CALL pg_temp.block('tap_two', 6, 'c');
SELECT pg_temp.is(pg_temp.state() || ' ' || pg_temp.checkpoint(),
    'a1 a2! b2! a3! c5 x5 c6! 6 0xd6', 'it takes nothing back, and sets no checkpoint');
SELECT ponder_report('tap_two', 6, '0xc6', 6, '0xc6') \g /dev/null
SELECT pg_temp.is(pg_temp.final(), 'safe 5 finalized 5 0xc5', 'and reports nothing');
BEGIN;
UPDATE chain_heights SET block_number = 6, block_hash = '0xd6'
WHERE chain_id = -1 AND kind = 'finalized';
SELECT pg_temp.is(pg_temp.outcome($$SELECT ponder_take_over('tap_two')$$), 'P0001',
    'nor does it take over with another block than the finalized one');
ROLLBACK;
SELECT ponder_take_over('tap_two') \g /dev/null
SELECT pg_temp.is(pg_temp.state() || ' ' || pg_temp.checkpoint(),
    'a1 a2! b2 a3! c5 x5! c6 6 0xc6', 'it takes over with its own idea of the last blocks');
CALL pg_temp.block('tap_one', 7, 'z');
SELECT pg_temp.is(pg_temp.state() || ' ' || pg_temp.checkpoint(),
    'a1 a2! b2 a3! c5 x5! c6 6 0xc6', 'the one before is retired, and has no say any more');
SELECT ponder_forget('tap_one') \g /dev/null
SELECT pg_temp.is(to_regclass('tap_one.cursor')::text, NULL, 'and is dropped');
SELECT pg_temp.is(pg_temp.outcome($$SELECT ponder_forget('tap_two')$$), 'P0001',
    'the current schema is not');

-- Beside a writer that has taken a block back already.
SELECT ponder_start('tap_two', -1, false, 0) \g /dev/null
INSERT INTO orphaned_blocks (
    chain_id, block_hash, block_number, parent_hash, "timestamp", fork_block)
VALUES (-1, '0xo8', 8, '0x', 0, 7);
CALL pg_temp.block('tap_two', 8, 'o');
SELECT pg_temp.is((SELECT invalidated FROM events WHERE block_hash = '0xo8'), true,
    'a late event of a block that its writer took back is taken back, too');

-- As the auditor is, where it is the writer: it has seen the block go, and come back.
INSERT INTO orphaned_blocks (
    chain_id, block_hash, block_number, parent_hash, "timestamp", fork_block)
VALUES (-1, '0xo9', 9, '0x', 0, 8);
INSERT INTO observed_blocks (
    chain_id, reader, block_number, block_hash, parent_hash, "timestamp")
VALUES (-1, 'auditor', 9, '0xo9', '0xo8', 0);
CALL pg_temp.block('tap_two', 9, 'o');
SELECT pg_temp.is((SELECT invalidated FROM events WHERE block_hash = '0xo9'), false,
    'one of a block that the auditor has on the chain again is valid');
DELETE FROM observed_blocks WHERE reader = 'auditor';

-- Two writers of one event, of whom our indexer holds the chain's lock from its first statement on.
SELECT pg_temp.is(pg_temp.holds_first($$CALL pg_temp.block('tap_two', 10, 'o')$$), true,
    'it holds the chain''s lock before it inserts');

-- What is settled, it reads without: its transactions may be long, and nobody is to wait for them.
CREATE FUNCTION pg_temp.holds(of_chain BIGINT) RETURNS BOOLEAN LANGUAGE sql AS $$
    SELECT coalesce((
        SELECT xmax = pg_current_xact_id()::xid FROM public.chain_locks
        WHERE chain_id = of_chain), false);
$$;
CALL pg_temp.tables_of('tap_history');
SELECT ponder_start('tap_history', -1, false, 100) \g /dev/null
BEGIN;
CALL pg_temp.block('tap_history', 98, 'o');
SET CONSTRAINTS ALL IMMEDIATE;
SELECT pg_temp.is(
    format('%s %s', pg_temp.holds(-1), (SELECT count(*) FROM events WHERE block_hash = '0xo98')),
    'f 1', 'a schema that only inserts leaves the lock free while it reads history');
COMMIT;
BEGIN;
UPDATE chain_heights SET block_number = 102 WHERE chain_id = -1 AND kind = 'finalized';
CALL pg_temp.block('tap_history', 101, 'o');
SET CONSTRAINTS ALL IMMEDIATE;
SELECT pg_temp.is(pg_temp.holds(-1), false, 'so it does below the finalized block');
ROLLBACK;
CALL pg_temp.revert('tap_history', 97, 'o');
SELECT pg_temp.is(pg_temp.holds_first($$CALL pg_temp.block('tap_history', 98, 'p')$$), true,
    'but not for a block that it passes again');
UPDATE ponder_schemas SET status = 'retired' WHERE schema_name = 'tap_history';
BEGIN;
CALL pg_temp.block('tap_history', 101, 'o');
SET CONSTRAINTS ALL IMMEDIATE;
SELECT pg_temp.is(pg_temp.holds(-1), false, 'a retired one leaves it free');
COMMIT;
SELECT ponder_forget('tap_history') \g /dev/null

-- So many blocks later.
UPDATE tap_two.cursor SET block_number = 64, block_hash = '0xo64';
UPDATE tap_two.cursor SET block_number = 65, block_hash = '0xo65';
UPDATE tap_two.cursor SET block_number = 2000, block_hash = '0xo2000';
SELECT pg_temp.is(
    (SELECT string_agg(block_number::text, ' ' ORDER BY block_number) FROM observed_blocks
     WHERE reader = 'tap_two'), '64 2000', 'far below, each 64th block is remembered');

-- What somebody else has stored under a log's name, or as a log that a block does not have.
CALL pg_temp.tables_of('tap_three');
SELECT ponder_start('tap_three', -3, true, 0, '{identity}', '{0xdd}') \g /dev/null
CREATE PROCEDURE pg_temp.forge(id text, branch text, forged jsonb DEFAULT '{}') LANGUAGE sql AS $$
    INSERT INTO events SELECT (jsonb_populate_record(
        pg_temp.event(id, '0x' || branch, event_type => 'unknown', registry => 'identity',
            block_number => substr(branch, 2)::bigint, chain_id => -3),
        '{"transaction_hash": "0xcc", "address": "0xdd", "topics": [], "log_data": "0x"}'
            || forged)).*;
$$;
CREATE PROCEDURE pg_temp.pass(
    block_number BIGINT, branch TEXT, schema_name TEXT DEFAULT 'tap_three')
LANGUAGE plpgsql AS $$
DECLARE
    hash TEXT := '0x' || branch || block_number;
BEGIN
    EXECUTE format(
        'INSERT INTO %I.registry_event VALUES (''-3-'' || $2 || ''-0'', -3, $1, $2, ''0xcc'', 0,
             ''unknown'', ''identity'', 31536000, NULL, NULL, ''0xdd'', '''', ''0x'')', schema_name)
    USING block_number, hash;
    EXECUTE format(
        'INSERT INTO %I.cursor VALUES (-3, $1, $2, ''0x'', 31536000)
         ON CONFLICT (chain_id) DO UPDATE SET
             block_number = EXCLUDED.block_number, block_hash = EXCLUDED.block_hash', schema_name)
    USING block_number, hash;
END
$$;
CREATE FUNCTION pg_temp.told() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(format('%s@%s%s', id, revision,
        CASE WHEN invalidated THEN '!' ELSE '' END), ' ' ORDER BY id, "timestamp"), 'nothing')
    FROM events WHERE chain_id = -3;
$$;
CALL pg_temp.forge('-3-0xa1-0', 'a1', '{"agent_id": 7, "data": {"a": 1}}');
CALL pg_temp.forge('-3-0xa2-0', 'a2', '{"address": "0xDD", "block_hash": "0xA2"}');
CALL pg_temp.pass(1, 'a');
CALL pg_temp.pass(2, 'a');
SELECT pg_temp.is(pg_temp.told(), '-3-0xa1-0@1 -3-0xa2-0@0',
    'a row that says something else than the log is taken over, and no other');
SELECT pg_temp.is(
    (SELECT format('%s %s', agent_id, data) FROM events WHERE id = '-3-0xa1-0'), ' ',
    'it says what the log says');
DELETE FROM events WHERE chain_id = -3;

CALL pg_temp.forge('-3-0xa3-0', 'a3', '{"timestamp": 31536001}');
CALL pg_temp.forge('-3-0xa3-5', 'a3');
CALL pg_temp.forge('-3-0xA3-0', 'a3', '{"block_hash": "0xA3"}');
CALL pg_temp.forge('anything', 'a3', '{"registry": "mine", "address": "0xDd"}');
CALL pg_temp.forge('no contract', 'a3', '{"address": null}');
CALL pg_temp.forge('-3-0xa3-7', 'a3', '{"registry": "mine", "address": null}');
CALL pg_temp.forge('of another', 'a3', '{"registry": "validation", "address": "0xee"}');
CALL pg_temp.forge('typed', 'a3', '{"block_hash": "0xb3"}');
CALL pg_temp.pass(3, 'a');
SELECT pg_temp.is(
    (SELECT string_agg(id || ' ' || "timestamp" % 10, ', ' ORDER BY id COLLATE "C")
     FROM events WHERE chain_id = -3 AND NOT invalidated),
    '-3-0xa3-0 0, -3-0xa3-7 0, of another 0, typed 0',
    'rows that claim to be logs of a block and are none are taken back as it passes');
SELECT pg_temp.is((SELECT count(*) FROM events WHERE chain_id = -3), 9, 'and others are not');
CALL pg_temp.forge('late', 'a3');
CALL pg_temp.forge('late and long ago', 'a3', '{"timestamp": 1000}');
CALL pg_temp.forge('-3-0xa4-3', 'a4');
UPDATE tap_three.cursor SET block_number = 6, block_hash = '0xa6';
SELECT pg_temp.is(
    (SELECT string_agg(id, ' ') FROM events
     WHERE chain_id = -3 AND (id LIKE 'late%' OR id = '-3-0xa4-3') AND NOT invalidated),
    'late and long ago', 'so is one that comes late, and one of a block passed in a batch');
UPDATE tap_three.cursor SET block_number = 64, block_hash = '0xa64';
SELECT pg_temp.is((SELECT invalidated FROM events WHERE id = 'late and long ago'), true,
    'and in a while one of any block time');
UPDATE tap_three.cursor SET block_number = 6, block_hash = '0xa6';
DELETE FROM events WHERE chain_id = -3;

-- A schema that does not own the chain leaves what is stored as it is.
SELECT ponder_start('tap_three', -3, false, 0, '{identity}', '{0xdd}') \g /dev/null
CALL pg_temp.forge('-3-0xa7-0', 'a7', '{"agent_id": 7}');
CALL pg_temp.forge('-3-0xa7-4', 'a7');
CALL pg_temp.pass(7, 'a');
SELECT pg_temp.is(pg_temp.told(), '-3-0xa7-0@0 -3-0xa7-4@0',
    'one that only inserts takes nothing over and nothing back');
SELECT ponder_start('tap_three', -3, true, 0, '{identity}', '{0xdd}') \g /dev/null
CALL pg_temp.forge('-3-0xa8-0', 'a8', '{"chain_id": -4}');
CALL pg_temp.pass(8, 'a');
SELECT pg_temp.is(pg_temp.told(), '-3-0xa7-0@0 -3-0xa7-4@1! -3-0xa8-0@2',
    'the writer takes a row over that claims to be of another chain');
SELECT pg_temp.is(
    (SELECT format('%s %s', chain_id, revision) FROM superseded_events WHERE id = '-3-0xa8-0'),
    '-4 0', 'and what it said is kept');

-- Another build, which is back on the first branch, takes over.
DELETE FROM events WHERE chain_id = -3;
CALL pg_temp.tables_of('tap_four');
SELECT ponder_start('tap_four', -3, true, 0, '{identity}', '{0xdd}') \g /dev/null
CALL pg_temp.forge('-3-0xa9-5', 'a9');
CALL pg_temp.forge('by contract', 'a9',
    '{"registry": "mine", "address": "0xDD", "invalidated": true}');
CALL pg_temp.forge('by name', 'a9', '{"address": null, "invalidated": true}');
CALL pg_temp.forge('of another', 'a9', '{"registry": "validation", "address": "0xee"}');
CALL pg_temp.forge('without one', 'a9', '{"registry": "mine", "address": null}');
CALL pg_temp.pass(9, 'a');
UPDATE tap_three.cursor SET block_number = 8, block_hash = '0xa8';
CALL pg_temp.pass(9, 'b');
CALL pg_temp.pass(9, 'a', 'tap_four');
SELECT ponder_take_over('tap_four') \g /dev/null
SELECT pg_temp.is(pg_temp.told(),
    '-3-0xa9-0@2 -3-0xa9-5@1! -3-0xb9-0@1! by contract@0! by name@0! '
        'of another@2 without one@2',
    'what is forged is not valid for a moment where a block''s events come back');

-- The chain begins anew. Ponder keeps what nodes answered beside its schemas.
CREATE SCHEMA ponder_sync;
CREATE TABLE ponder_sync.blocks (chain_id BIGINT, number BIGINT);
INSERT INTO ponder_sync.blocks VALUES (-3, 9), (-4, 9);
SELECT pg_temp.is(
    concat_ws(' ', ponder_trim_caches(-3, 1000), ponder_trim_caches(-3, 1000)), '1 0',
    'its cache can be forgotten in parts');
SELECT pg_temp.is(ponder_reset(-3), NULL::text, 'what Ponder has of a chain can be forgotten');
SELECT pg_temp.is(
    concat_ws(' ', to_regclass('tap_three.cursor'), to_regclass('tap_four.cursor'),
        (SELECT string_agg(schema_name, ' ') FROM ponder_schemas WHERE chain_id = -3),
        (SELECT string_agg(chain_id::text, ' ') FROM ponder_sync.blocks)),
    '-4', 'its schemas are dropped, and of other chains nothing is');
DROP SCHEMA ponder_sync CASCADE;

DROP SCHEMA tap_two CASCADE;
DELETE FROM superseded_events WHERE chain_id < 0;
DELETE FROM chain_heights WHERE chain_id < 0;
DELETE FROM orphaned_blocks WHERE chain_id < 0;
DELETE FROM ponder_schemas WHERE chain_id < 0;
DELETE FROM observed_blocks WHERE chain_id < 0;
DELETE FROM ponder_unconfirmed WHERE schema_name LIKE 'tap\_%';
CALL pg_temp.finish();

-- The list of chains that events may name, and the locks that nobody but us may take.
\ir tap.sql
SELECT pg_temp.plan(12);
CREATE ROLE tap_writer;
GRANT INSERT ON events TO tap_writer;
GRANT USAGE ON SCHEMA public TO tap_writer;
CREATE FUNCTION pg_temp.inserting(chain bigint, id text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.outcome(format(
        $q$INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
               event_type, registry, "timestamp")
           VALUES (%L, %s, 1, '0xaa', '0xbb', 0, 'NewFeedback', 'reputation', 31536000)$q$,
        id, chain));
$$;

SET ROLE tap_writer;
SELECT pg_temp.is(pg_temp.inserting(-1, 'a'), 'accepted', 'without a list any chain may be named');
SELECT pg_temp.is(pg_temp.outcome('INSERT INTO chain_list VALUES (-1)'), '42501',
    'a writer cannot write the list');
SELECT pg_temp.is(pg_temp.outcome('LOCK TABLE trigger_set IN SHARE MODE'), '42501',
    'nor hold the set of triggers');
RESET ROLE;

INSERT INTO chain_list VALUES (-1), (-2);
SET ROLE tap_writer;
SELECT pg_temp.is(pg_temp.inserting(-1, 'b'), 'accepted', 'a chain of the list may be named');
SELECT pg_temp.is(pg_temp.inserting(-3, 'c'), '23514', 'another may not');
RESET ROLE;
SET session_replication_role = replica;
SELECT pg_temp.is(pg_temp.inserting(-3, 'd'), 'accepted',
    'what is replicated was let in elsewhere');
RESET session_replication_role;
SELECT pg_temp.is((SELECT count(*) FROM known_chains WHERE chain_id IN (-1, -2, -3)), 2,
    'a chain of the list is known, and no other');
INSERT INTO checkpoints (chain_id, block_number, block_hash) VALUES (-3, 1, '0xaa');
SELECT pg_temp.is((SELECT count(*) FROM known_chains WHERE chain_id = -3), 1,
    'one with a checkpoint is known');
DELETE FROM chain_list WHERE chain_id = -2;
SELECT pg_temp.is(pg_temp.inserting(-2, 'e'), '23514', 'a chain that was struck off may not');
TRUNCATE chain_list;
SELECT pg_temp.is(pg_temp.inserting(-2, 'e'), 'accepted', 'an empty list is none');

BEGIN;
SELECT count(*) FROM claim_shards('{-1}', 10, 1000)
\g /dev/null
SELECT pg_temp.is(pg_current_xact_id_if_assigned()::text, NULL, 'a claim takes no transaction id');
SELECT pg_temp.is(
    (SELECT string_agg(mode, ' ') FROM pg_locks
     WHERE pid = pg_backend_pid() AND relation = 'trigger_set'::regclass AND mode = 'ShareLock'),
    'ShareLock', 'and holds the set of triggers with others');
COMMIT;

CALL pg_temp.finish();

-- The gate of the mode `gated`: no writer is silent while somebody sleeps, and nobody sleeps while
-- a writer that may be silent is open. What follows from this stands in docs/decisions/0008.
\ir tap.sql
SELECT pg_temp.plan(16);
CALL pg_temp.listen('new_event');
CALL pg_temp.open_connection('one');
CALL pg_temp.open_connection('other');
CALL pg_temp.open_connection('writer');
CALL pg_temp.ring('gated');

CREATE FUNCTION pg_temp.shut(sleeper text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.elsewhere(sleeper, 'SELECT shut_notification_gate()');
$$;
CREATE FUNCTION pg_temp.open(sleeper text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.elsewhere(sleeper, 'SELECT open_notification_gate()');
$$;
-- The advisory locks of a connection.
CREATE FUNCTION pg_temp.locks_of(connection text) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM pg_locks
    WHERE locktype = 'advisory'
        AND pid = pg_temp.elsewhere(connection, 'SELECT pg_backend_pid()')::integer;
$$;

-- Sleepers, any number

SELECT pg_temp.is(pg_temp.shut('one') || pg_temp.shut('other'), 'tt', 'two may sleep at once');
SELECT pg_temp.open('one')
\g /dev/null
INSERT INTO events SELECT * FROM pg_temp.event('a');
SELECT pg_temp.is(pg_temp.heard_ids(), 'a', 'while one of them sleeps, writers ring');
SELECT pg_temp.open('other')
\g /dev/null
INSERT INTO events SELECT * FROM pg_temp.event('b');
SELECT pg_temp.is(pg_temp.heard_ids(), 'nothing', 'when the last is awake, they do not');

SELECT pg_temp.shut('one')
\g /dev/null
SELECT dblink_disconnect('one')
\g /dev/null
CREATE PROCEDURE pg_temp.until_nobody_sleeps() LANGUAGE plpgsql AS $$
BEGIN
    WHILE somebody_sleeps() LOOP COMMIT; END LOOP;
END
$$;
CALL pg_temp.until_nobody_sleeps();
SELECT pg_temp.is(somebody_sleeps(), false, 'a sleeper that dies holds the gate no longer');
CALL pg_temp.open_connection('one');

-- Writers that did not ring

SELECT dblink_exec('writer', 'BEGIN'),
    dblink_exec('writer', $$INSERT INTO events (id, chain_id, block_number, block_hash,
        transaction_hash, log_index, event_type, registry, "timestamp")
        VALUES ('c', -1, 1, '0xaa', '0xbb', 0, 'NewFeedback', 'reputation', 31536000)$$)
\g /dev/null
SELECT pg_temp.is(pg_temp.shut('one'), 'f', 'while a writer is open nobody may sleep');
SELECT pg_temp.is(pg_temp.locks_of('one'), 0, 'and whoever asked holds nothing');
INSERT INTO events SELECT * FROM pg_temp.event('d');
SELECT pg_temp.is(pg_temp.heard_ids(), 'nothing', 'so others need not ring either');
SELECT dblink_exec('writer', 'COMMIT')
\g /dev/null
SELECT pg_temp.is(pg_temp.shut('one'), 't', 'once it has ended the gate can be shut');
SELECT pg_temp.is((SELECT count(*) FROM events WHERE id = 'c'), 1, 'and what it wrote is there');
SELECT pg_temp.open('one')
\g /dev/null
BEGIN;
INSERT INTO events SELECT * FROM pg_temp.event('e');
ROLLBACK;
SELECT pg_temp.is(pg_temp.shut('one'), 't', 'a writer that was rolled back has ended, too');

-- A writer that begins while the gate is shut rings, and is waited for all the same.
BEGIN;
INSERT INTO events SELECT * FROM pg_temp.event('f');
SELECT pg_temp.is(pg_temp.shut('other'), 'f', 'one that rings at its end is still open');
COMMIT;
SELECT pg_temp.is(pg_temp.heard_ids(), 'f', 'and rings at its end');
SELECT pg_temp.open('one')
\g /dev/null

-- Nothing is kept, and nobody waits

INSERT INTO events SELECT * FROM pg_temp.event('g');
SELECT pg_temp.is(
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()), 0,
    'a writer keeps no lock beyond its transaction');
-- Any role may take any advisory lock: then writers ring, and sleepers look again.
SELECT pg_temp.elsewhere('other',
    $$SELECT pg_advisory_lock(hashtextextended('agentauri sleepers', 0))$$)
\g /dev/null
INSERT INTO events SELECT * FROM pg_temp.event('h');
SELECT pg_temp.elsewhere('other',
    $$SELECT pg_advisory_lock(hashtextextended('agentauri writers', 0))$$)
\g /dev/null
INSERT INTO events SELECT * FROM pg_temp.event('i');
SELECT pg_temp.is(pg_temp.heard_ids(), 'h i', 'a stranger with the locks makes every writer ring');
SELECT pg_temp.is(pg_temp.shut('one'), 'f', 'and keeps sleepers awake');
SELECT pg_temp.elsewhere('other', 'SELECT pg_advisory_unlock_all()')
\g /dev/null
SELECT pg_temp.is(pg_temp.shut('one'), 't', 'until it is gone');

CALL pg_temp.finish();

-- The bell that the processor sleeps by: every INSERT into `events` says so on channel `new_event`,
-- once it is committed, and is never failed by it.
--
--     psql -d agentauri_backend -f database/tests/test-event-notifications.sql
--
-- A superuser, a migrated database and nothing else.
\ir tap.sql
SELECT pg_temp.plan(37);
CALL pg_temp.listen('new_event', 'event_log');

-- What stands in the catalog

SELECT pg_temp.is(
    (SELECT prorettype::regtype::text FROM pg_proc WHERE oid = to_regproc('notify_new_event')),
    'trigger', 'the function notify_new_event() exists and returns trigger');
SELECT pg_temp.is(
    (SELECT format('%s by %s', tgrelid::regclass, tgfoid::regproc) FROM pg_trigger
     WHERE tgname = 'trigger_notify_new_event' AND tgrelid = 'events'::regclass),
    'events by notify_new_event', 'trigger_notify_new_event is attached to events');
SELECT pg_temp.is(
    (SELECT pg_get_triggerdef(oid) FROM pg_trigger
     WHERE tgname = 'trigger_notify_new_event' AND tgrelid = 'events'::regclass),
    'CREATE TRIGGER trigger_notify_new_event AFTER INSERT ON public.events FOR EACH ROW'
    ' EXECUTE FUNCTION notify_new_event()',
    'it fires AFTER INSERT, FOR EACH ROW, on no condition');
SELECT pg_temp.is(
    (SELECT tgenabled::text FROM pg_trigger
     WHERE tgname = 'trigger_notify_new_event' AND tgrelid = 'events'::regclass),
    'A', 'it is enabled ALWAYS');

-- When it fires

INSERT INTO events SELECT * FROM pg_temp.event('one');
SELECT pg_temp.is(pg_temp.heard_ids(), 'one', 'an INSERT of one row says so');

INSERT INTO events SELECT (pg_temp.event(id)).* FROM unnest('{m1,m2,m3}'::text[]) AS id;
SELECT pg_temp.is(pg_temp.heard_ids(), 'm1 m2 m3',
    'an INSERT of three rows says three things, in order');

INSERT INTO events SELECT (pg_temp.event('week' || n, "timestamp" => 31536000 + n * 604800)).*
FROM generate_series(1, 3) AS n;
SELECT pg_temp.is(pg_temp.heard_ids(), 'week1 week2 week3', 'so do rows of different weeks');

COPY events (id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
    registry, "timestamp") FROM STDIN (FORMAT csv);
copy1,-1,1,0xaa,0xbb,0,NewFeedback,reputation,31536000
copy2,-1,1,0xaa,0xbb,1,NewFeedback,reputation,31536000
\.
SELECT pg_temp.is(pg_temp.heard_ids(), 'copy1 copy2', 'COPY says each of its rows');

INSERT INTO events SELECT (pg_temp.event(id)).* FROM unnest('{one,two}'::text[]) AS id
ON CONFLICT DO NOTHING;
SELECT pg_temp.is(pg_temp.heard_ids(), 'two',
    'ON CONFLICT DO NOTHING says nothing of the row that was there');

INSERT INTO events SELECT * FROM pg_temp.event('two')
ON CONFLICT (id, "timestamp") DO UPDATE SET data = '{}';
SELECT pg_temp.is(pg_temp.heard_ids(), 'nothing', 'nor does ON CONFLICT DO UPDATE');

UPDATE events SET data = '{"a": 1}' WHERE chain_id = -1;
UPDATE events SET invalidated = true WHERE chain_id = -1;
SELECT pg_temp.is(pg_temp.heard_ids(), 'nothing', 'an UPDATE says nothing');

DELETE FROM events WHERE chain_id = -1;
SELECT pg_temp.is(pg_temp.heard_ids(), 'nothing', 'a DELETE says nothing');

BEGIN;
INSERT INTO events SELECT * FROM pg_temp.event('held');
SELECT pg_temp.is(pg_temp.heard_ids(), 'nothing', 'nothing is said before the COMMIT');
COMMIT;
SELECT pg_temp.is(pg_temp.heard_ids(), 'held', 'and it is said at the COMMIT');

BEGIN;
INSERT INTO events SELECT * FROM pg_temp.event('rolled back');
ROLLBACK;
SELECT pg_temp.is(pg_temp.heard_ids(), 'nothing', 'a transaction rolled back says nothing');

BEGIN;
INSERT INTO events SELECT * FROM pg_temp.event('before');
SAVEPOINT doubt;
INSERT INTO events SELECT * FROM pg_temp.event('doubted');
ROLLBACK TO doubt;
INSERT INTO events SELECT * FROM pg_temp.event('after');
COMMIT;
SELECT pg_temp.is(pg_temp.heard_ids(), 'before after', 'nor does a savepoint rolled back');

-- What it says

INSERT INTO events SELECT * FROM pg_temp.event('said', block_number => 9007199254740993);
CREATE TEMP TABLE said AS SELECT payload::jsonb AS payload FROM pg_temp.heard();
SELECT pg_temp.is(
    (SELECT payload FROM said),
    '{"event_id": "said", "chain_id": -1, "block_number": 9007199254740993,
      "event_type": "NewFeedback", "registry": "reputation"}'::jsonb,
    'the payload is event_id, chain_id, block_number, event_type, registry and nothing else');
SELECT pg_temp.is(
    (SELECT string_agg(format('%s %s', key, jsonb_typeof(value)), ', ' ORDER BY key)
     FROM said, jsonb_each(payload)),
    'block_number number, chain_id number, event_id string, event_type string, registry string',
    'numbers are JSON numbers, exact above 2^53; texts are strings');

INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
    event_type, registry, timestamp, created_at)
VALUES ('test_manual_1', -1, 1000000, '0x' || md5(random()::text), '0x' || md5(random()::text), 0,
    'AgentRegistered', 'identity', EXTRACT(EPOCH FROM NOW())::BIGINT, NOW());
SELECT pg_temp.is(pg_temp.heard_ids(), 'test_manual_1',
    'an INSERT that leaves every optional column NULL is heard');
SELECT pg_temp.is(
    (SELECT num_nulls(agent_id, data, address, topics, log_data) FROM events
     WHERE id = 'test_manual_1'),
    5, 'and they are NULL');

INSERT INTO events SELECT (pg_temp.event(id, event_type => '', registry => '')).*
FROM unnest('{""}'::text[]) AS id;
SELECT pg_temp.is((SELECT payload::jsonb ->> 'event_id' FROM pg_temp.heard()), '',
    'empty texts arrive as empty texts');

-- Hostile text: each arrives as it was, after JSON has been parsed.
CREATE TEMP TABLE hostile (n serial, what text, id text);
INSERT INTO hostile (what, id) VALUES
    ('quotes', $$'"'' "" ` $tag$ $$),
    ('backslashes', E'\\ \\\\ \\" \\u0041 \\n \\'),
    ('JSON', '{"event_id": "other", "chain_id": 1}'),
    ('unicode', 'Ünïcödé 東京 🦀 ' || U&'\202E\200B\FEFF\FFFD'),
    ('line ends and tabs', E'a\nb\r\nc\td'),
    ('every control character',
        (SELECT string_agg(chr(n), '') FROM generate_series(1, 31) AS n) || chr(127)),
    ('an id of 1,150 letters', repeat('x', 1150)),
    ('a percent sign and SQL', $$%s %n '); DROP TABLE events; --$$);
INSERT INTO events SELECT (pg_temp.event(id, block_number => n)).* FROM hostile ORDER BY n;
CREATE TEMP TABLE arrived AS SELECT payload::jsonb AS payload FROM pg_temp.heard();
SELECT pg_temp.is(
    (SELECT payload ->> 'event_id' FROM arrived WHERE (payload ->> 'block_number')::int = n),
    id, what || ' in an id: unharmed')
FROM hostile ORDER BY n;

-- Lengths

CREATE TEMP TABLE longest AS
SELECT * FROM pg_temp.event(
    repeat(chr(1), 1072), event_type => repeat(chr(2), 64), registry => repeat(chr(31), 64),
    block_number => -9223372036854775808, chain_id => -9223372036854775808);
INSERT INTO events SELECT * FROM longest;
CREATE TEMP TABLE heard_longest AS SELECT payload FROM pg_temp.heard();
SELECT pg_temp.is(
    (SELECT format('%s %s', octet_length(payload) > 7200, octet_length(payload) < 8000)
     FROM heard_longest),
    't t', 'the longest name allowed, all control characters, is below 8,000 bytes of JSON');
SELECT pg_temp.is(
    (SELECT payload::jsonb ->> 'event_id' FROM heard_longest), repeat(chr(1), 1072),
    'and arrives unharmed');
SELECT pg_temp.is(
    pg_temp.outcome($$INSERT INTO events SELECT * FROM pg_temp.event(
        repeat('é', 536) || 'x', event_type => repeat('x', 64), registry => repeat('x', 64))$$),
    '23514 events_name_length', 'one octet more is refused by events_name_length');
SELECT pg_temp.is(
    pg_temp.outcome($$INSERT INTO events SELECT * FROM pg_temp.event(repeat('x', 9000))$$),
    '23514 events_name_length',
    'a name too long for NOTIFY is refused by the CHECK, never by NOTIFY');
SELECT pg_temp.is(
    pg_temp.outcome(
        $$INSERT INTO events SELECT * FROM pg_temp.event('x', registry => repeat('é', 32))$$),
    'accepted', 'a registry of 64 octets is accepted');
SELECT pg_temp.is(
    pg_temp.outcome($$INSERT INTO events
        SELECT * FROM pg_temp.event('x', registry => repeat('é', 32) || 'x')$$),
    '23514 events_registry_length', 'one of 65 is refused by events_registry_length');

-- A listener stuck in a transaction, and the queue it fills (small in the servers of run.sh only)

SELECT coalesce(current_setting('max_notify_queue_pages', true)::int <= 1000, false) AS small_queue
\gset
\if :small_queue
SELECT dblink_exec('ears', 'BEGIN')
\g /dev/null
SET client_min_messages = error;
SELECT pg_notify('tap_filler', n || repeat('x', 7000))
FROM generate_series(1, ceil(current_setting('max_notify_queue_pages')::int * 0.6)::int) AS n
\g /dev/null
SET client_min_messages = warning;
SELECT pg_temp.is(pg_notification_queue_usage() > 0.5, true, 'a stuck listener fills the queue');
INSERT INTO events SELECT * FROM pg_temp.event('while it is full');
SELECT dblink_exec('ears', 'COMMIT')
\g /dev/null
SELECT pg_temp.is(pg_temp.heard_ids(), 'nothing',
    'a queue more than half full: the INSERT goes on, silent');
\else
SELECT pg_temp.skip('the notification queue is too large to fill') FROM generate_series(1, 2);
\endif

CALL pg_temp.finish();

-- How the bell rings is a setting that is changed while everything runs: for every row, only while
-- somebody sleeps, or never; and on channels of registries and chains.
\ir tap.sql
SELECT pg_temp.plan(31);
CALL pg_temp.listen('new_event', 'event_log', 'notification_settings', 'new_event_reputation',
    'new_event_validation', 'new_event_-1', 'new_event_-2');
CALL pg_temp.open_connection('operator');
CALL pg_temp.open_connection('sleeper');

-- The setting

SELECT pg_temp.is(
    (SELECT string_agg(column_default, ' ' ORDER BY ordinal_position)
     FROM information_schema.columns WHERE table_name = 'notification_settings'),
    $$true 'row'::text false false false$$, 'the default is every row, and nothing else');
SELECT pg_temp.is(pg_temp.outcome($$UPDATE notification_settings SET mode = 'loud'$$),
    '23514 notification_settings_mode', 'a mode that nobody knows is refused');
SELECT pg_temp.is(
    pg_temp.outcome('INSERT INTO notification_settings (singleton) VALUES (false)'),
    '23514 notification_settings_singleton_check', 'there is one row');
CALL pg_temp.ring('off');
SELECT pg_temp.is(
    (SELECT count(*) > 0 FROM pg_temp.heard() WHERE channel = 'notification_settings'), true,
    'a change rings a bell of its own');
DELETE FROM notification_settings;
SELECT pg_temp.is(notification_mode(), 'row', 'without the row the defaults are in force');

-- row

CALL pg_temp.ring('row');
INSERT INTO events SELECT (pg_temp.event(id)).* FROM unnest('{r1,r2}'::text[]) AS id;
SELECT pg_temp.is(pg_temp.heard_channels(), 'new_event r1, new_event r2',
    'row: every row, on new_event alone');

-- off, said by somebody else while this session goes on

SELECT pg_temp.elsewhere('operator',
    $$UPDATE notification_settings SET mode = 'off' RETURNING mode$$)
\g /dev/null
INSERT INTO events SELECT * FROM pg_temp.event('o1');
UPDATE events SET invalidated = true WHERE id = 'o1';
SET session_replication_role = replica;
INSERT INTO events SELECT * FROM pg_temp.event('o2');
SET session_replication_role = origin;
SELECT pg_temp.is(pg_temp.elsewhere('sleeper', 'SELECT shut_notification_gate()'), 't',
    'off: a gate that nobody asks can be shut');
INSERT INTO events SELECT * FROM pg_temp.event('o3');
SELECT pg_temp.is(pg_temp.heard_channels(), 'nothing', 'off: no insertion rings, whoever sleeps');
SELECT pg_temp.is(pg_temp.heard_bells(), 0, 'nor does a revision');
SELECT pg_temp.elsewhere('sleeper', 'SELECT open_notification_gate()')
\g /dev/null

SELECT pg_temp.elsewhere('operator',
    $$UPDATE notification_settings SET mode = 'row' RETURNING mode$$)
\g /dev/null
INSERT INTO events SELECT * FROM pg_temp.event('o4');
SELECT pg_temp.is(pg_temp.heard_ids(), 'o4', 'row again: the next statement rings');
SET session_replication_role = replica;
INSERT INTO events SELECT * FROM pg_temp.event('o5');
SET session_replication_role = origin;
SELECT pg_temp.is(pg_temp.heard_ids(), 'o5', 'row, in the replica role: once');

-- gated

SELECT pg_temp.elsewhere('operator',
    $$UPDATE notification_settings SET mode = 'gated' RETURNING mode$$)
\g /dev/null
INSERT INTO events SELECT * FROM pg_temp.event('g1');
UPDATE events SET invalidated = true WHERE id = 'g1';
SELECT pg_temp.is(pg_temp.heard_channels(), 'nothing', 'gated: nothing rings while nobody sleeps');
SELECT pg_temp.is(pg_temp.heard_bells(), 0, 'nor does a revision');

SELECT pg_temp.is(pg_temp.elsewhere('sleeper', 'SELECT shut_notification_gate()'), 't',
    'a sleeper shuts the gate');
INSERT INTO events SELECT * FROM pg_temp.event('g2');
SELECT pg_temp.is(pg_temp.heard_ids(), 'g2', 'gated: an insertion rings while somebody sleeps');
INSERT INTO events SELECT * FROM pg_temp.event('g3', block_number => 9007199254740993);
SELECT pg_temp.is(
    (SELECT payload::jsonb FROM pg_temp.heard()),
    '{"event_id": "g3", "chain_id": -1, "block_number": 9007199254740993,
      "event_type": "NewFeedback", "registry": "reputation"}'::jsonb,
    'with the same five keys');
INSERT INTO events SELECT (pg_temp.event('g4' || n)).* FROM generate_series(1, 100) AS n;
SELECT pg_temp.is((SELECT count(*) FROM pg_temp.heard()), 1, 'once for a statement of many rows');
UPDATE events SET invalidated = true WHERE id = 'g2';
SELECT pg_temp.is(pg_temp.heard_bells(), 1, 'a revision rings, too');
INSERT INTO events SELECT * FROM pg_temp.event('g2') ON CONFLICT DO NOTHING;
SELECT pg_temp.is(pg_temp.heard_channels(), 'nothing', 'what was there does not');
BEGIN;
INSERT INTO events SELECT * FROM pg_temp.event('never');
ROLLBACK;
SELECT pg_temp.is(pg_temp.heard_channels(), 'nothing', 'nor does what was rolled back');
SET session_replication_role = replica;
INSERT INTO events SELECT * FROM pg_temp.event('g5');
INSERT INTO events SELECT * FROM pg_temp.event('g6', "timestamp" => 60000000);
SET session_replication_role = origin;
SELECT pg_temp.is(pg_temp.heard_ids(), 'g5 g6', 'in the replica role it rings once, too');
SELECT pg_temp.elsewhere('sleeper', 'SELECT open_notification_gate()')
\g /dev/null
INSERT INTO events SELECT * FROM pg_temp.event('g7');
SELECT pg_temp.is(pg_temp.heard_channels(), 'nothing', 'awake again: nothing rings');

-- Channels

CALL pg_temp.ring('row', registry_channels => true);
INSERT INTO events SELECT * FROM pg_temp.event('c1');
SELECT pg_temp.is(pg_temp.heard_channels(), 'new_event c1, new_event_reputation c1',
    'a channel a registry, beside new_event');
CALL pg_temp.ring('row', chain_channels => true);
INSERT INTO events SELECT * FROM pg_temp.event('c2', chain_id => -2);
SELECT pg_temp.is(pg_temp.heard_channels(), 'new_event c2, new_event_-2 c2', 'a channel a chain');
CALL pg_temp.ring('row', true, true);
SET session_replication_role = replica;
INSERT INTO events SELECT * FROM pg_temp.event('c3');
SET session_replication_role = origin;
SELECT pg_temp.is(pg_temp.heard_channels(),
    'new_event c3, new_event_reputation c3, new_event_-1 c3', 'both, in the replica role as well');
CALL pg_temp.ring('off', true, true);
INSERT INTO events SELECT * FROM pg_temp.event('c4');
SELECT pg_temp.is(pg_temp.heard_channels(), 'nothing', 'off: none of them');
CALL pg_temp.ring('gated', true, true);
SELECT pg_temp.elsewhere('sleeper', 'SELECT shut_notification_gate()')
\g /dev/null
INSERT INTO events SELECT (pg_temp.event('d' || n, registry => registry)).*
FROM unnest('{validation,reputation,validation,reputation}'::text[])
    WITH ORDINALITY AS rows (registry, n);
SELECT pg_temp.is(
    (SELECT string_agg(DISTINCT channel, ' ') FROM pg_temp.heard() WHERE channel LIKE 'new%'),
    'new_event new_event_-1 new_event_reputation new_event_validation',
    'gated: each channel that a row of the statement belongs to');
SELECT pg_temp.elsewhere('sleeper', 'SELECT open_notification_gate()')
\g /dev/null

-- Names of registries are strangers' text, and no INSERT fails of one.
CALL pg_temp.ring('row', true, true);
CREATE TEMP TABLE hostile (n serial, registry text);
INSERT INTO hostile (registry) VALUES
    (repeat('x', 53)), (repeat('x', 54)), (repeat('x', 64)), (repeat('é', 32)), (''), (' '),
    ('-1'), ('"; DROP TABLE events; --'), (E'a\nb\tc\\d'), ('Identity'), ('東京'), (chr(1));
SELECT count(dblink_exec('ears', format('LISTEN %I', 'new_event_' || registry)))
FROM hostile WHERE octet_length(registry) <= 53
\g /dev/null
INSERT INTO events SELECT (pg_temp.event('h' || n, registry => registry)).* FROM hostile ORDER BY n;
CREATE TEMP TABLE heard_hostile AS
SELECT channel, payload::json FROM pg_temp.heard() WHERE channel LIKE 'new%';
SELECT pg_temp.is(
    (SELECT count(*) FROM heard_hostile WHERE channel = 'new_event'), 12,
    'every hostile name is stored, and heard on new_event');
SELECT pg_temp.is(
    (SELECT string_agg(payload ->> 'event_id', ' ' ORDER BY n)
     FROM hostile LEFT JOIN heard_hostile ON payload ->> 'event_id' = 'h' || n
        AND channel = 'new_event_' || registry AND channel <> 'new_event_-1'),
    'h1 h5 h6 h8 h9 h10 h11 h12', 'and on its own channel, where that has at most 63 bytes');
CALL pg_temp.ring('gated', true, true);
SELECT pg_temp.elsewhere('sleeper', 'SELECT shut_notification_gate()')
\g /dev/null
INSERT INTO events SELECT (pg_temp.event('i' || n, registry => registry)).* FROM hostile ORDER BY n;
SELECT pg_temp.is(
    (SELECT count(*) FROM pg_temp.heard() WHERE channel = 'new_event'), 12, 'gated: the same');

-- A writer needs no right to the settings, the filter or the triggers.
CALL pg_temp.ring('gated', true, true, true);
CREATE ROLE tap_writer;
GRANT INSERT ON events TO tap_writer;
GRANT USAGE ON SCHEMA public TO tap_writer;
SET ROLE tap_writer;
INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
    registry, "timestamp")
VALUES ('w1', -1, 1, '0xaa', '0xbb', 0, 'NewFeedback', 'reputation', 31536000);
RESET ROLE;
SELECT pg_temp.is((SELECT count(*) FROM events WHERE id = 'w1'), 1,
    'a role with INSERT alone writes in every mode');

CALL pg_temp.finish();

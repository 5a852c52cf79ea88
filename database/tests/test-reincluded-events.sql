-- A transaction's event in one block and in another: which is the same, and who was told of it.
\ir tap.sql
SELECT pg_temp.plan(9);
BEGIN;

-- A block of chain -70 with a transaction that has two feedbacks, after so many logs of others.
CREATE FUNCTION pg_temp.include(block_hash text, block_number bigint, logs_before integer)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
                        event_type, registry, "timestamp")
    SELECT format('%s-%s', block_hash, kind), -70, block_number, block_hash,
           CASE kind WHEN 'foreign' THEN '0xother' ELSE '0xtransaction' END,
           logs_before + place, CASE kind WHEN 'uri' THEN 'URIUpdated' ELSE 'NewFeedback' END,
           'reputation', 1000 + block_number
    FROM unnest('{foreign,first,uri,second}'::text[]) WITH ORDINALITY AS logs (kind, place)
$$;

-- The job of an event, of which so many attempts have begun.
CREATE FUNCTION pg_temp.told(job uuid, event text, event_time bigint, attempts integer)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO jobs (id, trigger_id, trigger_version, action_id, action_version, chain_id,
                      event_id, event_timestamp, event_revision, triggers_revision, attempts)
    VALUES (job, '00000000-0000-0000-0000-00000000000a', 1, 'hook', 1, -70, event, event_time, 0, 0,
            attempts)
$$;

-- What a batch notes of an event that it takes back.
CREATE FUNCTION pg_temp.taken_back(event text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO taken_back_events (chain_id, transaction_hash, registry, event_type, ordinal,
                                   event_id, event_timestamp, revision, block_number, block_hash)
    SELECT chain_id, transaction_hash, registry, event_type, ordinal_in_transaction(e), id,
           "timestamp", 0, block_number, block_hash
    FROM events e WHERE id = event
    ON CONFLICT (event_id, event_timestamp, block_hash) DO UPDATE SET seq = DEFAULT
$$;

CREATE FUNCTION pg_temp.before(event text, event_time bigint) RETURNS jsonb LANGUAGE sql AS $$
    SELECT taken_back_before('00000000-0000-0000-0000-00000000000a', 'hook', event, event_time)
$$;

CREATE FUNCTION pg_temp.now_included(event text, event_time bigint, block_hash text)
RETURNS jsonb LANGUAGE sql AS $$
    SELECT included_now('00000000-0000-0000-0000-00000000000a', 'hook', event, event_time,
                        block_hash)
$$;

SELECT pg_temp.include('0xa', 5, 0);
SELECT pg_temp.include('0xb', 7, 3);
SELECT pg_temp.told('00000000-0000-0000-0000-000000000001', '0xa-second', 1005, 1);
SELECT pg_temp.told('00000000-0000-0000-0000-000000000002', '0xa-first', 1005, 0);

SELECT pg_temp.is(pg_temp.before('0xb-first', 1007), NULL, 'what nobody took back is no link');
UPDATE events SET invalidated = true WHERE chain_id = -70 AND block_hash = '0xa';
SELECT pg_temp.taken_back(id) FROM events WHERE chain_id = -70 AND block_hash = '0xa' ORDER BY id;
SELECT pg_temp.is(pg_temp.before('0xb-second', 1007),
    '{"webhook_id": "00000000-0000-0000-0000-000000000001", "id": "0xa-second", "timestamp": 1005,
      "revision": 0, "block_number": 5, "block_hash": "0xa"}'::jsonb,
    'the second of its kind was the second of its kind, and its message is named');
SELECT pg_temp.is(pg_temp.before('0xb-first', 1007)->>'id', '0xa-first', 'and the first the first');
SELECT pg_temp.is(pg_temp.before('0xb-first', 1007)->'webhook_id', 'null'::jsonb,
    'a message that was never begun is not named');
SELECT pg_temp.is(pg_temp.before('0xb-foreign', 1007)->>'id', '0xa-foreign',
    'another transaction has its own');

SELECT pg_temp.is(pg_temp.now_included('0xa-second', 1005, '0xa')->>'id', '0xb-second',
    'and whoever is told that the first is gone learns where it is now');
UPDATE events SET invalidated = true WHERE chain_id = -70 AND block_hash = '0xb';
SELECT pg_temp.is(pg_temp.now_included('0xa-second', 1005, '0xa'), NULL,
    'unless that is taken back, too');

-- Back to the first branch.
SELECT pg_temp.taken_back(id) FROM events WHERE chain_id = -70 AND block_hash = '0xb' ORDER BY id;
UPDATE events SET invalidated = false WHERE chain_id = -70 AND block_hash = '0xa';
SELECT pg_temp.is(pg_temp.before('0xa-second', 1005)->>'id', '0xb-second',
    'what comes back for the second time was what was taken back last');

-- A name that says nothing of the block, taken over by the next one.
INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
                    registry, "timestamp")
VALUES ('short', -70, 9, '0xc', '0xshort', 0, 'NewFeedback', 'reputation', 1009);
UPDATE events SET block_hash = '0xd' WHERE id = 'short' AND chain_id = -70;
SELECT pg_temp.is(pg_temp.now_included('short', 1009, '0xc')->>'block_hash', '0xd',
    'an event whose name another block took over is found by its name');

ROLLBACK;
CALL pg_temp.finish();

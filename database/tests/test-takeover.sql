-- What the chain's writer does to a row that somebody else has stored under a log's name: where it
-- says something else of the chain, the writer takes it over; where it says the same, nothing.
\ir tap.sql
SELECT pg_temp.plan(18);
CALL pg_temp.listen('event_log');

-- The log of which all of this is, with every column filled.
CREATE FUNCTION pg_temp.truth(id text, log_index integer DEFAULT 3) RETURNS events
LANGUAGE sql AS $$
    SELECT jsonb_populate_record(
        pg_temp.event(id, '0xabcdef', log_index => log_index),
        '{"transaction_hash": "0xbcdefa", "agent_id": 7, "data": {"a": {"b": [1, "x"]}},
          "address": "0xcdefab", "topics": ["0xaa", "0xbb"], "log_data": "0xdefabc"}');
$$;

-- A row with one column otherwise, inserted as a stranger would.
CREATE PROCEDURE pg_temp.forge(id text, forged jsonb) LANGUAGE sql AS $$
    INSERT INTO events SELECT (jsonb_populate_record(pg_temp.truth(id), forged)).*;
$$;

-- What the chain's writer does with the log.
CREATE FUNCTION pg_temp.store(VARIADIC ids text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO events SELECT (pg_temp.truth(id)).* FROM unnest(ids) AS id
    ON CONFLICT (id, "timestamp") DO UPDATE SET
        chain_id = EXCLUDED.chain_id, block_number = EXCLUDED.block_number,
        block_hash = EXCLUDED.block_hash, transaction_hash = EXCLUDED.transaction_hash,
        log_index = EXCLUDED.log_index, event_type = EXCLUDED.event_type,
        registry = EXCLUDED.registry, agent_id = EXCLUDED.agent_id, data = EXCLUDED.data,
        address = EXCLUDED.address, topics = EXCLUDED.topics, log_data = EXCLUDED.log_data,
        invalidated = false
    WHERE events.invalidated OR says_otherwise(events, EXCLUDED);
$$;

-- Rows of this name that say something else than the log.
CREATE FUNCTION pg_temp.untrue() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(events.id, ' ' ORDER BY events.id), 'nothing')
    FROM events, pg_temp.truth(events.id) AS truth
    WHERE events.chain_id < 0
        AND (events.invalidated OR says_otherwise(events, truth));
$$;

-- Every column

CREATE TEMP TABLE forgeries (id text, forged jsonb);
INSERT INTO forgeries VALUES
    ('block_number', '{"block_number": 101}'), ('block_hash', '{"block_hash": "0xabcde0"}'),
    ('transaction', '{"transaction_hash": "0xbb"}'), ('log_index', '{"log_index": 4}'),
    ('event_type', '{"event_type": "newFeedback"}'), ('registry', '{"registry": "identity"}'),
    ('agent_id', '{"agent_id": 8}'), ('no agent_id', '{"agent_id": null}'),
    ('data', '{"data": {"a": {"b": [1, "X"]}}}'), ('no data', '{"data": null}'),
    ('address', '{"address": "0xcd"}'), ('no address', '{"address": null}'),
    ('topics', '{"topics": ["0xaa"]}'), ('no topics', '{"topics": null}'),
    ('topics in one', '{"topics": ["0xaa 0xbb"]}'), ('nested', '{"topics": [["0xaa", "0xbb"]]}'),
    ('log_data', '{"log_data": "0x"}'), ('no log_data', '{"log_data": null}');
DO $$
DECLARE
    it forgeries;
BEGIN
    FOR it IN SELECT * FROM forgeries LOOP
        CALL pg_temp.forge(it.id, it.forged);
    END LOOP;
END
$$;
SELECT pg_temp.is(pg_temp.untrue(), (SELECT string_agg(id, ' ' ORDER BY id) FROM forgeries),
    'a row that differs in any one column is another than the log');
SELECT pg_temp.logged() \g /dev/null
SELECT pg_temp.store(VARIADIC array_agg(id ORDER BY id)) FROM forgeries \g /dev/null
SELECT pg_temp.is(pg_temp.untrue(), 'nothing', 'and is taken over as the log is');
SELECT pg_temp.is(
    (SELECT count(*) FROM regexp_split_to_table(pg_temp.logged(), '(?<=@\d+) ') AS entry
     WHERE entry ~ '@1$'),
    (SELECT count(*) FROM forgeries), 'in one revision');
SELECT pg_temp.is(
    (SELECT count(*) FROM forgeries f JOIN superseded_events r USING (id)
     WHERE (to_jsonb(r) @> f.forged OR f.id = 'nested') AND r.revision = 0),
    (SELECT count(*) FROM forgeries), 'what each said before is kept');
SELECT pg_temp.is(
    (SELECT string_agg(id, ' ' ORDER BY id) FROM superseded_events
     WHERE id IN (SELECT id FROM forgeries) AND NOT is_corrected),
    'block_hash', 'of another block only where its hash is another');

-- Equal content

INSERT INTO events SELECT (jsonb_populate_record(pg_temp.truth('spelt otherwise'),
    '{"block_hash": "0xABCDEF", "transaction_hash": "0xBCdefA", "address": "0xCDEFab",
      "topics": ["0xAA", "0xbB"], "log_data": "0xDEFABC", "created_at": "-infinity",
      "data": {"a": {"b": [1.0, "x"]}}}')).*;
SELECT pg_temp.logged(), * FROM pg_temp.heard() \g /dev/null
SELECT pg_temp.store('spelt otherwise') \g /dev/null
SELECT pg_temp.store('spelt otherwise', 'registry') \g /dev/null
SELECT pg_temp.is(pg_temp.logged() || ' ' || pg_temp.heard_bells(), 'nothing 0',
    'a row that says the same is no revision, and rings nothing');
SELECT pg_temp.is(
    (SELECT block_hash FROM events WHERE id = 'spelt otherwise'), '0xABCDEF', 'nor is it written');

-- What was taken back

CALL pg_temp.forge('gone', '{"agent_id": 9}');
CALL pg_temp.forge('gone and true', '{}');
UPDATE events SET invalidated = true WHERE id LIKE 'gone%';
SELECT pg_temp.logged() \g /dev/null
SELECT pg_temp.store('gone', 'gone and true') \g /dev/null
SELECT pg_temp.is(pg_temp.logged() || ' ' || pg_temp.untrue(), 'gone@2 gone and true@2 nothing',
    'what had been taken back is valid again, and true, in one revision');
UPDATE events SET invalidated = true, data = NULL WHERE id = 'gone';
UPDATE events SET agent_id = 10 WHERE id = 'gone';
SELECT pg_temp.is(
    pg_temp.logged() || (SELECT format(' %s', invalidated) FROM events WHERE id = 'gone'),
    'gone@3 gone@4 t', 'one that is corrected by hand stays taken back');

-- Another chain

CALL pg_temp.forge('elsewhere', '{"chain_id": -9}');
SELECT pg_temp.logged() \g /dev/null
SELECT pg_temp.store('elsewhere') \g /dev/null
SELECT pg_temp.is(
    (SELECT string_agg(format('%s@%s %s', chain_id, revision, invalidated), ', '
        ORDER BY xid, seq) FROM event_log WHERE event_id = 'elsewhere'),
    '-9@1 t, -1@2 f', 'a row of another chain is taken back there, and comes where it belongs');
SELECT pg_temp.is(
    (SELECT format('%s %s', chain_id, revision) FROM superseded_events WHERE id = 'elsewhere'),
    '-9 0', 'and what it said is kept');
SELECT pg_temp.is(pg_temp.untrue(), 'gone', 'in one row');

-- As drawn: each column of some rows is left, spelt otherwise, or forged; before or after the log.
-- A column that says_otherwise() does not compare is found here.
SELECT setseed(0.17);
CREATE TEMP TABLE drawn AS
SELECT 'drawn ' || n AS id, draw.forged, draw.is_forged
FROM generate_series(1, 200) AS n
CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(name, value) AS forged, bool_or(kind = 2) AS is_forged
    FROM (
        SELECT name, kind, CASE kind WHEN 1 THEN spelt ELSE otherwise END AS value
        FROM (
            SELECT name, spelt, otherwise, floor(random() * 1.15 + random() * (1.15 + n * 0))::int
                AS kind
            FROM (VALUES
                ('block_number', '100'::jsonb, '99'::jsonb),
                ('block_hash', '"0xABCDEF"', '"0xabcdee"'),
                ('transaction_hash', '"0xBCDEFA"', '"0xbcdefb"'), ('log_index', '3', '2'),
                ('event_type', '"NewFeedback"', '"Other"'),
                ('registry', '"reputation"', '"Reputation"'), ('agent_id', '7.0', '70'),
                ('data', '{"a": {"b": [1e0, "x"]}}', '{"a": {"b": ["x", 1]}}'),
                ('address', '"0xCDEFAB"', '"0xcdefac"'),
                ('topics', '["0xAA", "0xBB"]', '["0xbb", "0xaa"]'),
                ('log_data', '"0xDEFABC"', '"0xdefabd"')) AS columns (name, spelt, otherwise)
        ) AS columns
        WHERE kind > 0
    ) AS told
) AS draw;
DO $$
DECLARE
    it drawn;
BEGIN
    FOR it IN SELECT * FROM drawn LOOP
        CALL pg_temp.forge(it.id, coalesce(it.forged, '{}'));
    END LOOP;
END
$$;
SELECT pg_temp.store(VARIADIC array_agg(id ORDER BY random())) FROM drawn \g /dev/null
SELECT pg_temp.is((SELECT count(*) BETWEEN 20 AND 180 FROM drawn WHERE is_forged), true,
    'some rows are forged and some are spelt otherwise');
SELECT pg_temp.is(pg_temp.untrue(), 'gone', 'whatever was there, the rows are the logs');
SELECT pg_temp.is(
    (SELECT string_agg(id, ' ') FROM drawn JOIN events USING (id)
     WHERE revision <> coalesce(is_forged, false)::int),
    NULL, 'in a revision where something was forged, and in none else');

-- By hand

UPDATE events SET data = '{"b": 1}' WHERE id = 'registry';
UPDATE events SET data = '{ "b" : 1 }' WHERE id = 'registry';
SELECT pg_temp.is(
    (SELECT format('%s %s', revision, data) FROM events WHERE id = 'registry'), '2 {"b": 1}',
    'what somebody corrects by hand is a revision like any other');
SELECT pg_temp.is(
    (SELECT max(data ->> 'a') FROM superseded_events WHERE id = 'registry' AND revision = 1),
    '{"b": [1, "x"]}', 'of which the earlier content is kept');
UPDATE events SET revision = 7 WHERE id = 'registry';
SELECT pg_temp.is((SELECT revision FROM events WHERE id = 'registry'), 2,
    'nobody sets a revision');

DELETE FROM superseded_events WHERE chain_id < 0;
CALL pg_temp.finish();

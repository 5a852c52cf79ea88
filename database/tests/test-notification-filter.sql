-- The filter `only_matching`: what some active trigger could match always rings, the rest does not.
-- Either is stored, logged and judged.
\ir tap.sql
SELECT pg_temp.plan(22);
CALL pg_temp.listen('new_event');
CALL pg_temp.open_connection('sleeper');

-- Applies a trigger as `agentauri triggers apply` does.
CREATE PROCEDURE pg_temp.apply(called text, definition jsonb, in_state text DEFAULT 'active')
LANGUAGE plpgsql AS $$
DECLARE
    new_version integer := 1 + coalesce(
        (SELECT version FROM triggers WHERE account = 'tap' AND name = called), 0);
BEGIN
    INSERT INTO triggers (id, account, name, state, version)
    VALUES (md5('tap ' || called)::uuid, 'tap', called, in_state, new_version)
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, version = excluded.version;
    INSERT INTO trigger_versions
        (trigger_id, version, lineage, definition, since, action_ids, action_versions)
    VALUES (md5('tap ' || called)::uuid, new_version, new_version, definition, 0, '{}', '{}');
    UPDATE trigger_set SET revision = revision + 1;
END
$$;

-- One event of each kind; which of them rang.
CREATE PROCEDURE pg_temp.insert_kinds() LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM events WHERE chain_id < 0;
    INSERT INTO events SELECT (pg_temp.event(
        format('%s%s%s', -chain, left(registry, 1), left(type, 1)),
        chain_id => chain, registry => registry, event_type => type)).*
    FROM unnest('{-1,-2}'::bigint[]) AS chain,
        unnest('{identity,reputation}'::text[]) AS registry,
        unnest('{Registered,NewFeedback}'::text[]) AS type
    ORDER BY chain DESC, registry, type;
END
$$;

SELECT EXISTS (SELECT FROM triggers WHERE state = 'active') AS in_use
\gset
\if :in_use
SELECT pg_temp.skip('triggers are in force here') FROM generate_series(1, 22);
CALL pg_temp.finish();
\quit
\endif

CALL pg_temp.apply('one', '{"chains": [-1], "registry": "reputation"}');
CALL pg_temp.ring('row');
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), '1iN 1iR 1rN 1rR 2iN 2iR 2rN 2rR',
    'without the filter everything rings');

CALL pg_temp.ring('row', only_matching => true);
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), '1rN 1rR', 'it knows the triggers from before it was set');
SELECT pg_temp.is((SELECT count(*) FROM event_log WHERE chain_id < 0 AND revision = 0) >= 16, true,
    'and what does not ring is logged like any other');

CALL pg_temp.apply('one', '{"chains": [-2]}');
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), '2iN 2iR 2rN 2rR', 'a chain');
CALL pg_temp.apply('one', '{"registry": "identity"}');
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), '1iN 1iR 2iN 2iR', 'a registry');
CALL pg_temp.apply('one', '{"events": ["NewFeedback"]}');
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), '1iN 1rN 2iN 2rN', 'an event');
CALL pg_temp.apply('one', '{"chains": [-1], "events": ["AgentRegistered"]}');
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), '1iR 1rR', 'AgentRegistered, as the chain calls it');
CALL pg_temp.apply('one', '{"agents": ["42"], "registry": "identity"}');
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), '1iN 1iR 2iN 2iR', 'whatever the agent: a look too many');
CALL pg_temp.apply('one', '{"when": "count(10m) >= 5", "events": ["NewFeedback"]}');
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), '1iN 1rN 2iN 2rN', 'whatever the condition, state or not');
CALL pg_temp.apply('one', '{"chains": [-1, -2], "registry": "identity",
    "events": ["NewFeedback", "Nobody"]}');
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), '1iN 2iN', 'lists, all of them together');
CALL pg_temp.apply('one', '{"match_all": true}');
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), '1iN 1iR 1rN 1rR 2iN 2iR 2rN 2rR',
    'a trigger of everything');

CALL pg_temp.apply('one', '{"chains": [-1], "registry": "identity", "events": ["Registered"]}');
CALL pg_temp.apply('other', '{"chains": [-2], "registry": "reputation"}');
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), '1iR 2rN 2rR', 'two triggers: what either could match');
SET session_replication_role = replica;
CALL pg_temp.insert_kinds();
SET session_replication_role = origin;
SELECT pg_temp.is(pg_temp.heard_ids(), '1iR 2rN 2rR', 'in the replica role as well');
CALL pg_temp.apply('other', '{}', 'disabled');
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), '1iR', 'a disabled trigger rings no bell');
CALL pg_temp.apply('one', '{"match_all": true}', 'removed');
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), 'nothing', 'nor does one that was removed');

-- Nonsense that somebody wrote into the table fails nothing, and is too wide, never too narrow.
CALL pg_temp.apply('one', '{"chains": "all", "events": {"a": 1}}');
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), '1iN 1iR 1rN 1rR 2iN 2iR 2rN 2rR',
    'selectors that do not read are taken for everything');
CALL pg_temp.apply('one', '{"chains": [], "registry": null, "events": [null]}');
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), '1iN 1iR 1rN 1rR 2iN 2iR 2rN 2rR', 'empty ones, too');
CALL pg_temp.apply('one', '{"chains": [-1, 1e400, "x", -1], "registry": "identity"}');
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), '1iN 1iR', 'what reads of a list is taken');
CALL pg_temp.apply('one', '[]');
SELECT pg_temp.is(pg_temp.outcome($$INSERT INTO events SELECT * FROM pg_temp.event('x')$$),
    'accepted', 'a definition that is none fails no INSERT');

-- Beside the other settings
CALL pg_temp.apply('one', '{"chains": [-1], "registry": "identity", "events": ["Registered"]}');
CALL pg_temp.ring('gated', only_matching => true);
SELECT pg_temp.elsewhere('sleeper', 'SELECT shut_notification_gate()')
\g /dev/null
SELECT count(*) FROM pg_temp.heard()
\g /dev/null
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), '1iR', 'gated: a statement rings for what could match');
CALL pg_temp.ring('off', only_matching => true);
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), 'nothing', 'off: nothing rings');
CALL pg_temp.apply('one', '{"chains": [-2]}');
CALL pg_temp.ring('row');
CALL pg_temp.apply('one', '{"chains": [-1]}');
CALL pg_temp.ring('row', only_matching => true);
CALL pg_temp.insert_kinds();
SELECT pg_temp.is(pg_temp.heard_ids(), '1iN 1iR 1rN 1rR',
    'set again, it knows what changed while it was not');

CALL pg_temp.finish();

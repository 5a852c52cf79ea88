-- Nothing that a path leads to runs in place of what is meant. Here it leads first to a schema, and
-- before that to the session's temporary one, that hold another of every name that our functions
-- use: functions, operators and types that fail where they are used, and tables like ours.
\ir tap.sql
SELECT pg_temp.plan(8);

CREATE FUNCTION pg_temp.ours() RETURNS SETOF pg_proc LANGUAGE sql AS $$
    SELECT p.* FROM pg_proc p
    WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS (
        SELECT FROM pg_depend
        WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e');
$$;
CREATE TEMP TABLE tap_tables AS
SELECT relname AS name FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p');

-- A function of the arguments given that says it was run.
CREATE PROCEDURE pg_temp.shadow_function(name text, arguments text, result text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE FUNCTION tap_hostile.%I(%s) RETURNS %s LANGUAGE plpgsql AS
         $body$ BEGIN RAISE EXCEPTION %L USING ERRCODE = ''HACKD''; END $body$',
        name, arguments, result, format('ran the hostile %s(%s)', name, arguments));
EXCEPTION WHEN duplicate_function OR invalid_function_definition OR feature_not_supported THEN
    -- Two of PostgreSQL's own differ in what is not told apart here, or cannot be written in it.
    NULL;
END
$$;

-- Of each name that stands in the text of a function of ours, all that PostgreSQL has.
CREATE PROCEDURE pg_temp.shadow_functions() LANGUAGE plpgsql AS $$
DECLARE
    sources text := (SELECT string_agg(pg_get_functiondef(oid), ' ') FROM pg_temp.ours());
    theirs record;
BEGIN
    FOR theirs IN
        SELECT proname, pg_get_function_identity_arguments(oid) AS arguments,
            pg_get_function_result(oid) AS result
        FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f'
            AND sources ~ ('\m' || proname || '\(')
    LOOP
        CALL pg_temp.shadow_function(theirs.proname, theirs.arguments, theirs.result);
    END LOOP;
    -- What PostgreSQL declares for arguments of any type, for the types that ours are.
    CALL pg_temp.shadow_function('json_build_object',
        'text, text, text, bigint, text, bigint, text, text, text, text', 'json');
    CALL pg_temp.shadow_function('format', 'text, text', 'text');
    CALL pg_temp.shadow_function('format', 'text, text, text, text', 'text');
    CALL pg_temp.shadow_function('array_agg', 'public.event_log', 'public.event_log[]');
    CALL pg_temp.shadow_function('cardinality', 'bigint[]', 'integer');
    CALL pg_temp.shadow_function('unnest', 'bigint[]', 'SETOF bigint');
    CALL pg_temp.shadow_function('pg_column_size', 'jsonb', 'integer');
    CALL pg_temp.shadow_function('pg_column_compression', 'jsonb', 'text');
    CALL pg_temp.shadow_function('num_nonnulls', 'text, bigint, integer, boolean', 'integer');
END
$$;

-- Each operator for each pair of the types that ours are: a pair that PostgreSQL lacks would fit a
-- call better than its own, which converts.
CREATE PROCEDURE pg_temp.shadow_operators() LANGUAGE plpgsql AS $$
DECLARE
    types CONSTANT text[] :=
        '{integer,bigint,numeric,double precision,text,jsonb,oid,xid8}';
    symbol text;
    kind record;
BEGIN
    FOR kind IN
        SELECT a, b, row_number() OVER () AS n FROM unnest(types) AS a, unnest(types) AS b
    LOOP
        CALL pg_temp.shadow_function('compares_' || kind.n, kind.a || ', ' || kind.b, 'boolean');
        CALL pg_temp.shadow_function('makes_' || kind.n, kind.a || ', ' || kind.b, 'text');
        FOREACH symbol IN ARRAY '{=,<>,<,>,<=,>=,~,?,@>}'::text[] LOOP
            EXECUTE format(
                'CREATE OPERATOR tap_hostile.%s (FUNCTION = tap_hostile.compares_%s,
                     LEFTARG = %s, RIGHTARG = %s)', symbol, kind.n, kind.a, kind.b);
        END LOOP;
        FOREACH symbol IN ARRAY '{||,+,-,*,/,%,&,->,->>}'::text[] LOOP
            EXECUTE format(
                'CREATE OPERATOR tap_hostile.%s (FUNCTION = tap_hostile.makes_%s,
                     LEFTARG = %s, RIGHTARG = %s)', symbol, kind.n, kind.a, kind.b);
        END LOOP;
    END LOOP;
END
$$;

CREATE PROCEDURE pg_temp.shadow_tables(in_schema name) LANGUAGE plpgsql AS $$
DECLARE
    shadowed name;
BEGIN
    FOR shadowed IN SELECT name FROM pg_temp.tap_tables LOOP
        EXECUTE format('CREATE TABLE %I.%I (LIKE public.%2$I)', in_schema, shadowed);
    END LOOP;
END
$$;

DROP SCHEMA IF EXISTS tap_hostile, tap_ponder, tap_next CASCADE;
-- On a hypertable, a chunk for each week written below: how one is made is looked at by itself.
INSERT INTO events SELECT * FROM pg_temp.event('week 1');
INSERT INTO events SELECT * FROM pg_temp.event('week 2', "timestamp" => 80000000);
CREATE SCHEMA tap_hostile;
GRANT USAGE ON SCHEMA tap_hostile TO PUBLIC;
CALL pg_temp.shadow_functions();
CALL pg_temp.shadow_operators();
CALL pg_temp.shadow_tables('tap_hostile');
SELECT format('CREATE DOMAIN tap_hostile.%1$I AS pg_catalog.%1$I CHECK (false)', name)
FROM unnest('{text,int8,int4,bool,json,jsonb,regclass,xid8,oid,name}'::name[]) AS name \gexec
SELECT pg_temp.is(
    (SELECT count(*) > 50 FROM pg_proc
     WHERE pronamespace = 'tap_hostile'::regnamespace AND proname !~ '^(makes|compares)_'),
    true, 'the hostile schema has the functions that ours name');

-- All that an INSERT, an UPDATE and our processes do in the database.
CREATE TEMP TABLE tap_deeds (place serial, deed text);
INSERT INTO tap_deeds (deed) VALUES
    ($$INSERT INTO public.events (id, chain_id, block_number, block_hash, transaction_hash,
           log_index, event_type, registry, "timestamp", data)
       VALUES ('deed 1', -1, 1, '0xaa', '0xbb', 0, 'NewFeedback', 'reputation', 31536000, '{}'),
              ('deed 2', -1, 1, '0xaa', '0xbb', 1, 'Registered', 'identity', 80000000, NULL)$$),
    ($$INSERT INTO public.events (id, chain_id, block_number, block_hash, transaction_hash,
           log_index, event_type, registry, "timestamp")
       VALUES ('deed 1', -1, 1, '0xcc', '0xbb', 0, 'NewFeedback', 'reputation', 31536000),
              ('deed 3', -2, 1, '0xcc', '0xbb', 1, 'Registered', 'my own', 31536000)
       ON CONFLICT DO NOTHING$$),
    ($$INSERT INTO public.events (id, chain_id, block_number, block_hash, transaction_hash,
           log_index, event_type, registry, "timestamp")
       VALUES ('deed 1', -1, 1, '0xcc', '0xbb', 0, 'NewFeedback', 'reputation', 31536000)
       ON CONFLICT (id, "timestamp") DO UPDATE SET block_hash = EXCLUDED.block_hash$$),
    (format($$INSERT INTO public.events (id, chain_id, block_number, block_hash, transaction_hash,
           log_index, event_type, registry, "timestamp", data)
       VALUES ('deed 4', -1, 1, '0xaa', '0xbb', 2, 'NewFeedback', 'reputation', 31536000, %L)$$,
        '[' || repeat('12345678901234567890,', 300) || '1]')),
    -- As the processor does, whose path the CHECK's function does not fix.
    (format($$DO $do$ BEGIN PERFORM public.arguments_text(%L); END $do$ $$,
        '[' || repeat('12345678901234567890,', 300) || '1]')),
    ($$INSERT INTO public.chain_list VALUES (-1), (-2)$$),
    ($$INSERT INTO public.events (id, chain_id, block_number, block_hash, transaction_hash,
           log_index, event_type, registry, "timestamp")
       VALUES ('deed 5', -1, 1, '0xaa', '0xbb', 3, 'NewFeedback', 'reputation', 31536000)$$),
    ($$DELETE FROM public.chain_list$$),
    ($$UPDATE public.events SET invalidated = true WHERE chain_id OPERATOR(pg_catalog.<) 0$$),
    ($$INSERT INTO public.waiting_events VALUES
           (-1, 'safe', 1, 0, 'deed 1', 31536000, 2, 0,
            '{00000000-0000-0000-0000-000000000000}')$$),
    ($$INSERT INTO public.checkpoints (chain_id, block_number, block_hash) VALUES (-1, 1, '0x')
       ON CONFLICT (chain_id) DO UPDATE SET block_hash = EXCLUDED.block_hash$$),
    ($$UPDATE public.checkpoints SET block_number = 2 WHERE chain_id OPERATOR(pg_catalog.=) -1$$),
    ($$INSERT INTO public.chain_heights
       VALUES (-1, 'safe', 1, '0x', NULL, false), (-1, 'finalized', 1, '0x', NULL, true)$$),
    ($$UPDATE public.chain_heights SET block_number = 2, is_guess = false
       WHERE chain_id OPERATOR(pg_catalog.=) -1$$),
    ($$DELETE FROM public.chain_heights WHERE chain_id OPERATOR(pg_catalog.=) -1$$),
    ($$UPDATE public.trigger_set SET revision = revision$$),
    ($$UPDATE public.notification_settings SET mode = mode$$),
    ($$DO $do$ BEGIN PERFORM public.claim_shards('{-1,-2}', 100, 1000000); END $do$ $$),
    ($$DO $do$ BEGIN PERFORM public.log_is_restored(); END $do$ $$),
    ($$DO $do$ BEGIN PERFORM public.shut_notification_gate(); END $do$ $$),
    ($$DO $do$ BEGIN PERFORM public.open_notification_gate(); END $do$ $$);

-- And what Ponder and an operator do.
INSERT INTO tap_deeds (deed) VALUES
    ($$DO $do$ BEGIN PERFORM public.ring_event_log(), public.ring_for_waiting_events(-1),
           public.refresh_notification_filter(), public.refuse_foreign_bounds(); END $do$ $$),
    ($$DO $do$ BEGIN PERFORM public.ponder_start(
           'tap_ponder', -1, true, 0, '{identity,reputation}', '{0xdd}'); END $do$ $$),
    ($$DO $do$ BEGIN PERFORM public.ponder_attach('tap_ponder'); END $do$ $$),
    ($$DO $do$ BEGIN PERFORM public.ponder_rights('tap_ponder'),
           public.ponder_contradict('tap_ponder', -1, 0),
           public.lock_chain(-1), public.set_checkpoint(-1, 1, '0xaa', 31536000),
           public.remember_orphaned('{}', 0, '{0xb1}', true),
           public.ponder_is_writing(-1), public.ponder_refuse_replacing(-1, 1, '0xa1'),
           public.follow_reorg(-1, 'indexer', NULL, NULL, 0, '0x', 0, '{0xb1}', true,
               true, true, true),
           public.ponder_take_back_forged('tap_ponder', -1, NULL, 9, 0); END $do$ $$),
    ($$DO $do$ BEGIN PERFORM public.give_to_owner(); END $do$ $$),
    ($$INSERT INTO tap_ponder.cursor VALUES (-1, 1, '0xa1', '0x', 31536000)$$),
    ($$INSERT INTO tap_ponder.registry_event VALUES ('-1-0xa1-0', -1, 1, '0xa1', '0xcc', 0,
           'unknown', 'identity', 31536000, '7', '{}', '0xdd', '0x1 0x2', '0x')$$),
    ($$SET CONSTRAINTS ALL IMMEDIATE$$),
    ($$SET CONSTRAINTS ALL DEFERRED$$),
    ($$DO $do$ BEGIN PERFORM public.invalidate_blocks(-1, 1, 1, '{0xa1}', true); END $do$ $$),
    ($$DELETE FROM tap_ponder.registry_event$$),
    ($$UPDATE tap_ponder.cursor SET block_number = 0, block_hash = '0xa0'$$),
    ($$UPDATE tap_ponder.cursor SET block_number = 1, block_hash = '0xb1'$$),
    ($$SET CONSTRAINTS ALL IMMEDIATE$$),
    ($$DO $do$ BEGIN PERFORM public.ponder_report('tap_ponder', 1, '0xb1', 1, '0xb1'),
           public.raise_chain_height(-1, 'tap_ponder', 'safe', 1, '0xb1', false),
           public.raise_chain_height(-1, 'tap_ponder', 'finalized', 1, '0xb1', false),
           public.leaves_finalized(-1, 0, '{0xb1}', true); END $do$ $$),
    ($$DO $do$ BEGIN PERFORM public.ponder_start('tap_next', -1, true, 0); END $do$ $$),
    ($$DO $do$ BEGIN PERFORM public.ponder_take_over('tap_next'); END $do$ $$),
    ($$DO $do$ BEGIN PERFORM public.ponder_forget('tap_ponder'); END $do$ $$),
    ($$DO $do$ BEGIN PERFORM public.ponder_trim_caches(-1, 1); END $do$ $$),
    ($$DO $do$ BEGIN PERFORM public.ponder_reset(-1); END $do$ $$),
    ($$UPDATE public.log_origin SET xid = '1'$$),
    ($$DO $do$ BEGIN PERFORM public.renumber_restored_log(); END $do$ $$);
CREATE SCHEMA tap_ponder;
CREATE TABLE tap_ponder.registry_event (
    id TEXT PRIMARY KEY, chain_id BIGINT, block_number BIGINT, block_hash TEXT,
    transaction_hash TEXT, log_index INTEGER, event_type TEXT, registry TEXT, "timestamp" BIGINT,
    agent_id TEXT, data TEXT, address TEXT, topics TEXT, log_data TEXT);
CREATE TABLE tap_ponder.cursor (
    chain_id BIGINT PRIMARY KEY, block_number BIGINT, block_hash TEXT, parent_hash TEXT,
    "timestamp" BIGINT);
CREATE SCHEMA ponder_sync;
CREATE TABLE ponder_sync.blocks (chain_id BIGINT);
INSERT INTO ponder_sync.blocks VALUES (-1), (-1);
CREATE SCHEMA tap_next;
CREATE TABLE tap_next.registry_event (LIKE tap_ponder.registry_event INCLUDING ALL);

-- Does one deed, and says what went wrong.
CREATE FUNCTION pg_temp.done(deed text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE deed;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN pg_catalog.concat(deed, ' -> ', SQLERRM, ' ', SQLSTATE);
END
$$;
-- The same where each name leads to the hostile ones.
CREATE FUNCTION pg_temp.done_among_them(deed text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_temp, tap_hostile, public, pg_catalog AS $$
BEGIN
    EXECUTE deed;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN pg_catalog.concat(deed, ' -> ', SQLERRM, ' ', SQLSTATE);
END
$$;

-- What fails first of all that is done, after the statements given. Nothing of it stays.
CREATE FUNCTION pg_temp.failure(
    first text, among_them boolean DEFAULT true, temporary_too boolean DEFAULT false,
    role text DEFAULT 'origin'
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    failed text;
    deeds CONSTANT text[] := ARRAY(SELECT deed FROM pg_temp.tap_deeds ORDER BY place);
    deed text;
BEGIN
    EXECUTE first;
    IF temporary_too THEN
        CALL pg_temp.shadow_tables('pg_temp');
    END IF;
    PERFORM set_config('session_replication_role', role, true);
    FOREACH deed IN ARRAY deeds LOOP
        IF among_them THEN
            failed := pg_temp.done_among_them(deed);
        ELSE
            failed := pg_temp.done(deed);
        END IF;
        EXIT WHEN failed IS NOT NULL;
    END LOOP;
    RAISE EXCEPTION USING ERRCODE = 'TAPOK';
EXCEPTION WHEN SQLSTATE 'TAPOK' THEN
    RETURN failed;
END
$$;

-- Every way of ringing: asked with a sleeper behind the gate.
CREATE TEMP TABLE tap_ways AS
SELECT mode, registry_channels, chain_channels, only_matching
FROM unnest('{gated,row,off}'::text[]) AS mode, unnest('{t,f}'::boolean[]) AS registry_channels,
    unnest('{t,f}'::boolean[]) AS chain_channels, unnest('{t,f}'::boolean[]) AS only_matching;
CALL pg_temp.listen('new_event', 'event_log', 'new_event_reputation', 'new_event_identity',
    'new_event_my own', 'new_event_-1', 'new_event_-2', 'notification_settings');
CALL pg_temp.open_connection('sleeper');
SELECT pg_temp.elsewhere('sleeper', 'SELECT shut_notification_gate()') \g /dev/null
INSERT INTO triggers (id, account, name, version)
VALUES ('00000000-0000-0000-0000-000000000001', 'tap', 'tap', 1);
INSERT INTO trigger_versions (
    trigger_id, version, definition, since, lineage, action_ids, action_versions)
VALUES ('00000000-0000-0000-0000-000000000001', 1,
    '{"chains": [-1, -2], "registry": "reputation", "events": ["NewFeedback"]}', 0, 1, '{}', '{}');
UPDATE trigger_set SET revision = revision + 1;

CREATE FUNCTION pg_temp.set_of(ways pg_temp.tap_ways) RETURNS text LANGUAGE sql AS $$
    SELECT format('UPDATE public.notification_settings SET mode = %L, registry_channels = %L,
        chain_channels = %L, only_matching = %L', ways.mode, ways.registry_channels,
        ways.chain_channels, ways.only_matching);
$$;

SELECT pg_temp.is(
    (SELECT string_agg(pg_temp.failure(pg_temp.set_of(w), among_them => false), E'\n')
     FROM tap_ways w WHERE registry_channels AND chain_channels), NULL,
    'all is done where nothing is hostile');
SELECT pg_temp.is(
    (SELECT string_agg(DISTINCT pg_temp.failure(pg_temp.set_of(w)), E'\n') FROM tap_ways w), NULL,
    'no hostile name is run, in any mode and setting');
SELECT pg_temp.is(
    (SELECT string_agg(DISTINCT
         pg_temp.failure(pg_temp.set_of(w), temporary_too => true, role => 'replica'), E'\n')
     FROM tap_ways w WHERE registry_channels AND chain_channels), NULL,
    'nor in the replica role, nor where temporary tables have the names of ours');

SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'events'::regclass) AS has_chunks
\gset
-- Each function of ours as it would be if it trusted the path, one at a time.
CREATE FUNCTION pg_temp.trusting(ours pg_proc) RETURNS text LANGUAGE sql AS $$
    SELECT CASE
        WHEN ours.proconfig::text LIKE '%search_path%' THEN
            regexp_replace(pg_get_functiondef(ours.oid), E'\n SET search_path [^\n]+', '')
        ELSE regexp_replace(
            regexp_replace(pg_get_functiondef(ours.oid), 'OPERATOR\(([^)]+)\)', '\1', 'g'),
            'pg_catalog\.', '', 'g')
    END;
$$;
CREATE TEMP TABLE tap_mutants AS
SELECT proname AS name, pg_temp.trusting(p) AS definition FROM pg_temp.ours() AS p
WHERE pg_temp.trusting(p) <> pg_get_functiondef(p.oid);
SELECT pg_temp.is((SELECT count(*) > 25 FROM tap_mutants), true, 'most functions have such a twin');
SELECT pg_temp.is(
    (SELECT string_agg(m.name, ' ' ORDER BY m.name) FROM tap_mutants m
     WHERE NOT EXISTS (
         SELECT FROM tap_ways w, unnest('{origin,replica}'::text[]) AS role
         WHERE registry_channels AND chain_channels AND only_matching
             AND pg_temp.failure(pg_temp.set_of(w) || ';' || m.definition, role => role)
                 IS NOT NULL)),
    -- Two name nothing but what is ours, one only catalogs, which no hostile name is like; the
    -- other is attached on a hypertable alone.
    concat_ws(' ', 'arguments_are_readable',
        CASE WHEN NOT :'has_chunks'::boolean THEN 'notify_replicated_events' END,
        'ponder_caches', 'ponder_doubt_events'), 'each that trusts the path is found');

-- What is logged and heard, the deeds done as a writer that is not the owner.
CREATE ROLE tap_writer;
GRANT INSERT ON events TO tap_writer;
CREATE FUNCTION pg_temp.said() RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.logged() || E'\n'
        || (SELECT coalesce(string_agg(channel || payload, E'\n'), '') FROM pg_temp.heard());
$$;
CREATE PROCEDURE pg_temp.say_each_way(among_them boolean, INOUT said text) LANGUAGE plpgsql AS $$
DECLARE
    way pg_temp.tap_ways;
    deeds CONSTANT text[] := ARRAY(SELECT deed FROM pg_temp.tap_deeds ORDER BY place LIMIT 2);
    deed text;
    failed text;
BEGIN
    FOR way IN SELECT * FROM pg_temp.tap_ways ORDER BY 1, 2, 3, 4 LOOP
        EXECUTE pg_temp.set_of(way);
        COMMIT;
        PERFORM pg_temp.said();
        SET LOCAL ROLE tap_writer;
        FOREACH deed IN ARRAY deeds LOOP
            IF among_them THEN
                failed := pg_temp.done_among_them(deed);
            ELSE
                failed := pg_temp.done(deed);
            END IF;
            said := concat(said, failed);
        END LOOP;
        COMMIT;
        said := concat(said, way, E'\n', pg_temp.said(), E'\n');
        DELETE FROM events WHERE id LIKE 'deed%';
        COMMIT;
    END LOOP;
END
$$;
CALL pg_temp.say_each_way(false, NULL)
\gset usual_
CALL pg_temp.say_each_way(true, NULL)
\gset hostile_
SELECT pg_temp.is(:'hostile_said', :'usual_said',
    'a writer''s path changes nothing of what is logged and heard');
SELECT pg_temp.is(regexp_count(:'usual_said', 'deed 1@0') || ' '
        || (regexp_count(:'usual_said', '"event_id" : "deed 1"') > 30),
    '24 true', 'which is an entry of the log and its bells each time');

DROP SCHEMA tap_hostile, tap_ponder, tap_next, ponder_sync CASCADE;
CALL pg_temp.finish();

-- How far a role gets that was let in no further: without any grant, with CONNECT and TEMP, which
-- PostgreSQL gives to PUBLIC, and with INSERT on `events`. All that there is of ours is asked for,
-- so what a later migration makes is, too; each check is shown to find a fault that is planted.
\ir tap.sql
SELECT pg_temp.plan(20);
CREATE ROLE tap_stranger;
CREATE ROLE tap_writer;
GRANT INSERT ON events TO tap_writer;
-- Two weeks, so two chunks on a hypertable.
INSERT INTO events SELECT * FROM pg_temp.event('one');
INSERT INTO events SELECT * FROM pg_temp.event('two', "timestamp" => 50000000);

-- Our functions, without an extension's and those that lie in TimescaleDB's schemas.
CREATE FUNCTION pg_temp.ours() RETURNS SETOF pg_proc LANGUAGE sql AS $$
    SELECT p.* FROM pg_proc p
    WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS (
        SELECT FROM pg_depend
        WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e');
$$;

CREATE FUNCTION pg_temp.callable_by(who name) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(proname, ' ' ORDER BY proname COLLATE "C") FROM pg_temp.ours()
    WHERE has_function_privilege(who, oid, 'EXECUTE');
$$;

CREATE FUNCTION pg_temp.callable_as_owner_by(who name) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(proname, ' ' ORDER BY proname COLLATE "C") FROM pg_temp.ours()
    WHERE has_function_privilege(who, oid, 'EXECUTE') AND prosecdef;
$$;

SELECT pg_temp.is(pg_temp.callable_as_owner_by('public'), 'could_match',
    'PUBLIC executes no function that runs as the owner, but could_match');
SELECT pg_temp.is(pg_temp.callable_by('public'),
    'arguments_are_readable arguments_text comparable_hash could_match differing_columns '
    'is_invalid_now is_worth_a_bell next_revision notification_chain_channels notification_mode '
    'notification_only_matching notification_registry_channels refuse_impossible '
    'revisions_between ring_new_event says_otherwise somebody_sleeps',
    'PUBLIC executes what an INSERT or an UPDATE calls as its writer');
SELECT pg_temp.is(pg_temp.callable_by('tap_writer'), pg_temp.callable_by('public'),
    'a writer executes no more than that');
BEGIN;
GRANT EXECUTE ON FUNCTION log_checkpoint TO PUBLIC;
CREATE FUNCTION tap_planted() RETURNS void LANGUAGE sql SECURITY DEFINER AS '';
SELECT pg_temp.is(pg_temp.callable_as_owner_by('public'),
    'could_match log_checkpoint tap_planted', 'one that is granted again, or new, is found');
ROLLBACK;

-- An operator or a function of somebody else would run as the owner.
CREATE FUNCTION pg_temp.with_an_open_path() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(proname, ' ' ORDER BY proname COLLATE "C") FROM pg_temp.ours()
    WHERE prosecdef
        AND NOT coalesce(proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}';
$$;
SELECT pg_temp.is(pg_temp.with_an_open_path(), NULL,
    'whatever runs as the owner finds its names in pg_catalog alone');
BEGIN;
ALTER FUNCTION log_chain_height RESET search_path;
ALTER FUNCTION log_checkpoint SET search_path = public, pg_temp;
SELECT pg_temp.is(pg_temp.with_an_open_path(), 'log_chain_height log_checkpoint',
    'a path that is missing or leads elsewhere is found');
ROLLBACK;

-- A temporary table with the columns that our trigger functions read, of a type that turns into
-- each of theirs by a cast of its maker's: it says as whom it was run.
CREATE FUNCTION pg_temp.make_bait() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    target text;
BEGIN
    CREATE TYPE pg_temp.anything AS (of_its_maker text);
    FOREACH target IN ARRAY '{bigint,integer,text,boolean}'::text[] LOOP
        EXECUTE format(
            'CREATE FUNCTION pg_temp.turn_%1$s(pg_temp.anything) RETURNS %1$s LANGUAGE plpgsql AS
             $turn$ BEGIN RAISE EXCEPTION ''run as %%'', current_user USING ERRCODE = ''HACKD'';
             END $turn$', target);
        EXECUTE format(
            'CREATE CAST (pg_temp.anything AS %1$s)
             WITH FUNCTION pg_temp.turn_%1$s(pg_temp.anything) AS ASSIGNMENT', target);
    END LOOP;
    CREATE TEMP TABLE bait (
        id pg_temp.anything, chain_id pg_temp.anything, block_number pg_temp.anything,
        block_hash pg_temp.anything, log_index pg_temp.anything, "timestamp" pg_temp.anything,
        revision pg_temp.anything, invalidated pg_temp.anything, is_guess boolean DEFAULT false,
        event_type pg_temp.anything, registry pg_temp.anything);
    INSERT INTO pg_temp.bait DEFAULT VALUES;
END
$$;

-- Each way to attach a trigger function: those with the transition tables that ours read, too.
CREATE FUNCTION pg_temp.ways() RETURNS TABLE (way text) LANGUAGE sql AS $$
    VALUES ('AFTER INSERT ON pg_temp.bait FOR EACH ROW'),
        ('AFTER UPDATE OR DELETE ON pg_temp.bait FOR EACH ROW'),
        ('BEFORE INSERT OR UPDATE OR DELETE ON pg_temp.bait FOR EACH ROW'),
        ('AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pg_temp.bait FOR EACH STATEMENT'),
        ('AFTER INSERT ON pg_temp.bait REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT'),
        ('AFTER INSERT ON pg_temp.bait REFERENCING NEW TABLE AS changed FOR EACH STATEMENT'),
        ('AFTER UPDATE ON pg_temp.bait REFERENCING OLD TABLE AS earlier NEW TABLE AS later
          FOR EACH STATEMENT');
$$;

-- What came of attaching each trigger function that `which` is true of, and of writing the table
-- then: each outcome once, with the function where it is neither of those that are expected.
CREATE FUNCTION pg_temp.attached(which boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    function name;
    attaching text;
    writing text;
    came text;
    outcomes text[] := '{}';
BEGIN
    FOR function, attaching IN
        SELECT proname, way FROM pg_temp.ours(), pg_temp.ways()
        WHERE prorettype = 'trigger'::regtype AND (prosecdef OR NOT which)
    LOOP
        FOREACH writing IN ARRAY ARRAY[
            'INSERT INTO pg_temp.bait SELECT * FROM pg_temp.bait LIMIT 1',
            'UPDATE pg_temp.bait SET is_guess = false', 'DELETE FROM pg_temp.bait'] LOOP
            came := pg_temp.outcome(format(
                'DO $try$ BEGIN CREATE TRIGGER tap_attached %s EXECUTE FUNCTION public.%I();
                 %s; END $try$', attaching, function, writing));
            CONTINUE WHEN came = 'accepted'
                AND position(split_part(writing, ' ', 1) IN attaching) = 0;
            outcomes := outcomes || CASE WHEN came IN ('42501', '42809') THEN came
                ELSE concat_ws(' ', function, came) END;
        END LOOP;
    END LOOP;
    RETURN (SELECT string_agg(DISTINCT outcome, ', ') FROM unnest(outcomes) AS outcome);
END
$$;

BEGIN;
SET LOCAL ROLE tap_stranger;
SELECT pg_temp.make_bait() \g /dev/null
SELECT pg_temp.is(pg_temp.attached(false), '42501',
    'a role with CONNECT and TEMP attaches no trigger function of ours to a table of its own');
ROLLBACK;
BEGIN;
SET LOCAL ROLE tap_writer;
SELECT pg_temp.make_bait() \g /dev/null
SELECT pg_temp.is(pg_temp.attached(false), '42501', 'nor does one with INSERT on events');
ROLLBACK;

-- The second door behind the first: whatever may be attached again serves no table but its own.
BEGIN;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO tap_writer;
SET LOCAL ROLE tap_writer;
SELECT pg_temp.make_bait() \g /dev/null
SELECT pg_temp.is(pg_temp.attached(true), '42809',
    'a trigger function that runs as the owner refuses a foreign table, before it reads it');
RESET ROLE;
CREATE OR REPLACE FUNCTION log_checkpoint() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.event_log (chain_id, checkpoint_block)
    VALUES (NEW.chain_id, NEW.block_number);
    RETURN NULL;
END
$$;
SET LOCAL ROLE tap_writer;
SELECT pg_temp.is(pg_temp.attached(true) LIKE '%log_checkpoint HACKD%', true,
    'one without that guard is found, by the cast that it runs');
ROLLBACK;

-- All that a role may do with what is ours: relations, columns and sequences, in each schema that
-- it may look into; schemas and the database.
CREATE FUNCTION pg_temp.reached_by(who name) RETURNS text LANGUAGE sql AS $$
    WITH relations AS (
        SELECT c.oid, relkind, format('%s', c.oid::regclass) AS name FROM pg_class c
        WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
            AND (relnamespace = 'public'::regnamespace OR c.oid IN (
                SELECT inhrelid FROM pg_inherits WHERE inhparent = 'public.events'::regclass))
            AND has_schema_privilege(who, relnamespace, 'USAGE')
            AND NOT EXISTS (
                SELECT FROM pg_depend
                WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
    ), reached (line) AS (
        SELECT name || ' ' || privilege FROM relations, unnest(
            '{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS privilege
        WHERE relkind <> 'S' AND has_table_privilege(who, oid, privilege)
        UNION ALL
        SELECT name || ' columns ' || privilege FROM relations, unnest(
            '{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) AS privilege
        WHERE relkind <> 'S' AND has_any_column_privilege(who, oid, privilege)
            AND NOT has_table_privilege(who, oid, privilege)
        UNION ALL
        SELECT name || ' ' || privilege FROM relations,
            unnest('{USAGE,SELECT,UPDATE}'::text[]) AS privilege
        WHERE CASE relkind WHEN 'S' THEN has_sequence_privilege(who, oid, privilege) END
        UNION ALL
        SELECT nspname || ' CREATE' FROM pg_namespace
        WHERE nspname !~ '^pg_' AND has_schema_privilege(who, oid, 'CREATE')
        UNION ALL
        SELECT nspname || ' USAGE' FROM pg_namespace
        WHERE nspname = 'event_chunks' AND has_schema_privilege(who, oid, 'USAGE')
        UNION ALL
        SELECT 'database CREATE' WHERE has_database_privilege(who, current_database(), 'CREATE')
    )
    SELECT coalesce(string_agg(line, ', ' ORDER BY line COLLATE "C"), 'nothing') FROM reached;
$$;

SELECT pg_temp.is(pg_temp.reached_by('tap_stranger'), 'nothing',
    'a role without a grant reaches nothing of ours');
SELECT pg_temp.is(pg_temp.reached_by('public'), 'nothing', 'nor does PUBLIC');
SELECT pg_temp.is(pg_temp.reached_by('tap_writer'), 'events INSERT',
    'a role with INSERT on events reaches that, and nothing else');
BEGIN;
GRANT SELECT (id) ON jobs TO PUBLIC;
GRANT UPDATE ON shard_cursors TO tap_stranger;
GRANT USAGE ON SEQUENCE event_log_seq_seq TO tap_stranger;
CREATE VIEW tap_view AS TABLE event_log;
GRANT SELECT ON tap_view TO PUBLIC;
GRANT CREATE ON SCHEMA public TO PUBLIC;
SELECT pg_temp.is(pg_temp.reached_by('tap_stranger'),
    'event_log_seq_seq USAGE, jobs columns SELECT, public CREATE, shard_cursors UPDATE, '
    'tap_view SELECT', 'a grant on any of it is found');
ROLLBACK;

-- What the grants say, tried.
SET ROLE tap_stranger;
SELECT pg_temp.is(
    (SELECT string_agg(DISTINCT pg_temp.outcome(deed), ' ') FROM unnest(ARRAY[
        'UPDATE events SET invalidated = true', 'INSERT INTO events DEFAULT VALUES',
        'INSERT INTO checkpoints VALUES (-1, 1, $$0x$$)', 'DELETE FROM chain_heights',
        'INSERT INTO event_log (chain_id, finalized_block) VALUES (-1, 9)', 'TABLE jobs',
        'SELECT renumber_restored_log()', 'SELECT refresh_notification_filter()',
        'SELECT ponder_forget($$tap$$)', 'SELECT * FROM claim_shards($${-1}$$, 1, 1)',
        'SELECT nextval($$event_log_seq_seq$$)', 'CREATE TABLE public.mine ()',
        'SELECT enable_trigger_always($$events$$, $$trigger_revise_event$$)',
        'CREATE TRIGGER mine BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION
            suppress_redundant_updates_trigger()',
        'CREATE FUNCTION public.mine() RETURNS void LANGUAGE sql AS $$$$']) AS deed),
    '42501', 'it neither revises, nor releases, nor renumbers, nor attaches anything');
SELECT pg_temp.is(
    (SELECT string_agg(could_match(chain, registry, event_type)::text, ' ')
     FROM (VALUES (-1, 'reputation', 'NewFeedback'), (NULL, NULL, NULL),
         (9223372036854775807, '%', $$' OR true --$$), (0, '', repeat('x', 1000000)))
         AS asked (chain, registry, event_type)),
    'false false false false', 'could_match answers it yes or no, whatever it is asked');
RESET ROLE;

-- Straight into a chunk there would be a row without an entry of the log.
SELECT coalesce(min(inhrelid::regclass::text), 'none') AS chunk, count(*) > 0 AS has_chunks
FROM pg_inherits WHERE inhparent = 'public.events'::regclass
\gset
\if :has_chunks
SET ROLE tap_writer;
SELECT pg_temp.is(
    (SELECT string_agg(DISTINCT pg_temp.outcome(format(deed, :'chunk')), ' ') FROM unnest(ARRAY[
        'INSERT INTO %s SELECT * FROM pg_temp.event($$past the log$$)',
        'INSERT INTO %s SELECT * FROM pg_temp.event($$past$$) ON CONFLICT DO NOTHING',
        'UPDATE %s SET invalidated = true', 'DELETE FROM %s', 'TRUNCATE %s', 'TABLE %s',
        'COPY %s FROM PROGRAM $$true$$', 'LOCK TABLE %s',
        'ALTER TABLE %s DISABLE TRIGGER ALL']) AS deed),
    '42501', 'a role with INSERT on events reaches no chunk of it');
RESET ROLE;
BEGIN;
GRANT USAGE ON SCHEMA event_chunks TO tap_writer;
SELECT pg_temp.is(pg_temp.reached_by('tap_writer') LIKE '%event_chunks.%chunk INSERT%', true,
    'a way into a chunk is found');
ROLLBACK;
\else
SELECT pg_temp.skip('a plain table has no chunks');
SELECT pg_temp.skip('a plain table has no chunks');
\endif

SET ROLE tap_writer;
SELECT pg_temp.is(
    (SELECT string_agg(DISTINCT pg_temp.outcome(deed), ' ') FROM unnest(ARRAY[
        'ALTER TABLE events DISABLE TRIGGER trigger_log_inserted_events', 'TRUNCATE events',
        'DROP TRIGGER trigger_log_inserted_events ON events',
        'SET session_replication_role = replica', 'SELECT FROM events FOR UPDATE',
        'INSERT INTO events SELECT * FROM pg_temp.event($$x$$) RETURNING id',
        'INSERT INTO events SELECT * FROM pg_temp.event($$one$$)
             ON CONFLICT (id, "timestamp") DO UPDATE SET block_hash = $$0xcc$$']) AS deed),
    '42501', 'and steps around no trigger');
RESET ROLE;

-- Without TEMP there is no table to attach anything to.
BEGIN;
SELECT format('REVOKE TEMP ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SET LOCAL ROLE tap_stranger;
SELECT pg_temp.is(pg_temp.outcome('CREATE TEMP TABLE mine ()'), '42501',
    'a role without TEMP makes no table at all');
ROLLBACK;

CALL pg_temp.finish();

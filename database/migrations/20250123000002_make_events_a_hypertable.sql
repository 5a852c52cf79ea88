-- Where TimescaleDB is installed and loaded, `events` is partitioned by block time, a week a chunk.
-- Elsewhere it stays a plain table; nothing else in the schema knows the difference.
--
-- A chunk has the grants of the hypertable but not its statement triggers: a row inserted directly
-- into it would be in no log. So the chunks are in a schema that only the owner may use, instead of
-- TimescaleDB's own, which is open to PUBLIC.
DO $$
DECLARE
    making REGPROCEDURE;
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
       -- A setting of the loaded library, because not every role may read shared_preload_libraries.
       AND EXISTS (SELECT FROM pg_settings WHERE name = 'timescaledb.disable_load') THEN
        CREATE EXTENSION IF NOT EXISTS timescaledb;
        CREATE SCHEMA IF NOT EXISTS event_chunks;
        PERFORM create_hypertable(
            'events', 'timestamp', associated_schema_name => 'event_chunks',
            chunk_time_interval => 604800::bigint,
            create_default_indexes => false, if_not_exists => true);
        -- A role that may insert could also let TimescaleDB's community edition make a chunk,
        -- without our triggers. No role needs that; only a superuser can revoke it from PUBLIC.
        FOR making IN
            SELECT oid FROM pg_proc
            WHERE proname LIKE 'create\_chunk%'
                AND pronamespace = to_regnamespace('_timescaledb_functions')
                AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
        LOOP
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', making);
        END LOOP;
    END IF;
END
$$;

-- TimescaleDB makes a chunk as the table's owner, but finds the operators of its bounds by the
-- search path of the inserting role: a stranger's operator would then run with the rights of every
-- role that inserts there. So if the transaction has made constraints, which a counter of the
-- session tells at no cost, the new chunks' constraints are checked. Objects of PostgreSQL itself
-- have no entry in pg_depend.
CREATE OR REPLACE FUNCTION refuse_foreign_bounds() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chunk REGCLASS;
BEGIN
    SELECT inhrelid INTO chunk
    FROM pg_inherits
    JOIN pg_constraint c ON conrelid = inhrelid
    JOIN pg_depend ON (classid, objid) = ('pg_constraint'::regclass, c.oid)
    -- Not older than this transaction: one of before keeps nobody from inserting.
    -- The table's own CHECKs are inherited.
    WHERE inhparent = 'public.events'::regclass AND age(c.xmin) <= 0 AND c.coninhcount = 0
        AND refclassid IN ('pg_operator'::regclass, 'pg_proc'::regclass)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'events: the bounds of a new chunk would call what is not PostgreSQL''s own'
            USING ERRCODE = 'insufficient_privilege',
                DETAIL = format('search_path led %s to it.', chunk),
                HINT = 'SET search_path = public';
    END IF;
END
$$;

-- TimescaleDB refuses ALTER TABLE … ENABLE ALWAYS TRIGGER on a hypertable outside of a restore, so
-- this claims to be one. That needs a superuser or a grant by one, which the owner role has
-- (20250123000000). Any other role gets a warning; only a superuser can put a session into the
-- replica role, for which ALWAYS matters.
CREATE OR REPLACE FUNCTION enable_trigger_always(on_table REGCLASS, trigger_name NAME) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        SET LOCAL timescaledb.restoring = on;
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', on_table, trigger_name);
        SET LOCAL timescaledb.restoring = off;
    ELSE
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', on_table, trigger_name);
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'trigger % on % does not fire in the replica role: %',
        trigger_name, on_table, SQLERRM;
END
$$;

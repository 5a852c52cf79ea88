-- Where TimescaleDB is installed and loaded, `events` is partitioned by block time, a week a chunk.
-- Elsewhere it stays a plain table; nothing else in the schema knows the difference.
--
-- A chunk has the grants of the hypertable and not its statement triggers: a row that is inserted
-- straight into it would be in no log. So the chunks lie in a schema that nobody else may use,
-- rather than in TimescaleDB's own, which is open to PUBLIC.
DO $$
DECLARE
    making REGPROCEDURE;
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
       -- A setting of the loaded library: shared_preload_libraries is not for everybody to read.
       AND EXISTS (SELECT FROM pg_settings WHERE name = 'timescaledb.disable_load') THEN
        CREATE EXTENSION IF NOT EXISTS timescaledb;
        CREATE SCHEMA IF NOT EXISTS event_chunks;
        PERFORM create_hypertable(
            'events', 'timestamp', associated_schema_name => 'event_chunks',
            chunk_time_interval => 604800::bigint,
            create_default_indexes => false, if_not_exists => true);
        -- Whoever may insert may also have its community edition make a chunk, past our triggers.
        -- Nobody needs to; only a superuser can take it from PUBLIC.
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

-- TimescaleDB makes a chunk as the table's owner, and finds the operators of its bounds by the path
-- of whoever inserts: somebody's own would run from then on as each that inserts there. So where a
-- transaction has made constraints, which a counter of its session says at no cost, those of its
-- chunks are looked at. What belongs to PostgreSQL has no entry in pg_depend.
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

-- TimescaleDB refuses ALTER TABLE … ENABLE ALWAYS TRIGGER on a hypertable unless a restore is going
-- on, so this says that one is. Only a superuser may say so, or whom one let, as the owner role is
-- (20250123000000). Any other is warned; only a superuser can put a session into the replica role,
-- which is what ALWAYS is about.
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

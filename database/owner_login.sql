-- What the superuser of a cluster that is only ours runs once, after the first migration: our
-- processes then log in as the owner, and nothing but this was ever done by a superuser. The
-- password is no secret, as in compose.yaml.
ALTER ROLE agentauri_owner LOGIN PASSWORD 'agentauri';
SELECT give_to_owner();
-- Where TimescaleDB is loaded, what makes a chunk for whoever may insert, past our triggers
-- (20250123000002), is taken from PUBLIC, which the owner could not.
DO $$
DECLARE
    making REGPROCEDURE;
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_settings WHERE name = 'timescaledb.disable_load') THEN
        CREATE EXTENSION IF NOT EXISTS timescaledb;
        FOR making IN
            SELECT oid FROM pg_catalog.pg_proc
            WHERE proname LIKE 'create\_chunk%'
                AND pronamespace = to_regnamespace('_timescaledb_functions')
        LOOP
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', making);
        END LOOP;
    END IF;
END
$$;

-- The owner of all our objects, where a superuser migrates: an ordinary role. Functions with their
-- owner's rights then reach this schema only, neither another database nor a shell. Where any other
-- role migrates, it owns everything itself, and this does nothing.
DO $$
BEGIN
    IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
        RETURN;
    END IF;
    IF to_regrole('agentauri_owner') IS NULL THEN
        BEGIN
            CREATE ROLE agentauri_owner;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            -- Roles belong to the cluster: the migration of another database has made it meanwhile.
            NULL;
        END;
    END IF;
    IF EXISTS (
        SELECT FROM pg_catalog.pg_roles
        WHERE (rolsuper OR rolcreaterole OR rolreplication OR rolname IN (
                   'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))
            AND pg_has_role('agentauri_owner', oid, 'MEMBER')) THEN
        RAISE EXCEPTION 'the role agentauri_owner may do more than own a schema'
            USING ERRCODE = 'insufficient_privilege',
            HINT = 'It has to be NOSUPERUSER NOCREATEROLE NOREPLICATION, and no member of a role '
                'that is more or that reads, writes or runs files: ALTER ROLE, REVOKE.';
    END IF;
    EXECUTE format(
        'GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO agentauri_owner', current_database());
    GRANT USAGE, CREATE ON SCHEMA public TO agentauri_owner;
    -- `status` names the transaction that holds judging back, of any role.
    IF NOT pg_has_role('agentauri_owner', 'pg_read_all_stats', 'USAGE') THEN
        GRANT pg_read_all_stats TO agentauri_owner;
    END IF;
    -- See enable_trigger_always().
    IF EXISTS (SELECT FROM pg_catalog.pg_settings WHERE name = 'timescaledb.disable_load')
       AND NOT has_parameter_privilege('agentauri_owner', 'timescaledb.restoring', 'SET') THEN
        GRANT SET ON PARAMETER timescaledb.restoring TO agentauri_owner;
    END IF;
END
$$;

-- Gives a superuser's objects in `public` to the owner of `events`, or to `agentauri_owner` if that
-- is a superuser, too. The last migration calls it; a later one that makes objects must end with
-- it. Objects of extensions stay as they are.
CREATE OR REPLACE FUNCTION give_to_owner() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_owner NAME := 'agentauri_owner';
    statement TEXT;
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RETURN;
    END IF;
    SELECT rolname INTO new_owner FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
    WHERE c.oid = to_regclass('public.events') AND NOT r.rolsuper;
    FOR statement IN
        SELECT format('ALTER %s %s OWNER TO %I', kind, name, coalesce(new_owner, 'agentauri_owner'))
        FROM (
            -- A table brings along all that belongs to it: indexes, sequences, chunks.
            SELECT 'TABLE', format('%I.%I', 'public', relname), relowner, tableoid, oid
            FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
            UNION ALL
            SELECT 'SEQUENCE', format('%I.%I', 'public', relname), relowner, s.tableoid, oid
            FROM pg_class s
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'S' AND NOT EXISTS (
                SELECT FROM pg_depend
                WHERE classid = s.tableoid AND objid = s.oid AND deptype IN ('a', 'i'))
            UNION ALL
            SELECT 'ROUTINE', oid::regprocedure::text, proowner, tableoid, oid
            FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            UNION ALL
            SELECT 'TYPE', format('%I.%I', 'public', typname), typowner, t.tableoid, oid
            FROM pg_type t
            WHERE typnamespace = 'public'::regnamespace AND (
                typtype IN ('d', 'e', 'r')
                OR typtype = 'c' AND 'c' = (SELECT relkind FROM pg_class WHERE oid = typrelid))
            UNION ALL
            -- The schema in which a hypertable's owner makes chunks.
            SELECT 'SCHEMA', quote_ident(nspname), nspowner, tableoid, oid
            FROM pg_namespace WHERE nspname = 'event_chunks'
        ) AS ours (kind, name, owner, catalog, id)
        JOIN pg_roles r ON r.oid = ours.owner AND r.rolsuper
        WHERE NOT EXISTS (
            SELECT FROM pg_depend WHERE classid = catalog AND objid = id AND deptype = 'e')
            -- A migrating program locks its own table meanwhile, on another connection, and calls
            -- this again afterwards.
            AND NOT EXISTS (
                SELECT FROM pg_locks
                WHERE relation = id AND catalog = 'pg_class'::regclass AND granted
                    AND mode = 'ShareUpdateExclusiveLock' AND pid <> pg_backend_pid()
                    AND database = (
                        SELECT d.oid FROM pg_database d WHERE datname = current_database()))
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;

-- What the tests share. Each begins with \ir tap.sql and a plan, and ends with pg_temp.finish().
-- Everything here is temporary. The tests write to chains below zero, which nobody else uses, and
-- to block times before 1973, so that they can take the chunks they made with them.
\set ON_ERROR_STOP on
\set AUTOCOMMIT on
\set QUIET on
\set VERBOSITY default
\pset format unaligned
\pset tuples_only on
\pset pager off
\pset null NULL
SET client_min_messages = warning;
SET search_path = public;
-- A test that waits for anything waits in vain.
SET statement_timeout = '60s';

-- The listener is a connection that the server makes to itself. A server that does not let its own
-- superuser in over its socket needs: psql -v listener='host=… password=…'
\if :{?listener}
\else
SELECT format('host=%L port=%s dbname=%L user=%L',
    btrim(split_part(current_setting('unix_socket_directories'), ',', 1), ' "'),
    current_setting('port'), current_database(), session_user) AS listener
\gset
\endif
SELECT set_config('tap.listener', :'listener', false) AS listener
\gset

CREATE TEMP SEQUENCE tap_asserted;
CREATE TEMP SEQUENCE tap_failed MINVALUE 0;
CREATE TEMP TABLE tap_plan (assertions BIGINT);
GRANT USAGE ON SEQUENCE tap_asserted, tap_failed TO PUBLIC;

CREATE FUNCTION pg_temp.plan(assertions BIGINT) RETURNS text LANGUAGE sql AS $$
    INSERT INTO pg_temp.tap_plan VALUES (assertions) RETURNING '1..' || assertions;
$$;

-- One assertion. Two NULLs are equal.
CREATE FUNCTION pg_temp.is(got anycompatible, expected anycompatible, promise text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    line text := format('ok %s - %s', nextval('pg_temp.tap_asserted'), promise);
BEGIN
    IF got IS NOT DISTINCT FROM expected THEN
        RETURN line;
    END IF;
    PERFORM nextval('pg_temp.tap_failed');
    RETURN format(E'not %s\n#      got: %s\n# expected: %s', line,
        replace(coalesce(got::text, 'NULL'), E'\n', E'\n#           '),
        replace(coalesce(expected::text, 'NULL'), E'\n', E'\n#           '));
END
$$;

CREATE FUNCTION pg_temp.skip(why text) RETURNS text LANGUAGE sql AS $$
    SELECT format('ok %s # SKIP %s', nextval('pg_temp.tap_asserted'), why);
$$;

-- What becomes of a statement: 'accepted', or the SQLSTATE and the constraint that refused it.
-- Either way nothing stays of it.
CREATE FUNCTION pg_temp.outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    refused_by text;
BEGIN
    EXECUTE statement;
    RAISE EXCEPTION USING ERRCODE = 'TAPOK';
EXCEPTION
    WHEN SQLSTATE 'TAPOK' THEN
        RETURN 'accepted';
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS refused_by = CONSTRAINT_NAME;
        RETURN trim(SQLSTATE || ' ' || refused_by);
END
$$;

-- A row for `events`: INSERT INTO events SELECT * FROM pg_temp.event('id', …).
CREATE FUNCTION pg_temp.event(
    id text, block_hash text DEFAULT '0xaa', "timestamp" bigint DEFAULT 31536000,
    event_type text DEFAULT 'NewFeedback', registry text DEFAULT 'reputation',
    block_number bigint DEFAULT 100, log_index integer DEFAULT 0, chain_id bigint DEFAULT -1
) RETURNS events LANGUAGE sql AS $$
    SELECT jsonb_populate_record(NULL::events, jsonb_build_object(
        'id', id, 'chain_id', chain_id, 'block_number', block_number, 'block_hash', block_hash,
        'transaction_hash', '0xbb', 'log_index', log_index, 'event_type', event_type,
        'registry', registry, 'timestamp', "timestamp", 'created_at', now(),
        'invalidated', false, 'revision', 0));
$$;

-- How the bell rings from now on: at first for every row. finish() puts back what was there.
CREATE TEMP TABLE tap_settings AS TABLE notification_settings;
CREATE PROCEDURE pg_temp.ring(
    mode text, registry_channels boolean DEFAULT false, chain_channels boolean DEFAULT false,
    only_matching boolean DEFAULT false
) LANGUAGE sql AS $$
    DELETE FROM notification_settings;
    INSERT INTO notification_settings VALUES (true, $1, $2, $3, $4);
$$;

-- What the log of our chains says since the last call, in its own order, as name@revision.
CREATE FUNCTION pg_temp.logged() RETURNS text LANGUAGE sql AS $$
    WITH taken AS (DELETE FROM event_log WHERE chain_id < 0 RETURNING *)
    SELECT coalesce(
        string_agg(
            coalesce(event_id || '@' || revision, 'checkpoint ' || checkpoint_block),
            ' ' ORDER BY xid, seq),
        'nothing')
    FROM taken;
$$;

-- Opens a connection of its own that listens on the channels.
CREATE PROCEDURE pg_temp.listen(VARIADIC channels text[]) LANGUAGE plpgsql AS $$
DECLARE
    channel text;
BEGIN
    CALL pg_temp.open_connection('ears');
    FOREACH channel IN ARRAY channels || '{tap_fence}' LOOP
        PERFORM dblink_exec('ears', format('LISTEN %I', channel));
    END LOOP;
END
$$;

CREATE PROCEDURE pg_temp.open_connection(name text) LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'dblink') THEN
        CREATE SCHEMA tap_dblink;
        CREATE EXTENSION dblink SCHEMA tap_dblink;
    END IF;
    PERFORM set_config('search_path', format('public, %I', nspname), false)
    FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
    WHERE extname = 'dblink';
    PERFORM dblink_connect(name, current_setting('tap.listener'));
END
$$;

-- The one value that a query gives on another connection.
CREATE FUNCTION pg_temp.elsewhere(connection text, query text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT value FROM dblink(connection, query) AS answer (value text));
END
$$;

-- What this session has said since the last call. Notifications arrive in the order of the commits,
-- so whatever comes after the fence was said after the call.
CREATE FUNCTION pg_temp.heard() RETURNS TABLE (channel text, payload text) LANGUAGE plpgsql AS $$
DECLARE
    note record;
    fenced boolean := false;
    deadline timestamptz := clock_timestamp() + interval '10 s';
BEGIN
    PERFORM dblink_exec('ears', 'NOTIFY tap_fence');
    WHILE NOT fenced LOOP
        IF clock_timestamp() > deadline THEN
            RAISE EXCEPTION 'the listener does not hear its own notification';
        END IF;
        FOR note IN SELECT * FROM dblink_get_notify('ears') LOOP
            fenced := fenced OR note.notify_name = 'tap_fence';
            IF note.be_pid = pg_backend_pid() THEN
                channel := note.notify_name;
                payload := note.extra;
                RETURN NEXT;
            END IF;
        END LOOP;
    END LOOP;
END
$$;

-- The ids heard on `new_event`, in order.
CREATE FUNCTION pg_temp.heard_ids() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(payload::json ->> 'event_id', ' ' ORDER BY n), 'nothing')
    FROM pg_temp.heard() WITH ORDINALITY AS heard (channel, payload, n)
    WHERE channel = 'new_event';
$$;

-- The channels heard and the ids on each, in order.
CREATE FUNCTION pg_temp.heard_channels() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(
        string_agg(channel || ' ' || (payload::json ->> 'event_id'), ', ' ORDER BY n), 'nothing')
    FROM pg_temp.heard() WITH ORDINALITY AS heard (channel, payload, n)
    WHERE channel LIKE 'new\_event%';
$$;

-- How often the bell of revisions rang.
CREATE FUNCTION pg_temp.heard_bells() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM pg_temp.heard() WHERE channel = 'event_log';
$$;

CREATE PROCEDURE pg_temp.clean() LANGUAGE plpgsql AS $$
DECLARE
    connection text;
    role name;
BEGIN
    SET session_replication_role = origin;
    DELETE FROM events WHERE chain_id < 0;
    DELETE FROM checkpoints WHERE chain_id < 0;
    DELETE FROM jobs WHERE chain_id < 0;
    DELETE FROM event_log WHERE chain_id < 0;
    DELETE FROM superseded_events WHERE chain_id < 0;
    IF EXISTS (SELECT FROM triggers WHERE account = 'tap') THEN
        DELETE FROM trigger_versions USING triggers WHERE trigger_id = id AND account = 'tap';
        DELETE FROM triggers WHERE account = 'tap';
        UPDATE trigger_set SET revision = revision + 1;
    END IF;
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
       AND NOT EXISTS (SELECT FROM events WHERE "timestamp" < 94608000) THEN
        PERFORM drop_chunks('events', older_than => 94608000);
    END IF;
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'dblink')
       AND current_setting('search_path') <> 'public' THEN
        FOREACH connection IN ARRAY coalesce(dblink_get_connections(), '{}') LOOP
            PERFORM dblink_disconnect(connection);
        END LOOP;
        PERFORM set_config('search_path', 'public', false);
    END IF;
    IF to_regnamespace('tap_dblink') IS NOT NULL THEN
        DROP EXTENSION IF EXISTS dblink;
        DROP SCHEMA tap_dblink;
    END IF;
    FOR role IN SELECT rolname FROM pg_roles WHERE rolname LIKE 'tap\_%' LOOP
        EXECUTE format('DROP OWNED BY %I', role);
        EXECUTE format('DROP ROLE %I', role);
    END LOOP;
END
$$;

-- Leaves the database as it was found. The file fails where an assertion failed, or the plan was
-- not kept.
CREATE PROCEDURE pg_temp.finish() LANGUAGE plpgsql AS $$
DECLARE
    planned bigint := (SELECT assertions FROM pg_temp.tap_plan);
    asserted bigint := nextval('pg_temp.tap_asserted') - 1;
    failed bigint := nextval('pg_temp.tap_failed');
BEGIN
    CALL pg_temp.clean();
    IF EXISTS (TABLE notification_settings EXCEPT TABLE pg_temp.tap_settings)
       OR EXISTS (TABLE pg_temp.tap_settings EXCEPT TABLE notification_settings) THEN
        DELETE FROM notification_settings;
        INSERT INTO notification_settings TABLE pg_temp.tap_settings;
    END IF;
    IF failed > 0 OR asserted <> planned THEN
        RAISE EXCEPTION '% assertions planned, % made, % failed', planned, asserted, failed;
    END IF;
END
$$;

-- What an interrupted run left behind.
CALL pg_temp.clean();
CALL pg_temp.ring('row');

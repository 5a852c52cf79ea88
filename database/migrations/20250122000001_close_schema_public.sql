-- Whoever may create in schema `public` may put a function or an operator there that fits a call
-- better than PostgreSQL's own does, or a table of a name that is ours. Up to PostgreSQL 14, and in
-- what was upgraded from there, that is everybody; so it is taken back, or nothing is migrated.
DO $$
DECLARE
    path_before CONSTANT TEXT := pg_catalog.current_setting('search_path');
    planted RECORD;
BEGIN
    IF pg_catalog.current_schema() IS DISTINCT FROM 'public' THEN
        RAISE EXCEPTION 'the migrations are for schema public, and search_path leads to %',
            coalesce(pg_catalog.current_schema(), 'none')
            USING ERRCODE = 'invalid_schema_name', HINT = 'SET search_path = public';
    END IF;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    IF has_schema_privilege('public', 'public', 'CREATE') THEN
        -- Where this role may not, that is only a warning.
        REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    END IF;
    IF has_schema_privilege('public', 'public', 'CREATE') THEN
        RAISE EXCEPTION 'PUBLIC may create in schema public, and % may not change that',
            quote_ident(current_user)
            USING ERRCODE = 'insufficient_privilege', HINT = format(
                'As a superuser: REVOKE CREATE ON SCHEMA public FROM PUBLIC; '
                'GRANT CREATE ON SCHEMA public TO %I;', current_user);
    END IF;
    -- What somebody made there who could only because everybody could.
    SELECT pg_describe_object(class, object, 0) AS what, owner::regrole AS owner INTO planted
    FROM (
        SELECT 'pg_proc'::regclass, oid, pronamespace, proowner FROM pg_proc
        UNION ALL SELECT 'pg_operator'::regclass, oid, oprnamespace, oprowner FROM pg_operator
        UNION ALL SELECT 'pg_class'::regclass, oid, relnamespace, relowner FROM pg_class
        WHERE relname = ANY (ARRAY[
            'action_results', 'audit_cursors', 'audit_invalidations', 'audit_suspects',
            'chain_heights', 'chain_list', 'chain_locks', 'chain_readers', 'checkpoints',
            'covered_ranges', 'destinations', 'event_log', 'events', 'invalidated_events', 'jobs',
            'known_chains', 'log_origin', 'named_chains', 'node_heads', 'notification_filter',
            'notification_settings', 'observed_blocks', 'orphaned_blocks', 'ponder_schemas',
            'ponder_unconfirmed', 'shard_cursors', 'superseded_events', 'times_ahead',
            'trigger_actions', 'trigger_observations', 'trigger_set', 'trigger_versions',
            'triggers', 'waiting_events'])
    ) AS made (class, object, namespace, owner)
    WHERE namespace = 'public'::regnamespace
        AND NOT has_schema_privilege(owner, namespace, 'CREATE')
        AND NOT EXISTS (
            SELECT FROM pg_depend
            WHERE (classid, objid, deptype) = (made.class, made.object, 'e'))
    ORDER BY 1 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'schema public has a % that belongs to %', planted.what, planted.owner
            USING ERRCODE = 'insufficient_privilege', HINT = format(
                'It could run in place of what is meant. Drop it, or where its owner is to be '
                'trusted: GRANT CREATE ON SCHEMA public TO %s', planted.owner);
    END IF;
    PERFORM pg_catalog.set_config('search_path', path_before, true);
END
$$;

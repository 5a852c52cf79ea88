//! Roles that could run code as the owner of the schema, or write past its log. Asked of
//! PostgreSQL's own catalogs alone, so that a database of an earlier schema is told, too.

use sqlx::PgPool;

use crate::Result;

/// Functions that run as the owner and that another role may call, with those roles. The one
/// function that answers every inserting role with yes or no is left out.
pub async fn owners_functions_of_others(pool: &PgPool) -> Result<Vec<String>> {
    let found = sqlx::query_scalar!(
        r#"SELECT format('%s by %s', p.proname, string_agg(
                      CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, ', '
                      ORDER BY a.grantee)) AS "found!"
           FROM pg_proc p
           CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
           WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace
             AND p.proowner = (SELECT relowner FROM pg_class
                               WHERE oid = to_regclass('public.events'))
             AND p.proname <> 'could_match' AND a.grantee <> p.proowner
             AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = a.grantee AND r.rolsuper)
           GROUP BY p.proname
           ORDER BY p.proname"#,
    )
    .fetch_all(pool)
    .await?;
    Ok(found)
}

/// Functions that run as a superuser, as all that run as their owner did in databases of before.
pub async fn superusers_functions(pool: &PgPool) -> Result<Vec<String>> {
    let found = sqlx::query_scalar!(
        r#"SELECT format('%s as %s', p.proname, r.rolname) AS "found!"
           FROM pg_proc p
           JOIN pg_roles r ON r.oid = p.proowner AND r.rolsuper
           WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace
             AND NOT EXISTS (
                 SELECT FROM pg_depend
                 WHERE (classid, objid, deptype) = ('pg_proc'::regclass, p.oid, 'e'))
           ORDER BY 1"#,
    )
    .fetch_all(pool)
    .await?;
    Ok(found)
}

/// Functions that run as the owner and look names up along the caller's path.
pub async fn owners_functions_without_path(pool: &PgPool) -> Result<Vec<String>> {
    let found = sqlx::query_scalar!(
        r#"SELECT p.proname::text AS "found!" FROM pg_proc p
           WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace
             AND p.proowner = (SELECT relowner FROM pg_class
                               WHERE oid = to_regclass('public.events'))
             AND NOT EXISTS (
                 SELECT FROM unnest(p.proconfig) AS setting
                 WHERE setting ~ '^search_path=(pg_catalog, )?(public, )?pg_temp$')
           ORDER BY 1"#,
    )
    .fetch_all(pool)
    .await?;
    Ok(found)
}

/// Roles that may create in schema `public` beside its owner and that of the tables.
pub async fn creators_in_public(pool: &PgPool) -> Result<Vec<String>> {
    let found = sqlx::query_scalar!(
        r#"SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
                  AS "found!"
           FROM pg_namespace n
           CROSS JOIN aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS a
           WHERE n.nspname = 'public' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner
             AND a.grantee IS DISTINCT FROM (SELECT relowner FROM pg_class
                                             WHERE oid = to_regclass('public.events'))
             AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = a.grantee AND r.rolsuper)
           ORDER BY 1"#,
    )
    .fetch_all(pool)
    .await?;
    Ok(found)
}

/// Functions and operators in schema `public` that belong to neither a superuser nor the owner of
/// the database, the schema or the tables.
pub async fn strangers_functions(pool: &PgPool) -> Result<Vec<String>> {
    let found = sqlx::query_scalar!(
        r#"SELECT format('%s of %s', pg_describe_object(made.class, made.object, 0),
                         made.owner::regrole) AS "found!"
           FROM (SELECT 'pg_proc'::regclass, oid, pronamespace, proowner FROM pg_proc
                 UNION ALL
                 SELECT 'pg_operator'::regclass, oid, oprnamespace, oprowner FROM pg_operator)
                AS made (class, object, namespace, owner)
           WHERE made.namespace = 'public'::regnamespace
             AND made.owner NOT IN (
                 SELECT oid FROM pg_roles WHERE rolsuper
                 UNION ALL SELECT datdba FROM pg_database WHERE datname = current_database()
                 UNION ALL SELECT nspowner FROM pg_namespace WHERE nspname = 'public'
                 UNION ALL SELECT relowner FROM pg_class WHERE oid = to_regclass('public.events'))
             AND NOT EXISTS (
                 SELECT FROM pg_depend d
                 WHERE (d.classid, d.objid, d.deptype) = (made.class, made.object, 'e'))
           ORDER BY 1"#,
    )
    .fetch_all(pool)
    .await?;
    Ok(found)
}

/// Roles that may attach a trigger to a table of ours, which would run as each who writes there.
pub async fn attachers(pool: &PgPool) -> Result<Vec<String>> {
    let found = sqlx::query_scalar!(
        r#"SELECT format('%s on %s',
                         CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
                         string_agg(c.relname, ', ' ORDER BY c.relname)) AS "found!"
           FROM pg_class c
           CROSS JOIN aclexplode(c.relacl) AS a
           WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
             AND c.relowner = (SELECT relowner FROM pg_class
                               WHERE oid = to_regclass('public.events'))
             AND a.privilege_type = 'TRIGGER' AND a.grantee <> c.relowner
             AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = a.grantee AND r.rolsuper)
           GROUP BY a.grantee
           ORDER BY 1"#,
    )
    .fetch_all(pool)
    .await?;
    Ok(found)
}

/// Chunks of `events` that lie in a schema which others may use, by schema: a role with a grant on
/// `events` reaches them there, past its triggers.
pub async fn reachable_chunks(pool: &PgPool) -> Result<Vec<String>> {
    let found = sqlx::query_scalar!(
        r#"SELECT format('%s in %s, which %s may use', count(DISTINCT c.oid), n.nspname,
                         string_agg(DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC'
                                             ELSE a.grantee::regrole::text END, ', '))
                  AS "found!"
           FROM pg_inherits i
           JOIN pg_class c ON c.oid = i.inhrelid
           JOIN pg_namespace n ON n.oid = c.relnamespace
           CROSS JOIN aclexplode(n.nspacl) AS a
           WHERE i.inhparent = to_regclass('public.events') AND a.privilege_type = 'USAGE'
             AND a.grantee NOT IN (n.nspowner, c.relowner)
             AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = a.grantee AND r.rolsuper)
           GROUP BY n.nspname
           ORDER BY 1"#,
    )
    .fetch_all(pool)
    .await?;
    Ok(found)
}

/// Chunks of `events` whose constraints call functions that are not PostgreSQL's own, which run
/// with the rights of each inserting role. PostgreSQL's own have no entry in `pg_depend`.
pub async fn chunks_with_foreign_bounds(pool: &PgPool) -> Result<Vec<String>> {
    let found = sqlx::query_scalar!(
        r#"SELECT DISTINCT format('%s calls %s', c.conrelid::regclass,
                                  pg_describe_object(d.refclassid, d.refobjid, 0)) AS "found!"
           FROM pg_inherits i
           JOIN pg_constraint c ON c.conrelid = i.inhrelid
           JOIN pg_depend d ON (d.classid, d.objid) = ('pg_constraint'::regclass, c.oid)
           -- The table's own CHECKs are inherited.
           WHERE i.inhparent = to_regclass('public.events') AND c.coninhcount = 0
             AND d.refclassid IN ('pg_operator'::regclass, 'pg_proc'::regclass)
           ORDER BY 1"#,
    )
    .fetch_all(pool)
    .await?;
    Ok(found)
}

/// Triggers that our tables lack, or that do not fire, or not in each session: in the replica role
/// only those fire that are ENABLE ALWAYS, which the copies on chunks never are.
pub async fn failing_triggers(pool: &PgPool) -> Result<Vec<String>> {
    let found = sqlx::query_scalar!(
        r#"WITH ours (on_table, named, calls, of_rows) AS (VALUES
               ('events', 'trigger_revise_event', 'revise_event', true),
               ('events', 'trigger_log_inserted_events', 'log_inserted_events', false),
               ('events', 'trigger_log_revised_events', 'log_revised_events', false),
               ('events', 'trigger_revise_replicated_events', 'revise_replicated_events', false),
               ('events', 'trigger_notify_new_event', 'notify_new_event', true),
               ('events', 'trigger_notify_sleepers', 'notify_sleepers', false),
               ('checkpoints', 'trigger_log_checkpoint', 'log_checkpoint', true),
               ('chain_heights', 'trigger_log_chain_height', 'log_chain_height', true),
               ('chain_heights', 'trigger_forget_time_of_height', 'forget_time_of_height', true),
               ('notification_settings', 'trigger_put_notification_settings_in_force',
                'put_notification_settings_in_force', false),
               ('notification_settings', 'trigger_keep_notification_filter',
                'keep_notification_filter', false),
               ('trigger_set', 'trigger_keep_notification_filter', 'keep_notification_filter',
                false),
               ('chain_list', 'trigger_put_chain_list_in_force', 'put_chain_list_in_force', false)
           ), wanted AS (
               SELECT to_regclass('public.' || on_table) AS relation, on_table, named, calls,
                      false AS is_chunk
               FROM ours
               UNION ALL
               SELECT i.inhrelid, i.inhrelid::regclass::text, named, calls, true
               FROM ours JOIN pg_inherits i ON i.inhparent = to_regclass('public.events')
               WHERE on_table = 'events' AND of_rows
           ), seen AS (
               SELECT w.*, CASE
                   WHEN t.oid IS NULL THEN 'is missing'
                   WHEN t.tgenabled = 'D' THEN 'is disabled'
                   WHEN t.tgfoid IS DISTINCT FROM to_regproc('public.' || w.calls)::oid
                       THEN 'calls another function'
                   WHEN t.tgenabled <> 'A' AND NOT w.is_chunk THEN 'is not ALWAYS'
               END AS fault
               FROM wanted w
               LEFT JOIN pg_trigger t ON (t.tgrelid, t.tgname) = (w.relation, w.named)
           )
           SELECT format('%s on %s %s', named, on_table, fault) AS "found!"
           FROM seen WHERE fault IS NOT NULL
           ORDER BY is_chunk, 1"#,
    )
    .fetch_all(pool)
    .await?;
    Ok(found)
}

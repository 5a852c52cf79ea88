-- What a superuser owns in `public`, or as part of what lies there (chunks), and no extension
-- made: a line each. More kinds are looked for than a migration of ours makes.
WITH made AS (
    SELECT 'relation' AS kind, c.oid::regclass::text AS name, relowner AS owner, tableoid, oid
    FROM pg_class c
    WHERE relnamespace = 'public'::regnamespace OR EXISTS (
        SELECT FROM pg_inherits i JOIN pg_class parent ON parent.oid = i.inhparent
        WHERE i.inhrelid = c.oid AND parent.relnamespace = 'public'::regnamespace)
    UNION ALL
    SELECT 'routine', oid::regprocedure::text, proowner, tableoid, oid
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'type', oid::regtype::text, typowner, t.tableoid, oid
    FROM pg_type t
    -- Types of tables, arrays and multiranges go with what they are of.
    WHERE typnamespace = 'public'::regnamespace AND typelem = 0 AND typtype <> 'm'
        AND NOT EXISTS (SELECT FROM pg_class WHERE reltype = t.oid AND relkind <> 'c')
    UNION ALL
    SELECT 'operator', oid::regoperator::text, oprowner, tableoid, oid
    FROM pg_operator WHERE oprnamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'collation', oid::regcollation::text, collowner, tableoid, oid
    FROM pg_collation WHERE collnamespace = 'public'::regnamespace
)
SELECT kind || ' ' || name
FROM made JOIN pg_roles r ON r.oid = made.owner AND r.rolsuper
WHERE NOT EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = made.tableoid AND d.objid = made.oid AND d.deptype = 'e')
ORDER BY 1;

-- TimescaleDB makes a chunk with the first row of a week, as the table's owner, and finds the
-- operators of its bounds by the writer's path. A writer's own would run as everybody who inserts
-- there later. On a plain table there is no such moment, and a row of a new week is a row.
\ir tap.sql
SELECT pg_temp.plan(8);
DROP SCHEMA IF EXISTS tap_bounds CASCADE;
CREATE ROLE tap_writer;
GRANT INSERT ON events TO tap_writer;
CREATE SCHEMA tap_bounds AUTHORIZATION tap_writer;
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') AS chunked,
    CASE WHEN EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
        THEN '42501' ELSE 'accepted' END AS refused
\gset

SET ROLE tap_writer;
CREATE FUNCTION tap_bounds.always(bigint, bigint) RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN true;
CREATE OPERATOR tap_bounds.>= (FUNCTION = tap_bounds.always, LEFTARG = bigint, RIGHTARG = bigint);
CREATE OPERATOR tap_bounds.< (FUNCTION = tap_bounds.always, LEFTARG = bigint, RIGHTARG = bigint);

-- Two rows that open a week, by a path that the statement itself may take up only for the first.
CREATE FUNCTION pg_temp.opens(week bigint, path text, on_its_way boolean) RETURNS text
LANGUAGE sql AS $$
    SELECT pg_temp.outcome(format(
        'SET LOCAL search_path = %s;
         INSERT INTO public.events (id, chain_id, block_number, block_hash, transaction_hash,
             log_index, event_type, registry, "timestamp")
         SELECT %L || n, -1, 1, CASE n WHEN 1 THEN %s ELSE %s END, ''0xbb'', n, ''NewFeedback'',
             ''reputation'', %s FROM pg_catalog.generate_series(1, 2) AS n',
        CASE WHEN on_its_way THEN 'public' ELSE path END, 'week ' || week || ', ',
        CASE WHEN on_its_way THEN format('pg_catalog.set_config(''search_path'', %L, true)', path)
            ELSE '''0xaa''' END,
        CASE WHEN on_its_way THEN 'pg_catalog.set_config(''search_path'', ''public'', true)'
            ELSE '''0xaa''' END,
        31536000 + week * 604800));
$$;
RESET ROLE;

-- Weeks, ways to name the path, and moments to take it up, drawn by a seed.
SELECT setseed(0.17) \g /dev/null
CREATE TEMP TABLE tap_drawn AS
SELECT (random() * 90)::bigint + 3 AS week, path, random() < 0.5 AS on_its_way, leads
FROM (VALUES ('public', false), ('public, tap_bounds', false), ('tap_bounds, public', false),
        ('pg_catalog, tap_bounds, public', false), ('tap_bounds, public, pg_catalog', true),
        ('tap_bounds, pg_catalog, public', true), ('public, tap_bounds, pg_catalog', true),
        ('pg_temp, tap_bounds, pg_catalog', true)) AS paths (path, leads), generate_series(1, 8);
GRANT SELECT ON tap_drawn TO tap_writer;

SET ROLE tap_writer;
SELECT pg_temp.is(
    (SELECT string_agg(DISTINCT pg_temp.opens(week, path, on_its_way), ' ')
     FROM tap_drawn WHERE NOT leads), 'accepted', 'a writer opens a week by a path of its choice');
SELECT pg_temp.is(
    (SELECT string_agg(DISTINCT pg_temp.opens(week, path, on_its_way), ' ')
     FROM tap_drawn WHERE leads), :'refused',
    'but not where it leads to operators that are not PostgreSQL''s own, whenever it is taken up');
SET search_path = tap_bounds, public, pg_catalog;
-- psql shows the SQLSTATE.
\set ON_ERROR_STOP off
\set VERBOSITY sqlstate
COPY events (id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
    registry, "timestamp") FROM STDIN (FORMAT csv);
copied,-1,1,0xaa,0xbb,1,NewFeedback,reputation,33000000
\.
\set VERBOSITY default
\set ON_ERROR_STOP on
RESET ROLE;
SET search_path = public;
SELECT pg_temp.is((SELECT count(*) FROM events WHERE id = 'copied'),
    CASE :'refused' WHEN 'accepted' THEN 1 ELSE 0 END, 'nor by COPY');

INSERT INTO events SELECT * FROM pg_temp.event('there already');
SET ROLE tap_writer;
SELECT pg_temp.is(pg_temp.opens(0, 'tap_bounds, public, pg_catalog', false), 'accepted',
    'in a week that is there the path matters to nobody');
RESET ROLE;

-- What a chunk's constraints call beside PostgreSQL's own.
CREATE FUNCTION pg_temp.foreign_bounds() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM pg_inherits JOIN pg_constraint c ON conrelid = inhrelid
    JOIN pg_depend ON (classid, objid) = ('pg_constraint'::regclass, c.oid)
    WHERE inhparent = 'public.events'::regclass AND c.coninhcount = 0
        AND refclassid IN ('pg_operator'::regclass, 'pg_proc'::regclass);
$$;
SELECT pg_temp.is(pg_temp.foreign_bounds(), 0, 'each chunk has bounds of PostgreSQL''s own');

-- Without the look at new bounds.
BEGIN;
CREATE OR REPLACE FUNCTION refuse_foreign_bounds() RETURNS void LANGUAGE sql AS '';
SET LOCAL ROLE tap_writer;
SELECT pg_temp.is(pg_temp.opens(9, 'tap_bounds, public, pg_catalog', false), 'accepted',
    'without the look at new bounds such a week would be opened');
SET LOCAL search_path = tap_bounds, public, pg_catalog;
INSERT INTO public.events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
    event_type, registry, "timestamp")
VALUES ('planted', -1, 1, '0xaa', '0xbb', 1, 'NewFeedback', 'reputation', 34000000);
RESET ROLE;
SET LOCAL search_path = public;
SELECT pg_temp.is(pg_temp.foreign_bounds() > 0, :'chunked', 'and be seen in its constraints');
ROLLBACK;

\if :chunked
SELECT inhrelid::regclass AS chunk FROM pg_inherits WHERE inhparent = 'events'::regclass LIMIT 1
\gset
ALTER TABLE :chunk ADD CONSTRAINT of_before CHECK ("timestamp" OPERATOR(tap_bounds.>=) 0::bigint);
SELECT pg_temp.is(pg_temp.foreign_bounds() || ' ' || pg_temp.opens(8, 'public', false),
    '1 accepted', 'one that is there already keeps nobody from inserting');
ALTER TABLE :chunk DROP CONSTRAINT of_before;
\else
SELECT pg_temp.skip('a plain table has no chunks');
\endif

DROP SCHEMA tap_bounds CASCADE;
CALL pg_temp.finish();

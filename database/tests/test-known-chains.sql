-- Which chains are known, and by whom: every way to be vouched for, with every other; and which of
-- them may be named under a list.
\ir tap.sql
SELECT pg_temp.plan(8);

-- The ways, by their weight, and how a chain comes by each.
CREATE TEMP TABLE ways (weight int, adding text);
INSERT INTO ways VALUES
    (1, 'INSERT INTO chain_list VALUES (%s)'),
    (2, $$INSERT INTO named_chains VALUES (%s, 'file')$$),
    (3, $$INSERT INTO chain_readers (chain_id, reader, began_at) VALUES (%s, 'indexer', now())$$),
    (4, $$INSERT INTO audit_cursors (chain_id, origin, from_block) VALUES (%s, '3', 0)$$),
    (5, $$INSERT INTO checkpoints VALUES (%s, 1, '0xaa')$$),
    (6, $$INSERT INTO ponder_schemas (schema_name, chain_id, status, owns, live_from)
          VALUES ('tap' || %1$s, %1$s, 'current', true, 1)$$),
    (7, $$INSERT INTO named_chains VALUES (%s, 'trigger')$$);

-- Each chain's number says by its bits who vouches for it; the file's word outlasts a trigger's.
CREATE TEMP TABLE drawn AS
SELECT -n AS chain_id, n AS bits FROM generate_series(1, 127) AS n WHERE n & 66 <> 66;
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format(adding, chain_id) FROM drawn JOIN ways ON bits >> (weight - 1) & 1 = 1
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;
CREATE FUNCTION pg_temp.disagreeing() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*)
    FROM (SELECT chain_id, min(weight) AS weight
          FROM drawn JOIN ways ON bits >> (weight - 1) & 1 = 1 GROUP BY chain_id) AS naive
    FULL JOIN (SELECT * FROM known_chains WHERE chain_id < 0) AS known USING (chain_id)
    WHERE naive.weight IS DISTINCT FROM known.vouching;
$$;
SELECT pg_temp.is(pg_temp.disagreeing(), 0, 'each chain is known by who vouches for it');

-- A way that is left out, or weighs as another, is found.
BEGIN;
CREATE TEMP TABLE lost (table_name name, found boolean);
DO $$
DECLARE
    view text := pg_get_viewdef('known_chains'::regclass);
    source name;
BEGIN
    FOREACH source IN ARRAY
        '{chain_list,named_chains,chain_readers,audit_cursors,checkpoints,ponder_schemas}'::name[]
    LOOP
        EXECUTE 'CREATE OR REPLACE VIEW known_chains AS '
            || replace(view, format('FROM %s', source),
                format('FROM (SELECT * FROM %1$s WHERE false) AS %1$s', source));
        INSERT INTO lost VALUES (source, pg_temp.disagreeing() > 0);
    END LOOP;
    FOR weight IN 1..6 LOOP
        EXECUTE 'CREATE OR REPLACE VIEW known_chains AS '
            || regexp_replace(view, format('\m%s\M', weight), (weight + 1)::text);
        INSERT INTO lost VALUES (weight::text, pg_temp.disagreeing() > 0);
    END LOOP;
END
$$;
SELECT pg_temp.is((SELECT string_agg(table_name, ' ') FROM lost WHERE NOT found), NULL,
    'one that is left out, or weighs as another, is found');
SELECT pg_temp.is((SELECT count(*) FROM lost), 12, 'each of them');
ROLLBACK;

-- What may be named is what is listed, whoever else vouches.
CREATE FUNCTION pg_temp.naming(chain bigint) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.outcome(format('INSERT INTO events SELECT (pg_temp.event(%L, chain_id => %s)).*',
        'tap' || chain, chain));
$$;
SELECT pg_temp.is(
    (SELECT count(*) FROM drawn
     WHERE pg_temp.naming(chain_id) <> CASE bits & 1 WHEN 1 THEN 'accepted' ELSE '23514' END),
    0, 'under a list a chain may be named that is listed, and no other');
SELECT pg_temp.is(
    pg_temp.outcome($$INSERT INTO events SELECT (pg_temp.event('m' || n, chain_id => -n)).*
                      FROM generate_series(1, 3) AS n$$),
    '23514', 'one that is not keeps all of a statement out');
DELETE FROM chain_list WHERE chain_id < -1;
SELECT pg_temp.is(
    (SELECT string_agg(pg_temp.naming(chain), ' ' ORDER BY chain DESC)
     FROM unnest('{-1,-3,-5}'::bigint[]) AS chain),
    'accepted 23514 23514', 'one that is struck off may not be named any more');
DELETE FROM chain_list;
SELECT pg_temp.is(
    (SELECT string_agg(pg_temp.naming(chain), ' ') FROM unnest('{-2,-3,-500}'::bigint[]) AS chain),
    'accepted accepted accepted', 'without a list any chain may be');
SELECT pg_temp.is(
    (SELECT count(*) FROM known_chains WHERE chain_id IN (-1, -500)), 0,
    'and is known no better for having been named');

CALL pg_temp.finish();

-- Which rows the CHECK of `jobs` lets in: every state with every combination of what goes with it.
\ir tap.sql
SELECT pg_temp.plan(22);

-- A row is named by its state and by what of it is set. The legal ones:
CREATE TEMP TABLE legal (combination text PRIMARY KEY);
INSERT INTO legal VALUES
    ('pending'), ('pending +attempt'), ('pending +reason'), ('pending +attempt +reason'),
    ('held +reason'), ('held +attempt +reason'),
    ('leased +holder +until +attempt'), ('leased +holder +until +attempt +reason'),
    ('delivered +finished +attempt'), ('delivered +finished +attempt +reason'),
    ('cancelled +finished +reason'), ('cancelled +finished +attempt +reason'),
    ('expired +finished +reason'), ('expired +finished +attempt +reason'),
    ('dead +finished +attempt +reason');

CREATE TEMP TABLE tried AS
SELECT
    concat_ws(' ', state, holder, until, finished, attempt, reason) AS combination,
    pg_temp.outcome(format(
        $$INSERT INTO jobs (id, trigger_id, trigger_version, action_id, action_version, chain_id,
            event_id, event_timestamp, event_revision, triggers_revision,
            state, lease_holder, lease_until, finished_at, attempts, reason)
        VALUES (gen_random_uuid(), gen_random_uuid(), 1, 'hook', 1, -1, 'e', 1, 0, 0,
            %L, %L, %L, %L, %L, %L)$$,
        state, holder, CASE WHEN until <> '' THEN now() END,
        CASE WHEN finished <> '' THEN now() END,
        CASE WHEN attempt <> '' THEN 1 ELSE 0 END, reason)) AS outcome
FROM unnest('{pending,held,leased,delivered,cancelled,expired,dead,unheard-of}'::text[]) AS state,
    (VALUES (NULL), ('+holder')) AS h (holder), (VALUES (NULL), ('+until')) AS u (until),
    (VALUES (NULL), ('+finished')) AS f (finished), (VALUES (NULL), ('+attempt')) AS a (attempt),
    (VALUES (NULL), ('+reason')) AS r (reason);

SELECT pg_temp.is((SELECT outcome FROM tried WHERE tried.combination = legal.combination),
    'accepted', 'legal: ' || combination)
FROM legal ORDER BY combination;

SELECT pg_temp.is(
    (SELECT string_agg(format('%s: %s', combination, outcome), E'\n' ORDER BY combination)
     FROM tried LEFT JOIN legal USING (combination)
     WHERE legal IS NULL AND outcome <> '23514 jobs_state_machine'),
    NULL, 'each of the other 241 is refused by jobs_state_machine');
SELECT pg_temp.is((SELECT count(*) FROM tried), 256, '256 combinations were tried');

-- What a retraction has, and a match has not.
SELECT pg_temp.is(
    pg_temp.outcome(format(
        $$INSERT INTO jobs (id, trigger_id, trigger_version, action_id, action_version, chain_id,
            event_id, event_timestamp, event_revision, triggers_revision,
            retracts, reorg_old_hash, reorg_new_hash, expires_at)
        VALUES (gen_random_uuid(), gen_random_uuid(), 1, 'hook', 1, -1, 'e', 1, 0, 0,
            %L, %L, %L, %L)$$,
        retracts, old_hash, new_hash, expires)),
    expected, description)
FROM (VALUES
    (gen_random_uuid(), '0xa', '0xb', NULL, 'accepted', 'a retraction names the block'),
    (gen_random_uuid(), '0xa', NULL, NULL, 'accepted', 'and the other if it is known'),
    (gen_random_uuid(), NULL, NULL, NULL, '23514 jobs_retraction', 'without a block it is refused'),
    (gen_random_uuid(), '0xa', NULL, now(), '23514 jobs_retraction', 'and where it would expire'),
    (NULL, '0xa', NULL, NULL, '23514 jobs_retraction', 'and a match with a block')
) AS t (retracts, old_hash, new_hash, expires, expected, description);

CALL pg_temp.finish();

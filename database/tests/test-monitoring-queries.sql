-- The queries of docs/architecture/event-store-integration.md, as printed there, run.
\ir tap.sql
SELECT pg_temp.plan(4);
INSERT INTO events SELECT * FROM pg_temp.event('counted');

SELECT pg_temp.is(pg_temp.outcome($$
   SELECT COUNT(*) FROM events WHERE created_at > NOW() - INTERVAL '1 minute';
$$), 'accepted', 'event ingestion rate');
SELECT pg_temp.is(pg_temp.outcome($$
   SELECT
     AVG(EXTRACT(EPOCH FROM (NOW() - created_at))) as avg_latency_sec
   FROM events
   WHERE created_at > NOW() - INTERVAL '1 hour';
$$), 'accepted', 'processing latency');
SELECT pg_temp.is(pg_temp.outcome($$
   SELECT
     COUNT(DISTINCT event_id) * 100.0 / (SELECT COUNT(*) FROM events) as match_rate_pct
   FROM action_results
   WHERE created_at > NOW() - INTERVAL '1 hour';
$$), 'accepted', 'trigger match rate');
SELECT pg_temp.is(pg_temp.outcome($$
   UPDATE events
   SET invalidated = true
   WHERE chain_id = -1 AND block_number > 99
$$), 'accepted', 'marking the events above a fork');

CALL pg_temp.finish();

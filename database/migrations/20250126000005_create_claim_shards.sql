-- A processor's query after each notification, in one round trip. Locks those of the wanted shards
-- that no other session holds, and the set of triggers against changes, until the transaction ends;
-- returns their next entries, each with its event's present row. A shard without entries has one
-- row, too.
--
-- Advisory locks, because a row lock would take a transaction id for the whole batch and hold every
-- other shard's horizon back; like a row lock they end with the connection. Any role may take them,
-- so `status`, `doctor` and `/ready` name a holder that is no processor.
--
-- Each statement has a snapshot of its own: that of the entries is later than the locks. Only
-- entries below its horizon are returned: every transaction with a smaller id has ended, so no
-- entry can appear before them.
CREATE OR REPLACE FUNCTION claim_shards(
    wanted              BIGINT[],
    -- Of all shards together. Each has its share, lest only the first one is judged.
    entries_max         INTEGER,
    -- If the arguments together are longer, only the first entries are returned, at least one.
    arguments_bytes_max BIGINT
) RETURNS TABLE (
    shard BIGINT, cursor_xid XID8, cursor_seq BIGINT, cursor_block_time BIGINT, cursor_holder TEXT,
    head_block BIGINT, safe_block BIGINT, finalized_block BIGINT, waits BOOLEAN,
    triggers_revision BIGINT,
    xid XID8, seq BIGINT, event_id TEXT, event_timestamp BIGINT, revision INTEGER,
    invalidated BOOLEAN, logged_at_ms BIGINT,
    reported_head BIGINT, reported_safe BIGINT, reported_finalized BIGINT,
    -- The row. `row_revision` is NULL if it is deleted.
    row_revision INTEGER, block_number BIGINT, block_hash TEXT, transaction_hash TEXT,
    log_index INTEGER, event_type TEXT, registry TEXT, agent_id TEXT, address TEXT,
    topics TEXT, data TEXT,
    -- True if there are arguments beyond the limits: the row was stored without our trigger.
    is_unreadable BOOLEAN
)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    locked   BIGINT[];
    entries  public.event_log[];
    earliest BIGINT;
    latest   BIGINT;
BEGIN
    locked := ARRAY(
        SELECT w.chain_id FROM unnest(wanted) WITH ORDINALITY AS w (chain_id, place)
        WHERE pg_try_advisory_xact_lock(
                  hashtextextended('agentauri shard ' || w.chain_id::text, 0))
        ORDER BY w.place);
    IF cardinality(locked) = 0 THEN
        RETURN;
    END IF;
    -- A table's lock takes no transaction id either, and strangers have no right to take it.
    LOCK TABLE public.trigger_set IN SHARE MODE;

    -- Entries of the array's own type: others would be cast through their text.
    SELECT array_agg(l.entry ORDER BY s.place, l.xid, l.seq), min(l.event_timestamp),
           max(l.event_timestamp)
    INTO entries, earliest, latest
    FROM unnest(locked) WITH ORDINALITY AS s (chain_id, place)
    LEFT JOIN public.shard_cursors c ON c.chain_id = s.chain_id
    CROSS JOIN LATERAL (
        SELECT e AS entry, e.xid, e.seq, e.event_timestamp
        FROM public.event_log e
        WHERE e.chain_id = s.chain_id
          AND (e.xid, e.seq) > (coalesce(c.xid, '0'), coalesce(c.seq, 0))
          AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY e.xid, e.seq
        LIMIT (entries_max + cardinality(locked) - 1) / cardinality(locked)
    ) AS l;

    -- The bounds on the block time exclude the other chunks of a hypertable. Each row is looked up
    -- by its key: in a join the planner might scan all rows between these bounds.
    --
    -- Arguments are written out once, and measured as written: a stored kilobyte may be megabytes.
    -- The window's rows come one by one, and end with the last wanted one, because the planner
    -- knows that a count only rises, which it does not know of a sum. The counts are of arguments
    -- so long that they fill the room, or take as long to read: nested lists are stored in four
    -- times their text. (A window that exceeds work_mem reads to the end; our sessions have
    -- enough.)
    RETURN QUERY
    SELECT s.chain_id, c.xid, c.seq, c.block_time, c.holder,
           c.head_block, c.safe_block, c.finalized_block,
           EXISTS (SELECT FROM public.waiting_events w WHERE w.chain_id = s.chain_id),
           (SELECT t.revision FROM public.trigger_set t),
           e.xid, e.seq, e.event_id, e.event_timestamp, e.revision, e.invalidated,
           (extract(epoch FROM e.logged_at) * 1000)::bigint,
           e.checkpoint_block, e.safe_block, e.finalized_block,
           e.row_revision, e.block_number, e.block_hash, e.transaction_hash, e.log_index,
           e.event_type, e.registry, e.agent_id::text, e.address, to_jsonb(e.topics)::text,
           e.data,
           e.has_data AND e.data IS NULL
    FROM unnest(locked) AS s (chain_id)
    LEFT JOIN public.shard_cursors c ON c.chain_id = s.chain_id
    LEFT JOIN (
        SELECT l.*, r.revision AS row_revision, r.block_number, r.block_hash, r.transaction_hash,
               r.log_index, r.event_type, r.registry, r.agent_id, r.address, r.topics, r.data,
               r.has_data,
               coalesce(sum(octet_length(r.data)) OVER until, 0)
                   - coalesce(octet_length(r.data), 0) AS bytes_before,
               count(*) FILTER (WHERE octet_length(r.data) >= arguments_bytes_max / 128)
                   OVER until AS long,
               count(*) FILTER (WHERE octet_length(r.data) >= arguments_bytes_max / 16)
                   OVER until AS longer,
               count(*) FILTER (WHERE octet_length(r.data) >= arguments_bytes_max / 8)
                   OVER until AS longest
        FROM unnest(entries) WITH ORDINALITY
             AS l (chain_id, xid, seq, event_id, event_timestamp, revision, invalidated,
                   checkpoint_block, safe_block, finalized_block, block_time, logged_at,
                   place)
        LEFT JOIN LATERAL (
            SELECT v.revision, v.block_number, v.block_hash, v.transaction_hash, v.log_index,
                   v.event_type, v.registry, v.agent_id, v.address,
                   CASE WHEN octet_length(v.topics::text) <= 4096 THEN v.topics END AS topics,
                   v.data IS NOT NULL AS has_data,
                   CASE WHEN pg_column_size(v.data) <= 1800
                             AND pg_column_compression(v.data) IS NULL
                        THEN v.data::text ELSE public.arguments_text(v.data) END AS data
            FROM public.events v
            WHERE v.id = l.event_id AND v."timestamp" = l.event_timestamp
              AND v."timestamp" BETWEEN earliest AND latest
            LIMIT 1
        ) AS r ON true
        WINDOW until AS (ORDER BY l.place ROWS UNBOUNDED PRECEDING)
    ) AS e ON e.chain_id = s.chain_id AND e.bytes_before < arguments_bytes_max
              AND e.long <= 128 AND e.longer <= 16 AND e.longest <= 2
    ORDER BY e.place;
END
$$;

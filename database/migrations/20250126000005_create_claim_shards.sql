-- What a processor asks at each bell, in one round trip: takes those of the wanted shards that
-- nobody else has, and the set of triggers against changes, until the transaction ends; and gives
-- their next entries, each with its event's row as it is now. A shard without entries has one row
-- all the same.
--
-- Advisory locks, because a row lock would take a transaction id for the whole batch and hold
-- every other shard's horizon back; they end with the connection as a row lock does. Any role may
-- take them: `status`, `doctor` and `/ready` name a holder who is no processor.
--
-- Each statement has a snapshot of its own: the entries' is later than the locks. Only what lies
-- below its horizon is handed out: every transaction with a smaller number has ended, so nothing
-- can appear in front of it any more.
CREATE OR REPLACE FUNCTION claim_shards(
    wanted              BIGINT[],
    -- Of all shards together. Each has its share, or the first would be all that is judged.
    entries_max         INTEGER,
    -- Where the arguments together are longer, only the first entries come, at least one. What is
    -- stored as it is counts so; only what is compressed has to be written out to be counted.
    arguments_bytes_max BIGINT
) RETURNS TABLE (
    shard BIGINT, cursor_xid XID8, cursor_seq BIGINT, cursor_block_time BIGINT, cursor_holder TEXT,
    head_block BIGINT, safe_block BIGINT, finalized_block BIGINT, waits BOOLEAN,
    triggers_revision BIGINT,
    xid XID8, seq BIGINT, event_id TEXT, event_timestamp BIGINT, revision INTEGER,
    invalidated BOOLEAN, logged_at_ms BIGINT,
    reported_head BIGINT, reported_safe BIGINT, reported_finalized BIGINT,
    -- The row. `row_revision` is null where it is deleted.
    row_revision INTEGER, block_number BIGINT, block_hash TEXT, transaction_hash TEXT,
    log_index INTEGER, event_type TEXT, registry TEXT, agent_id TEXT, address TEXT, data TEXT
)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    locked   BIGINT[];
    entries  event_log[];
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
    -- A table's lock takes no transaction id either, and strangers have no right to it.
    LOCK TABLE public.trigger_set IN SHARE MODE;

    SELECT array_agg(l ORDER BY s.place, l.xid, l.seq), min(l.event_timestamp),
           max(l.event_timestamp)
    INTO entries, earliest, latest
    FROM unnest(locked) WITH ORDINALITY AS s (chain_id, place)
    LEFT JOIN shard_cursors c ON c.chain_id = s.chain_id
    CROSS JOIN LATERAL (
        SELECT * FROM event_log e
        WHERE e.chain_id = s.chain_id
          AND (e.xid, e.seq) > (coalesce(c.xid, '0'), coalesce(c.seq, 0))
          AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY e.xid, e.seq
        LIMIT (entries_max + cardinality(locked) - 1) / cardinality(locked)
    ) AS l;

    -- The bounds on the block time keep the other chunks of a hypertable out of it. Each row is
    -- looked up by its key: joined, the planner may rather go through all between these bounds.
    RETURN QUERY
    SELECT s.chain_id, c.xid, c.seq, c.block_time, c.holder,
           c.head_block, c.safe_block, c.finalized_block,
           EXISTS (SELECT FROM waiting_events w WHERE w.chain_id = s.chain_id),
           (SELECT t.revision FROM trigger_set t),
           e.xid, e.seq, e.event_id, e.event_timestamp, e.revision, e.invalidated,
           (extract(epoch FROM e.logged_at) * 1000)::bigint,
           e.checkpoint_block, e.safe_block, e.finalized_block,
           e.row_revision, e.block_number, e.block_hash, e.transaction_hash, e.log_index,
           e.event_type, e.registry, e.agent_id::text, e.address, e.data::text
    FROM unnest(locked) AS s (chain_id)
    LEFT JOIN shard_cursors c ON c.chain_id = s.chain_id
    LEFT JOIN (
        SELECT l.*, r.revision AS row_revision, r.block_number, r.block_hash, r.transaction_hash,
               r.log_index, r.event_type, r.registry, r.agent_id, r.address, r.data,
               coalesce(sum(CASE WHEN pg_column_compression(r.data) IS NULL
                                 THEN pg_column_size(r.data)
                                 ELSE octet_length(r.data::text) END) OVER (
                   ORDER BY l.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
               ), 0) AS bytes_before
        FROM unnest(entries) WITH ORDINALITY
             AS l (chain_id, xid, seq, event_id, event_timestamp, revision, invalidated,
                   checkpoint_block, safe_block, finalized_block, logged_at, place)
        LEFT JOIN LATERAL (
            SELECT * FROM events v
            WHERE v.id = l.event_id AND v."timestamp" = l.event_timestamp
              AND v."timestamp" BETWEEN earliest AND latest
            LIMIT 1
        ) AS r ON true
    ) AS e ON e.chain_id = s.chain_id AND e.bytes_before < arguments_bytes_max
    ORDER BY e.place;
END
$$;

-- The progress of each shard: everything in its log up to (xid, seq) is judged, and nothing beyond.
CREATE TABLE IF NOT EXISTS shard_cursors (
    chain_id          BIGINT      PRIMARY KEY,
    xid               XID8        NOT NULL DEFAULT '0',
    seq               BIGINT      NOT NULL DEFAULT 0,
    -- The latest block time judged, unix seconds: the present of the triggers' state.
    block_time        BIGINT      NOT NULL DEFAULT 0,
    -- The chain's heights in the log up to here, for the triggers' finality.
    head_block        BIGINT,
    safe_block        BIGINT,
    finalized_block   BIGINT,
    -- The set of triggers that the last batch was judged by.
    triggers_revision BIGINT      NOT NULL DEFAULT 0,
    -- The processor that committed the last batch, and the number of changes of the processor.
    holder            TEXT,
    generation        BIGINT      NOT NULL DEFAULT 0,
    entries_judged    BIGINT      NOT NULL DEFAULT 0,
    -- Entries whose event had been deleted before it was judged.
    entries_gone      BIGINT      NOT NULL DEFAULT 0,
    -- Events that came, or were invalidated, too late for the state of a trigger.
    events_late       BIGINT      NOT NULL DEFAULT 0,
    updated_at        TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- The cluster whose transaction ids the log has: a row that names the transaction that wrote it,
-- which stays true in a physical copy. A restored dump writes the row anew, in a transaction of the
-- new cluster: then the ids in the log and its cursors are not this cluster's.
CREATE TABLE IF NOT EXISTS log_origin (
    singleton BOOLEAN PRIMARY KEY DEFAULT true CHECK (singleton),
    xid       XID8    NOT NULL DEFAULT pg_current_xact_id()
);
INSERT INTO log_origin DEFAULT VALUES ON CONFLICT DO NOTHING;

-- xmin, a row's own transaction id, is the lower half of `xid`.
CREATE OR REPLACE FUNCTION log_is_restored() RETURNS BOOLEAN
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT xmin::text::bigint <> xid::text::bigint & 4294967295 FROM public.log_origin;
$$;

-- After a restore: gives the restored entries positions before all that this cluster has written
-- and ever will, in their old order, and moves the cursors along. Judged entries stay judged, the
-- others will be. Returns the number of entries still to judge.
--
-- A dump makes its triggers after its rows, so nothing is logged before all is restored, and rows
-- that are not younger than that of `log_origin` are the dump's.
CREATE OR REPLACE FUNCTION renumber_restored_log() RETURNS BIGINT
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    restored_age INTEGER;
BEGIN
    LOCK TABLE public.log_origin, public.shard_cursors, public.event_log IN ACCESS EXCLUSIVE MODE;
    IF NOT public.log_is_restored() THEN
        RAISE EXCEPTION 'the log and its cursors are of this cluster: nothing to renumber'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT age(xmin) INTO restored_age FROM public.log_origin;
    WITH restored AS (
        DELETE FROM public.event_log WHERE age(xmin) >= restored_age RETURNING *
    ), renumbered AS (
        SELECT *, row_number() OVER (PARTITION BY chain_id ORDER BY xid, seq) AS place
        FROM restored
    ), moved AS (
        UPDATE public.shard_cursors c
        SET xid = '0',
            seq = (SELECT count(*) FROM renumbered r
                   WHERE r.chain_id = c.chain_id AND (r.xid, r.seq) <= (c.xid, c.seq))
        WHERE age(c.xmin) >= restored_age
    )
    INSERT INTO public.event_log (
        chain_id, xid, seq, event_id, event_timestamp, revision, invalidated, checkpoint_block,
        safe_block, finalized_block, block_time, logged_at)
    OVERRIDING SYSTEM VALUE
    SELECT chain_id, '0', place, event_id, event_timestamp, revision, invalidated,
           checkpoint_block, safe_block, finalized_block, block_time, logged_at
    FROM renumbered;
    UPDATE public.log_origin SET xid = pg_current_xact_id();
    RETURN (SELECT count(*)
            FROM public.event_log l LEFT JOIN public.shard_cursors c USING (chain_id)
            WHERE (l.xid, l.seq) > (coalesce(c.xid, '0'), coalesce(c.seq, 0)));
END
$$;

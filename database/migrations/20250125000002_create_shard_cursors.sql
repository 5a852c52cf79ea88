-- How far each shard has been judged: everything in its log up to (xid, seq), and nothing beyond.
CREATE TABLE IF NOT EXISTS shard_cursors (
    chain_id          BIGINT      PRIMARY KEY,
    xid               XID8        NOT NULL DEFAULT '0',
    seq               BIGINT      NOT NULL DEFAULT 0,
    -- The latest block time judged, unix seconds: what state is kept against.
    block_time        BIGINT      NOT NULL DEFAULT 0,
    -- The set of triggers that the last batch was judged by.
    triggers_revision BIGINT      NOT NULL DEFAULT 0,
    -- The processor that committed the last batch, and how often the shard changed hands.
    holder            TEXT,
    generation        BIGINT      NOT NULL DEFAULT 0,
    entries_judged    BIGINT      NOT NULL DEFAULT 0,
    -- Entries whose event had been deleted before it was judged.
    entries_gone      BIGINT      NOT NULL DEFAULT 0,
    -- Events that came, or were taken back, later than the state of a trigger keeps.
    events_late       BIGINT      NOT NULL DEFAULT 0,
    updated_at        TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- After a dump was restored into another cluster, whose transaction ids are smaller: gives the
-- restored entries places in front of all that this cluster will ever write, in the order they had,
-- and moves the cursors along. What was judged stays judged, what was not will be. Entries that this
-- cluster has written already stay where they are: they name the transaction that wrote their rows,
-- or at least their `seq` goes on where the dump's ended. Gives the number of entries that are still
-- to be judged.
CREATE OR REPLACE FUNCTION renumber_restored_log() RETURNS BIGINT
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    next_xid XID8;
    last_seq BIGINT;
BEGIN
    LOCK TABLE shard_cursors, event_log IN ACCESS EXCLUSIVE MODE;
    next_xid := pg_snapshot_xmax(pg_current_snapshot());
    IF NOT EXISTS (SELECT FROM shard_cursors WHERE xid >= next_xid
                   UNION ALL SELECT FROM event_log WHERE xid >= next_xid) THEN
        RAISE EXCEPTION 'the log and its cursors are of this cluster: nothing to renumber'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT max(seq) INTO last_seq FROM (
        SELECT seq FROM event_log WHERE xid >= next_xid
        UNION ALL SELECT seq FROM shard_cursors
    ) AS restored;
    WITH restored AS (
        DELETE FROM event_log
        WHERE xid >= next_xid OR xid = '0'
            OR (seq <= last_seq
                -- A row's own is of 32 bits; in a savepoint it is another one than its entry's.
                AND xmin::text::bigint <> xid::text::bigint & 4294967295)
        RETURNING *
    ), renumbered AS (
        SELECT *, row_number() OVER (PARTITION BY chain_id ORDER BY xid, seq) AS place
        FROM restored
    ), moved AS (
        UPDATE shard_cursors c
        SET xid = '0',
            seq = (SELECT count(*) FROM renumbered r
                   WHERE r.chain_id = c.chain_id AND (r.xid, r.seq) <= (c.xid, c.seq))
    )
    INSERT INTO event_log (chain_id, xid, seq, event_id, event_timestamp, revision, invalidated,
                           checkpoint_block) OVERRIDING SYSTEM VALUE
    SELECT chain_id, '0', place, event_id, event_timestamp, revision, invalidated, checkpoint_block
    FROM renumbered;
    RETURN (SELECT count(*) FROM event_log l LEFT JOIN shard_cursors c USING (chain_id)
            WHERE (l.xid, l.seq) > (coalesce(c.xid, '0'), coalesce(c.seq, 0)));
END
$$;

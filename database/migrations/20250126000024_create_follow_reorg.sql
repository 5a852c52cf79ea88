-- Follows a reorganisation for one reader of a chain: takes its blocks above the fork out,
-- remembers them as orphaned, and, as far as the reader may, invalidates the events that stand on
-- them and sets checkpoint and safe block back to the fork. Our indexer, the auditor and Ponder's
-- triggers call it, each for its own blocks in `observed_blocks`. The outcome is `followed`; or
-- nothing was changed, and it is
--     tip_moved        the reader's highest block is another by now: the branches are to be
--                      compared again;
--     below_finalized  a finalized block would be replaced, and no reorganisation is followed
--                      below one.
CREATE OR REPLACE FUNCTION follow_reorg(
    of_chain BIGINT,
    of_reader TEXT,
    -- The reader's highest block when the branches were compared. NULL where the caller has just
    -- read it in this transaction.
    tip_number BIGINT,
    tip_hash TEXT,
    -- The last block that both branches have. It may lie below the reader's first one.
    fork_number BIGINT,
    fork_hash TEXT,
    -- Its time, unix seconds. NULL where the reader has observed the block.
    fork_time BIGINT,
    -- Hashes of the new branch from the block above the fork up, as far as they are known.
    branch TEXT[],
    -- Whether the branch ends there. Ponder learns its own block by block.
    is_whole BOOLEAN,
    may_set_checkpoint BOOLEAN,
    may_invalidate BOOLEAN,
    may_finalize BOOLEAN,
    OUT outcome TEXT,
    OUT events_invalidated BIGINT)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tip RECORD;
    time_of_fork BIGINT := coalesce(fork_time, (
        SELECT "timestamp" FROM public.observed_blocks
        WHERE (chain_id, reader, block_number, block_hash)
            = (of_chain, of_reader, fork_number, fork_hash)));
    orphaned TEXT[];
BEGIN
    events_invalidated := 0;
    PERFORM public.lock_chain(of_chain);
    SELECT block_number, block_hash INTO tip FROM public.observed_blocks
    WHERE chain_id = of_chain AND reader = of_reader
    ORDER BY block_number DESC LIMIT 1 FOR UPDATE;
    IF tip_hash IS NOT NULL
       AND (tip.block_number, tip.block_hash) IS DISTINCT FROM (tip_number, tip_hash) THEN
        outcome := 'tip_moved';
        RETURN;
    END IF;
    -- Of a branch that goes on, blocks above its known ones may be final: unless that one is the
    -- reader's own, which goes.
    IF EXISTS (
        SELECT FROM public.chain_heights f
        WHERE f.chain_id = of_chain AND f.kind = 'finalized' AND f.block_number > fork_number
            AND branch[(f.block_number - fork_number)::integer] IS DISTINCT FROM f.block_hash
            AND (is_whole OR f.block_number - fork_number <= cardinality(branch) OR EXISTS (
                SELECT FROM public.observed_blocks b
                WHERE (b.chain_id, b.reader, b.block_number, b.block_hash)
                    = (of_chain, of_reader, f.block_number, f.block_hash)))) THEN
        outcome := 'below_finalized';
        RETURN;
    END IF;
    outcome := 'followed';
    UPDATE public.chain_locks SET reorgs = reorgs + 1 WHERE chain_id = of_chain;
    WITH gone AS (
        DELETE FROM public.observed_blocks
        WHERE chain_id = of_chain AND reader = of_reader AND block_number > fork_number
        RETURNING block_number, block_hash, parent_hash, "timestamp"
    ), kept AS (
        INSERT INTO public.orphaned_blocks (
            chain_id, block_hash, block_number, parent_hash, "timestamp", replaced_by, fork_block)
        SELECT of_chain, gone.block_hash, gone.block_number, gone.parent_hash, gone."timestamp",
            new.hash, fork_number
        FROM gone
        LEFT JOIN unnest(branch) WITH ORDINALITY AS new (hash, place)
            ON gone.block_number = fork_number + new.place
        ON CONFLICT (chain_id, block_hash) DO UPDATE SET
            -- A reader that saw less of the new branch forgets nothing of it.
            replaced_by = coalesce(EXCLUDED.replaced_by, CASE
                WHEN orphaned_blocks.fork_block = EXCLUDED.fork_block
                THEN orphaned_blocks.replaced_by END),
            fork_block = EXCLUDED.fork_block,
            orphaned_at = EXCLUDED.orphaned_at
    )
    SELECT coalesce(array_agg(block_hash), '{}') INTO orphaned FROM gone;
    IF may_invalidate THEN
        -- Whoever wrote them: what carries another hash is proved by nothing to be replaced. The
        -- auditor remembers which these were, so that they can come back.
        WITH taken AS (
            UPDATE public.events SET invalidated = true
            WHERE chain_id = of_chain AND block_number > fork_number AND NOT invalidated
                AND public.comparable_hash(block_hash) = ANY (orphaned)
            RETURNING id, "timestamp", public.comparable_hash(block_hash) AS hash, revision
        ), remembered AS (
            INSERT INTO public.audit_invalidations (
                event_id, event_timestamp, chain_id, block_hash, revision)
            SELECT id, "timestamp", of_chain, hash, revision FROM taken
            WHERE of_reader = 'auditor'
            ON CONFLICT (event_id, event_timestamp) DO UPDATE SET
                block_hash = EXCLUDED.block_hash, revision = EXCLUDED.revision
        )
        SELECT count(*) INTO events_invalidated FROM taken;
    END IF;
    -- What has been read whole is our indexer's to say.
    IF of_reader = 'indexer' THEN
        DELETE FROM public.covered_ranges WHERE chain_id = of_chain AND first_block > fork_number;
        UPDATE public.covered_ranges SET last_block = fork_number, last_hash = fork_hash
        WHERE chain_id = of_chain AND last_block > fork_number;
    END IF;
    IF may_finalize THEN
        -- What was safe is not always final.
        UPDATE public.chain_heights
        SET block_number = fork_number, block_hash = fork_hash, block_time = time_of_fork,
            updated_at = now()
        WHERE chain_id = of_chain AND kind = 'safe' AND block_number > fork_number
            -- Another reader may have raised it on the new branch.
            AND branch[(block_number - fork_number)::integer] IS DISTINCT FROM block_hash;
    END IF;
    IF may_set_checkpoint THEN
        UPDATE public.checkpoints
        SET block_number = fork_number, block_hash = fork_hash, updated_at = now(),
            said_time = time_of_fork, said_hash = fork_hash
        WHERE chain_id = of_chain AND block_number > fork_number;
    END IF;
END
$$;

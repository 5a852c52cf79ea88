-- True if a branch above a fork leaves out the chain's finalized block: no reorganisation is
-- followed there. A branch that goes on above its known blocks may still come to it, unless a
-- reader that has observed the finalized block has another one than the branch above the fork.
CREATE OR REPLACE FUNCTION leaves_finalized(
    of_chain BIGINT, fork_number BIGINT, branch TEXT[], is_whole BOOLEAN)
RETURNS BOOLEAN
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    final RECORD;
BEGIN
    SELECT block_number, block_hash INTO final FROM public.chain_heights
    WHERE chain_id = of_chain AND kind = 'finalized' AND block_number > fork_number;
    IF NOT FOUND
       OR branch[(final.block_number - fork_number)::integer] IS NOT DISTINCT FROM final.block_hash
    THEN
        RETURN false;
    END IF;
    RETURN is_whole OR final.block_number - fork_number <= cardinality(branch) OR EXISTS (
        SELECT FROM (
            VALUES ('indexer'), ('auditor')
            UNION ALL
            SELECT schema_name FROM public.ponder_schemas WHERE chain_id = of_chain
        ) AS r (reader)
        -- Looked up by the key, whatever the planner believes of the table.
        WHERE (SELECT b.block_hash FROM public.observed_blocks b
               WHERE (b.chain_id, b.reader, b.block_number)
                   = (of_chain, r.reader, final.block_number)) = final.block_hash
            AND (SELECT b.block_hash FROM public.observed_blocks b
                 WHERE (b.chain_id, b.reader, b.block_number)
                     = (of_chain, r.reader, fork_number + 1)) <> branch[1]);
END
$$;

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
    orphaned public.observed_blocks[];
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
    IF public.leaves_finalized(of_chain, fork_number, branch, is_whole) THEN
        outcome := 'below_finalized';
        RETURN;
    END IF;
    outcome := 'followed';
    UPDATE public.chain_locks SET reorgs = reorgs + 1 WHERE chain_id = of_chain;
    WITH gone AS (
        DELETE FROM public.observed_blocks b
        WHERE chain_id = of_chain AND reader = of_reader AND block_number > fork_number
        RETURNING b AS block
    )
    SELECT coalesce(array_agg(block), '{}') INTO orphaned FROM gone;
    PERFORM public.remember_orphaned(orphaned, fork_number, branch, true);
    IF may_invalidate THEN
        events_invalidated := public.invalidate_blocks(
            of_chain, fork_number + 1, 9223372036854775807,
            ARRAY(SELECT block_hash FROM unnest(orphaned)), of_reader = 'auditor');
    END IF;
    -- Only our indexer sets covered ranges.
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
        PERFORM public.set_checkpoint(of_chain, fork_number, fork_hash, time_of_fork)
        FROM public.checkpoints WHERE chain_id = of_chain AND block_number > fork_number;
    END IF;
END
$$;

-- Blocks that a reorganisation took out of `observed_blocks`, or that the auditor found aside from
-- the chain: by which block of their height they were replaced, and when. One that is on the chain
-- again stays here.
CREATE TABLE IF NOT EXISTS orphaned_blocks (
    chain_id     BIGINT      NOT NULL,
    block_hash   TEXT        NOT NULL,
    block_number BIGINT      NOT NULL,
    parent_hash  TEXT        NOT NULL,
    -- Block time, unix seconds.
    "timestamp"  BIGINT      NOT NULL,
    -- The new branch's block of the same height, where it was that high when it was looked at.
    replaced_by  TEXT,
    -- Height of the last block that both branches have.
    fork_block   BIGINT      NOT NULL,
    orphaned_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- A block that came back and was orphaned again has one row, of the last time.
    PRIMARY KEY (chain_id, block_hash)
);

-- Remembers blocks above a fork as orphaned. Of one that is remembered already the latest
-- reorganisation counts; a block that was only found aside from the chain changes nothing of it.
CREATE OR REPLACE FUNCTION remember_orphaned(
    blocks observed_blocks[],
    fork_number BIGINT,
    -- Hashes of the chain from the block above the fork up, as far as they are known.
    branch TEXT[],
    was_on_chain BOOLEAN)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.orphaned_blocks AS o (
        chain_id, block_hash, block_number, parent_hash, "timestamp", replaced_by, fork_block)
    SELECT chain_id, block_hash, block_number, parent_hash, "timestamp",
        branch[(block_number - fork_number)::integer], fork_number
    FROM unnest(blocks)
    ON CONFLICT (chain_id, block_hash) DO UPDATE SET
        -- A reader that saw less of the new branch forgets nothing of it.
        replaced_by = coalesce(EXCLUDED.replaced_by, CASE
            WHEN o.fork_block = EXCLUDED.fork_block THEN o.replaced_by END),
        fork_block = EXCLUDED.fork_block,
        orphaned_at = EXCLUDED.orphaned_at
    WHERE was_on_chain;
END
$$;

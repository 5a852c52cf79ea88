-- Blocks that a reorganisation took out of `observed_blocks`: what was replaced, by what, and when.
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

-- The blocks that each reader of a chain has seen on it, and sees there still: by them it resumes
-- and recognises a fork. A block that a reorganisation takes out stands in `orphaned_blocks` from
-- then on, whether a node still knows it or not; one that is dropped below the finalized block does
-- not.
CREATE TABLE IF NOT EXISTS observed_blocks (
    chain_id     BIGINT NOT NULL,
    -- `indexer`: the blocks that our indexer has stored. `auditor`: headers without a gap from the
    -- finalized block up, where the auditor is the chain's writer. Else a schema of Ponder's: the
    -- last blocks that it has passed.
    reader       TEXT   NOT NULL,
    block_number BIGINT NOT NULL,
    block_hash   TEXT   NOT NULL,
    parent_hash  TEXT   NOT NULL,
    -- Block time, unix seconds.
    "timestamp"  BIGINT NOT NULL,
    -- When the block was observed. Of our indexer's, the time of its logs' entries in the log: an
    -- entry of another time came from another writer, or in a later reading of the block.
    stored_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, reader, block_number)
);

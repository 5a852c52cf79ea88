-- Our own indexer's ancestry: the blocks it has stored, by which it resumes and recognises a fork.
CREATE TABLE IF NOT EXISTS chain_blocks (
    chain_id     BIGINT NOT NULL,
    block_number BIGINT NOT NULL,
    block_hash   TEXT   NOT NULL,
    parent_hash  TEXT   NOT NULL,
    -- Block time, unix seconds.
    "timestamp"  BIGINT NOT NULL,
    -- When its logs were stored, as their entries of the log say it: one of another time came from
    -- somebody else, or in a later reading of the block.
    stored_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, block_number)
);

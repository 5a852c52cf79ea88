-- The auditor's ancestry on chains whose writer it is: headers that it saw on the chain, without a
-- gap from the finalized block up. A block that was here and is not any more is proved replaced,
-- and stands in `orphaned_blocks` from then on, whether a node still knows it or not.
CREATE TABLE IF NOT EXISTS audited_blocks (
    chain_id     BIGINT NOT NULL,
    block_number BIGINT NOT NULL,
    block_hash   TEXT   NOT NULL,
    parent_hash  TEXT   NOT NULL,
    -- Block time, unix seconds.
    "timestamp"  BIGINT NOT NULL,
    PRIMARY KEY (chain_id, block_number)
);

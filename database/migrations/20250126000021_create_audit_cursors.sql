-- How far the auditor has read the log of each shard: every event that arrives is compared once
-- with the chain, whatever the height of its block.
CREATE TABLE IF NOT EXISTS audit_cursors (
    chain_id   BIGINT      PRIMARY KEY,
    -- The log's cluster (`log_origin`): a log that was renumbered is read again from its beginning.
    origin     XID8        NOT NULL,
    xid        XID8        NOT NULL DEFAULT '0',
    seq        BIGINT      NOT NULL DEFAULT 0,
    -- What had arrived before is compared from this block up only.
    began_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    from_block BIGINT      NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Blocks that stored events name and that the chain is not known to have: to be looked at.
CREATE TABLE IF NOT EXISTS audit_suspects (
    chain_id     BIGINT      NOT NULL,
    block_number BIGINT      NOT NULL,
    -- In lower case; of what is too long to be a hash, the beginning.
    block_hash   TEXT        NOT NULL,
    -- new: not looked at yet, or the chain is not that high. unknown: the chain has another block
    -- at that height, and nothing proves that this one was ever replaced.
    state        TEXT        NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'unknown')),
    looks        INTEGER     NOT NULL DEFAULT 0,
    seen_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    next_look_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, block_number, block_hash),
    CONSTRAINT audit_suspects_hash_length CHECK (length(block_hash) <= 100)
);

-- The auditor asks for what is due.
CREATE INDEX IF NOT EXISTS audit_suspects_due ON audit_suspects (chain_id, next_look_at);

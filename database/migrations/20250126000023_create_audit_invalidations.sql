-- Events that the auditor has taken back, in the revision that this made of them: where their block
-- returns and nobody has revised them since, they are valid again.
CREATE TABLE IF NOT EXISTS audit_invalidations (
    event_id        TEXT    NOT NULL,
    event_timestamp BIGINT  NOT NULL,
    chain_id        BIGINT  NOT NULL,
    -- In lower case.
    block_hash      TEXT    NOT NULL,
    revision        INTEGER NOT NULL,
    PRIMARY KEY (event_id, event_timestamp)
);

-- A block that returns asks for its own.
CREATE INDEX IF NOT EXISTS audit_invalidations_block ON audit_invalidations (chain_id, block_hash);

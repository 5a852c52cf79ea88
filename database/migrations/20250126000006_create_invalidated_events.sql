-- Events that were judged and then invalidated, for a week. A transaction that a reorg took out of
-- the chain usually comes back in another block, and its events with it, under other names: what
-- is judged then is linked to what it was.
CREATE TABLE IF NOT EXISTS invalidated_events (
    -- The order in which they were invalidated.
    seq              BIGINT      GENERATED ALWAYS AS IDENTITY,
    chain_id         BIGINT      NOT NULL,
    transaction_hash TEXT        NOT NULL,
    registry         TEXT        NOT NULL,
    event_type       TEXT        NOT NULL,
    log_index        INTEGER     NOT NULL,
    event_id         TEXT        NOT NULL,
    event_timestamp  BIGINT      NOT NULL,
    -- The last revision at which this was true.
    revision         INTEGER     NOT NULL,
    block_number     BIGINT      NOT NULL,
    block_hash       TEXT        NOT NULL,
    -- Whether another block has taken its name over: then what was beside it in its transaction is
    -- not told apart any more.
    is_replaced      BOOLEAN     NOT NULL,
    invalidated_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, seq),
    UNIQUE (event_id, event_timestamp, revision),
    -- What is longer is no hash, and would not fit into the index: it is linked to nothing.
    CONSTRAINT invalidated_events_hash_length
        CHECK (octet_length(transaction_hash) <= 100 AND octet_length(block_hash) <= 100)
);

-- Every job that is decided asks for its transaction here, nearly always in vain.
CREATE INDEX IF NOT EXISTS invalidated_events_transaction
    ON invalidated_events (chain_id, transaction_hash);

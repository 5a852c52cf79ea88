-- Events that were judged and then invalidated, for a week. A transaction that a reorg removed
-- usually returns in another block with its events under other names: the new events are linked to
-- these.
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
    -- The last valid revision.
    revision         INTEGER     NOT NULL,
    block_number     BIGINT      NOT NULL,
    block_hash       TEXT        NOT NULL,
    -- True if another block has taken its name over: then its neighbours in its transaction cannot
    -- be told apart any more.
    is_replaced      BOOLEAN     NOT NULL,
    invalidated_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, seq),
    UNIQUE (event_id, event_timestamp, revision),
    -- A longer text is no hash and would not fit into the index; such an event is not linked.
    CONSTRAINT invalidated_events_hash_length
        CHECK (octet_length(transaction_hash) <= 100 AND octet_length(block_hash) <= 100)
);

-- For every decided job, which looks up its transaction, nearly always without result.
CREATE INDEX IF NOT EXISTS invalidated_events_transaction
    ON invalidated_events (chain_id, transaction_hash);

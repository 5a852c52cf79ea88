-- What happened on a registry, one row a log. Written by an indexer, or by anybody: a writer needs
-- INSERT on this table and nothing else.
CREATE TABLE IF NOT EXISTS events (
    -- Our indexers write {chain_id}-{block_hash}-{log_index}; another writer's id should carry the
    -- block hash too, so that one log seen twice is one row and two branches are two.
    id               TEXT        NOT NULL,
    chain_id         BIGINT      NOT NULL,
    block_number     BIGINT      NOT NULL,
    block_hash       TEXT        NOT NULL,
    transaction_hash TEXT        NOT NULL,
    log_index        INTEGER     NOT NULL,
    -- The name of the event on chain; `unknown` where no decoder knows it.
    event_type       TEXT        NOT NULL,
    -- identity, reputation, validation, or whatever a writer calls its own.
    registry         TEXT        NOT NULL,
    -- Block time, unix seconds. Part of the event's name, and the hypertable's dimension.
    "timestamp"      BIGINT      NOT NULL,
    -- Whatever its writer says, and nothing hangs on it: the log has a time of its own.
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- uint256, the agent that the event is about.
    agent_id         NUMERIC(78, 0),
    -- Decoded arguments by name; integers wider than 32 bits are decimal strings. Of a log that is
    -- too long to be read, `log_data_bytes`.
    data             JSONB,
    -- The contract that emitted the log, and the raw log where no decoder knew it (0x hex).
    address          TEXT,
    topics           TEXT[],
    log_data         TEXT,
    -- True once the chain has taken the event back.
    invalidated      BOOLEAN     NOT NULL DEFAULT false,
    -- Rises each time `invalidated` or what the row says of the chain changes. Ours: an INSERT that
    -- says anything but 0 is refused.
    revision         INTEGER     NOT NULL DEFAULT 0,
    PRIMARY KEY (id, "timestamp"),
    -- The names keep the notification below NOTIFY's 8,000 bytes even if every byte is escaped to
    -- six. Everything else is asked by the log's trigger (20250123000004): each statement reads
    -- all CHECKs anew, which costs more than to ask them.
    CONSTRAINT events_name_length
        CHECK (octet_length(id) + octet_length(event_type) + octet_length(registry) <= 1200)
);

-- A row's block hash as it is compared, everywhere: writers are free in their hex, our own tables
-- of blocks hold lower case. Of what is too long to be a hash, the beginning.
CREATE OR REPLACE FUNCTION comparable_hash(block_hash TEXT) RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN lower(left(block_hash, 100) COLLATE "C");

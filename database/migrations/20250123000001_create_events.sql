-- Events of the registries, one row per log. A writer, ours or any other, needs INSERT on this
-- table and nothing else.
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
    -- identity, reputation, validation, or a writer's own.
    registry         TEXT        NOT NULL,
    -- Block time, unix seconds. Part of the event's name, and the hypertable's dimension.
    "timestamp"      BIGINT      NOT NULL,
    -- The writer's claim, which nothing relies on: the log has a time of its own.
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- uint256: the agent of the event.
    agent_id         NUMERIC(78, 0),
    -- Decoded arguments by name; integers wider than 32 bits are decimal strings. Of a log too long
    -- to be read, only `log_data_bytes`.
    data             JSONB,
    -- The contract that emitted the log, and the raw log where no decoder knew it (0x hex).
    address          TEXT,
    topics           TEXT[],
    log_data         TEXT,
    -- True once the chain has invalidated the event.
    invalidated      BOOLEAN     NOT NULL DEFAULT false,
    -- Rises with each change of `invalidated` or of the columns that describe the chain. It is
    -- ours: an INSERT with a value other than 0 is refused.
    revision         INTEGER     NOT NULL DEFAULT 0,
    PRIMARY KEY (id, "timestamp"),
    -- The names keep the notification below NOTIFY's 8,000 bytes even if every byte is escaped to
    -- six. The log's trigger (20250123000004) checks the other limits, because each statement
    -- parses all CHECKs anew, which costs more than checking them.
    CONSTRAINT events_name_length
        CHECK (octet_length(id) + octet_length(event_type) + octet_length(registry) <= 1200)
);

-- A row's block hash for comparisons: writers may use any case of hex, our own tables of blocks
-- hold lower case. Of a text too long for a hash, the beginning.
CREATE OR REPLACE FUNCTION comparable_hash(block_hash TEXT) RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN lower(left(block_hash, 100) COLLATE "C");

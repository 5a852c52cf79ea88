-- The state of triggers: an event, for each trigger that observes it. Written in the transaction
-- that moves the shard's cursor, so it is a function of the log up to the cursor.
CREATE TABLE IF NOT EXISTS trigger_observations (
    chain_id        BIGINT  NOT NULL,
    trigger_id      UUID    NOT NULL,
    -- The version at which this state began.
    lineage         INTEGER NOT NULL,
    -- The value of the trigger's `group_by`; empty without one.
    group_key       TEXT    NOT NULL,
    -- The event, and its position on the chain.
    event_id        TEXT    NOT NULL,
    event_timestamp BIGINT  NOT NULL,
    -- The bounded block time: the event's, or a minute after its entry if that is earlier.
    counted_at      BIGINT  NOT NULL,
    block_number    BIGINT  NOT NULL,
    log_index       INTEGER NOT NULL,
    event_revision  INTEGER NOT NULL,
    -- Its sample for each stateful function, in the order of the condition.
    samples         JSONB   NOT NULL,
    -- True if it fired, for the cooldown.
    fired           BOOLEAN NOT NULL,
    -- True if all earlier observations have been dropped; averages continue from here.
    base            BOOLEAN NOT NULL,
    -- The shard's block time from which it is not needed.
    expires_at      BIGINT  NOT NULL,
    -- For an invalidation: all observations of its event.
    PRIMARY KEY (chain_id, event_timestamp, event_id, trigger_id, lineage)
);

-- For a batch: the groups of its events.
CREATE INDEX IF NOT EXISTS trigger_observations_group
    ON trigger_observations (trigger_id, lineage, chain_id, group_key);
-- For a batch's share of deleting expired rows.
CREATE INDEX IF NOT EXISTS trigger_observations_expired
    ON trigger_observations (chain_id, expires_at);

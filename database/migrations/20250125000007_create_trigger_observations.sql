-- What triggers with state remember: an event, for each trigger that observes it. Written in the
-- transaction that moves the shard's cursor, so it is a function of the log up to the cursor.
CREATE TABLE IF NOT EXISTS trigger_observations (
    chain_id        BIGINT  NOT NULL,
    trigger_id      UUID    NOT NULL,
    -- The version at which this state began.
    lineage         INTEGER NOT NULL,
    -- The value of the trigger's `group_by`; empty where it has none.
    group_key       TEXT    NOT NULL,
    -- The event, and its place on the chain.
    event_id        TEXT    NOT NULL,
    event_timestamp BIGINT  NOT NULL,
    -- The block time that counts: the event's, or a minute after its entry where that is earlier.
    counted_at      BIGINT  NOT NULL,
    block_number    BIGINT  NOT NULL,
    log_index       INTEGER NOT NULL,
    event_revision  INTEGER NOT NULL,
    -- What it gave to each stateful function, in the order of the condition.
    samples         JSONB   NOT NULL,
    -- Whether it fired: what a cooldown asks.
    fired           BOOLEAN NOT NULL,
    -- What was observed before it has been dropped; averages go on from here.
    base            BOOLEAN NOT NULL,
    -- The shard's block time from which nobody asks for it any more.
    expires_at      BIGINT  NOT NULL,
    -- An invalidation asks for all that remember its event.
    PRIMARY KEY (chain_id, event_timestamp, event_id, trigger_id, lineage)
);

-- A batch asks for the groups that its events fall into.
CREATE INDEX IF NOT EXISTS trigger_observations_group
    ON trigger_observations (trigger_id, lineage, chain_id, group_key);
-- Each batch deletes a little of what has expired.
CREATE INDEX IF NOT EXISTS trigger_observations_expired
    ON trigger_observations (chain_id, expires_at);

-- Triggers of the users: the events that they select, and their actions.
CREATE TABLE IF NOT EXISTS triggers (
    -- A function of (account, name): a trigger that is removed and comes back is the same one.
    id         UUID        PRIMARY KEY,
    account    TEXT        NOT NULL,
    name       TEXT        NOT NULL,
    -- active: judged. disabled: kept, not judged. removed: gone for its account, kept for history.
    state      TEXT        NOT NULL DEFAULT 'active',
    -- The version in force.
    version    INTEGER     NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (account, name),
    CONSTRAINT triggers_state CHECK (state IN ('active', 'disabled', 'removed'))
);

-- Lists go by name, past any number that have been removed.
CREATE INDEX IF NOT EXISTS triggers_kept ON triggers (account, name) WHERE state <> 'removed';

-- Each definition a trigger ever had; never changed.
CREATE TABLE IF NOT EXISTS trigger_versions (
    trigger_id      UUID        NOT NULL REFERENCES triggers (id),
    version         INTEGER     NOT NULL CHECK (version >= 1),
    -- The selectors and the condition as written, without the actions.
    definition      JSONB       NOT NULL,
    -- Block time from which it fires, unix seconds.
    since           BIGINT      NOT NULL,
    -- By chain: the height above which it fires, whatever the block time. Of a trigger that got its
    -- time when it was made, the heads of the chains whose blocks were late then.
    heads           JSONB,
    -- The version at which the trigger's state began: later versions that observe the same events
    -- continue it.
    lineage         INTEGER     NOT NULL CHECK (lineage BETWEEN 1 AND version),
    -- Its actions and the version of each, pairwise.
    action_ids      TEXT[]      NOT NULL,
    action_versions INTEGER[]   NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (trigger_id, version),
    CONSTRAINT trigger_versions_action_pairs
        CHECK (cardinality(action_ids) = cardinality(action_versions))
);

-- Each configuration of an action, never changed, so that a retraction reaches the receiver of its
-- message. The id is the user's, or the type and a hash of the destination. `config` has the keys
-- that are the type's own, each scalar as the text that the user wrote.
CREATE TABLE IF NOT EXISTS trigger_actions (
    trigger_id     UUID        NOT NULL REFERENCES triggers (id),
    action_id      TEXT        NOT NULL,
    version        INTEGER     NOT NULL CHECK (version >= 1),
    action_type    TEXT        NOT NULL,
    config         JSONB       NOT NULL,
    destination_id UUID        NOT NULL REFERENCES destinations (id),
    -- Its own terms of delivery: the pauses before its attempts, as `0s,5s,5m`, and the
    -- milliseconds after which a match is stale. NULL: as for all actions.
    retry          TEXT,
    expires_ms     BIGINT      CHECK (expires_ms BETWEEN 1000 AND 604800000),
    created_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (trigger_id, action_id, version)
);

-- For a destination: the actions that go there.
CREATE INDEX IF NOT EXISTS trigger_actions_destination ON trigger_actions (destination_id);

-- One row: the revision of all triggers together. A batch reads it first and judges by no older
-- set.
CREATE TABLE IF NOT EXISTS trigger_set (
    singleton BOOLEAN PRIMARY KEY DEFAULT true CHECK (singleton),
    revision  BIGINT  NOT NULL DEFAULT 0
);
INSERT INTO trigger_set DEFAULT VALUES ON CONFLICT DO NOTHING;

-- The triggers, each found by its agent, with its conditions and actions in the same row.
CREATE TABLE triggers (
    id         UUID           PRIMARY KEY,
    chain_id   BIGINT         NOT NULL,
    registry   TEXT           NOT NULL,
    event_type TEXT           NOT NULL,
    -- NULL: every agent.
    agent_id   NUMERIC(78, 0),
    active     BOOLEAN        NOT NULL DEFAULT true,
    conditions JSONB          NOT NULL,
    actions    JSONB          NOT NULL
);
CREATE INDEX triggers_agent ON triggers (chain_id, registry, agent_id) WHERE active;

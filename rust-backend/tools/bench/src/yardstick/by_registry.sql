-- The triggers, each with its conditions and actions in tables of their own.
CREATE TABLE triggers (
    id       UUID    PRIMARY KEY,
    chain_id BIGINT  NOT NULL,
    registry TEXT    NOT NULL,
    enabled  BOOLEAN NOT NULL DEFAULT true
);
CREATE INDEX triggers_chain_registry ON triggers (chain_id, registry) WHERE enabled;

CREATE TABLE trigger_conditions (
    id         BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    trigger_id UUID   NOT NULL REFERENCES triggers,
    field      TEXT   NOT NULL,
    operator   TEXT   NOT NULL,
    value      TEXT   NOT NULL
);
CREATE INDEX trigger_conditions_trigger ON trigger_conditions (trigger_id);

CREATE TABLE trigger_actions (
    id         BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    trigger_id UUID   NOT NULL REFERENCES triggers,
    config     JSONB  NOT NULL
);
CREATE INDEX trigger_actions_trigger ON trigger_actions (trigger_id);

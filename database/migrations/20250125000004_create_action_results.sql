-- Results of attempts, one row each. They outlive their trigger and event.
CREATE TABLE IF NOT EXISTS action_results (
    id              BIGINT      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    job_id          UUID        NOT NULL,
    trigger_id      UUID        NOT NULL,
    trigger_version INTEGER     NOT NULL,
    action_id       TEXT        NOT NULL,
    action_type     TEXT        NOT NULL,
    chain_id        BIGINT      NOT NULL,
    event_id        TEXT        NOT NULL,
    event_timestamp BIGINT      NOT NULL,
    event_revision  INTEGER     NOT NULL,
    attempt         INTEGER     NOT NULL CHECK (attempt >= 1),
    -- delivered: the receiver accepted it. failed: it did not. lost: the worker ended before
    -- recording.
    status          TEXT        NOT NULL CHECK (status IN ('delivered', 'failed', 'lost')),
    duration_ms     INTEGER     CHECK (duration_ms >= 0),
    http_status     SMALLINT,
    error           TEXT,
    -- The beginning of the receiver's answer.
    response        TEXT,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- True once the chain has invalidated the event.
    invalidated     BOOLEAN     NOT NULL DEFAULT false,
    UNIQUE (job_id, attempt)
);

CREATE INDEX IF NOT EXISTS action_results_created_at ON action_results (created_at);
CREATE INDEX IF NOT EXISTS action_results_event ON action_results (event_id, event_timestamp);

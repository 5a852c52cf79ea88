-- Chains that somebody cannot read, or has stopped reading: what `status` and `doctor` warn of,
-- whichever process it is in.
CREATE TABLE IF NOT EXISTS chain_problems (
    chain_id BIGINT      NOT NULL,
    -- Who reads it: our indexer, or the auditor.
    reader   TEXT        NOT NULL CHECK (reader IN ('indexer', 'auditor')),
    -- `failing` is tried again; `stopped` is an operator's matter. A reader that begins, or ends
    -- in order, takes its own row away.
    state    TEXT        NOT NULL CHECK (state IN ('failing', 'stopped')),
    problem  TEXT        NOT NULL,
    since    TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, reader)
);

-- Chains that our own configuration or a trigger has named.
CREATE TABLE IF NOT EXISTS named_chains (
    chain_id BIGINT      PRIMARY KEY,
    -- `file`: agentauri.toml, where it is read. `trigger`: its selectors.
    named_by TEXT        NOT NULL CHECK (named_by IN ('file', 'trigger')),
    named_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- The chains that somebody vouches for who has more than INSERT on `events`. They are looked after
-- one by one: surveyed each time, judged before all others, with series of their own. Whoever may
-- write events may name any other chain; those together have a bounded share of everything.
CREATE OR REPLACE VIEW known_chains AS
    SELECT chain_id FROM chain_list
    UNION SELECT chain_id FROM named_chains
    UNION SELECT chain_id FROM checkpoints
    UNION SELECT chain_id FROM indexed_chains
    UNION SELECT chain_id FROM audit_cursors
    UNION SELECT chain_id FROM ponder_schemas;

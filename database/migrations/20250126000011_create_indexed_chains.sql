-- Chains of which our indexer has stored a block: what is above the highest stored one is its.
-- Until then all that is final is history, whatever `agentauri backfill` has stored of it.
CREATE TABLE IF NOT EXISTS indexed_chains (
    chain_id BIGINT      PRIMARY KEY,
    began_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

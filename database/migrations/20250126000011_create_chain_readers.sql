-- The readers of each chain: when they began with it, and what keeps them from reading it, which
-- `status` and `doctor` warn of, whichever process they are in.
CREATE TABLE IF NOT EXISTS chain_readers (
    chain_id BIGINT      NOT NULL,
    -- Ponder's schemas are in `ponder_schemas`.
    reader   TEXT        NOT NULL CHECK (reader IN ('indexer', 'auditor')),
    -- NULL: not yet. Our indexer begins with its first block, or where a backfill was faster with
    -- that: what is above the highest stored one is its. Until then all that is final is history,
    -- whatever `agentauri backfill` has stored.
    began_at TIMESTAMPTZ,
    -- `reading`; `failing` is tried again; `stopped` is an operator's matter. A reader that starts,
    -- or ends in order, says `reading`.
    state    TEXT        NOT NULL DEFAULT 'reading'
        CHECK (state IN ('reading', 'failing', 'stopped')),
    -- Unless it is reading: the error, and since when.
    problem  TEXT,
    since    TIMESTAMPTZ,
    -- Of our indexer: the height up to which the logs that it stored were compared with those of
    -- ranges. Block by block it believes bloom filters, and some chains leave logs out of them.
    logs_compared_to BIGINT,
    -- A block whose bloom filter was wrong; then none of the chain is believed.
    wrong_filter_at BIGINT,
    PRIMARY KEY (chain_id, reader),
    CONSTRAINT chain_readers_problem CHECK (
        num_nonnulls(problem, since) = CASE state WHEN 'reading' THEN 0 ELSE 2 END)
);

-- The head of each node, as a reader of the chain saw it last.
CREATE TABLE IF NOT EXISTS node_heads (
    chain_id     BIGINT      NOT NULL,
    reader       TEXT        NOT NULL,
    -- Its key in the settings, and its URL without secrets.
    node         TEXT        NOT NULL,
    block_number BIGINT      NOT NULL,
    block_hash   TEXT        NOT NULL,
    -- Block time, unix seconds.
    block_time   BIGINT      NOT NULL,
    seen_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, reader, node)
);

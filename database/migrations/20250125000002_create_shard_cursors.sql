-- How far each shard has been judged: everything in its log up to (xid, seq), and nothing beyond.
CREATE TABLE IF NOT EXISTS shard_cursors (
    chain_id          BIGINT      PRIMARY KEY,
    xid               XID8        NOT NULL DEFAULT '0',
    seq               BIGINT      NOT NULL DEFAULT 0,
    -- The latest block time judged, unix seconds: what state is kept against.
    block_time        BIGINT      NOT NULL DEFAULT 0,
    -- The set of triggers that the last batch was judged by.
    triggers_revision BIGINT      NOT NULL DEFAULT 0,
    -- The processor that committed the last batch, and how often the shard changed hands.
    holder            TEXT,
    generation        BIGINT      NOT NULL DEFAULT 0,
    entries_judged    BIGINT      NOT NULL DEFAULT 0,
    -- Entries whose event had been deleted before it was judged.
    entries_gone      BIGINT      NOT NULL DEFAULT 0,
    -- Events that came, or were taken back, later than the state of a trigger keeps.
    events_late       BIGINT      NOT NULL DEFAULT 0,
    updated_at        TIMESTAMPTZ NOT NULL DEFAULT now()
);

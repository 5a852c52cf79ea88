-- Block times that were further ahead of their entry in the log, or of the clock when a header was
-- stored, than judging believes: a minute. They are kept as they are and judged as if they were no
-- later than that; `status` and `doctor` tell of them.
CREATE TABLE IF NOT EXISTS times_ahead (
    chain_id   BIGINT      NOT NULL,
    -- `event`: a row of `events` that was judged. `block`: a header that our indexer stored.
    subject    TEXT        NOT NULL CHECK (subject IN ('event', 'block')),
    -- The last of them: the event's id, or the block's hash.
    latest     TEXT        NOT NULL,
    -- What it says, unix seconds.
    block_time BIGINT      NOT NULL,
    -- When the event's entry was logged, or the header stored.
    seen_at    TIMESTAMPTZ NOT NULL,
    -- How many there were since the beginning.
    number     BIGINT      NOT NULL,
    PRIMARY KEY (chain_id, subject)
);

-- Block times more than a minute ahead of their entry in the log, or of the clock when a header was
-- stored. They are stored as they are and judged as if they were no later than that; `status` and
-- `doctor` report them.
CREATE TABLE IF NOT EXISTS times_ahead (
    chain_id   BIGINT      NOT NULL,
    -- `event`: a row of `events` that was judged. `block`: a header that our indexer stored.
    subject    TEXT        NOT NULL CHECK (subject IN ('event', 'block')),
    -- The latest of them: the event's id, or the block's hash.
    latest     TEXT        NOT NULL,
    -- Its block time, unix seconds.
    block_time BIGINT      NOT NULL,
    -- Time at which the event's entry was logged, or the header stored.
    seen_at    TIMESTAMPTZ NOT NULL,
    -- Their number since the beginning.
    number     BIGINT      NOT NULL,
    PRIMARY KEY (chain_id, subject)
);

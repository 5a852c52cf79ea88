-- The highest block of each chain that is stored and finalized: no reorganisation is followed below
-- it. It only ever moves up; an operator who knows better deletes the row.
CREATE TABLE IF NOT EXISTS finalized_blocks (
    chain_id     BIGINT      PRIMARY KEY,
    block_number BIGINT      NOT NULL,
    block_hash   TEXT        NOT NULL,
    updated_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);

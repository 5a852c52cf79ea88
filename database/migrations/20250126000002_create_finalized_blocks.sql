-- The highest block of each chain that is stored and finalized: no reorganisation is followed below
-- it. It only ever moves up; an operator who knows better deletes the row.
CREATE TABLE IF NOT EXISTS finalized_blocks (
    chain_id     BIGINT      PRIMARY KEY,
    block_number BIGINT      NOT NULL,
    block_hash   TEXT        NOT NULL,
    -- Only 64 blocks deep, on a chain of which neither nodes nor operator say what is final. It
    -- guards against reorganisations; triggers that wait for `finalized` go by depths of their own.
    is_guess     BOOLEAN     NOT NULL DEFAULT false,
    updated_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);

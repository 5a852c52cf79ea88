-- Which blocks of a chain have been read whole: every log that `addresses` emitted in them is a row
-- of `events`. What no range of an address covers was never asked for. Of a range's blocks those
-- are in `observed_blocks` that emitted a log, the first and the last; the others need not be.
CREATE TABLE IF NOT EXISTS covered_ranges (
    chain_id    BIGINT NOT NULL,
    -- The registries, lower-case 0x hex, sorted.
    addresses   TEXT[] NOT NULL,
    first_block BIGINT NOT NULL,
    -- Hash of the block below the first one: the `last_hash` of a range that joins it from below.
    parent_hash TEXT   NOT NULL,
    last_block  BIGINT NOT NULL,
    last_hash   TEXT   NOT NULL,
    PRIMARY KEY (chain_id, addresses, first_block),
    CONSTRAINT covered_ranges_not_empty CHECK (0 <= first_block AND first_block <= last_block)
);

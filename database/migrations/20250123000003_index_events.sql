-- For reorgs, which need all rows of a chain above a block.
CREATE INDEX IF NOT EXISTS events_chain_block ON events (chain_id, block_number);

-- For monitoring, which needs the latest rows. They arrive in that order, so a BRIN is enough.
CREATE INDEX IF NOT EXISTS events_created_at ON events USING brin (created_at);

-- Lists of all chains go by block time, newest first. By an expression that no other statement has:
-- a named event is looked for by its key, and never through all the rows that share its block time.
CREATE INDEX IF NOT EXISTS events_latest ON events (("timestamp" + 0));

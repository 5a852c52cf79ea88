-- The lock of each chain: held in a transaction that takes its events back by their blocks or gives
-- them back, sets a height by a reader's blocks, or stores a reader's first block. Each sees what
-- the one before has left, and its entries of the log stand behind that one's.
CREATE TABLE IF NOT EXISTS chain_locks (
    chain_id BIGINT PRIMARY KEY,
    -- How many reorganisations were followed. The auditor compares arrivals with a reader's blocks
    -- once more where it has risen meanwhile.
    reorgs   BIGINT NOT NULL DEFAULT 0,
    -- How often the chain began anew (`agentauri chains reset`). History that was read before is
    -- not stored behind it.
    resets   BIGINT NOT NULL DEFAULT 0
);

-- Holds the chain's lock until the transaction ends. In ours it is the first statement that writes.
CREATE OR REPLACE FUNCTION lock_chain(of_chain BIGINT) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM public.chain_locks WHERE chain_id = of_chain FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO public.chain_locks (chain_id) VALUES (of_chain)
        ON CONFLICT (chain_id) DO NOTHING;
        PERFORM FROM public.chain_locks WHERE chain_id = of_chain FOR UPDATE;
    END IF;
END
$$;

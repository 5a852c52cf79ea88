-- Events that the auditor has taken back, in the revision that this made of them: where their block
-- returns and nobody has revised them since, they are valid again.
CREATE TABLE IF NOT EXISTS audit_invalidations (
    event_id        TEXT    NOT NULL,
    event_timestamp BIGINT  NOT NULL,
    chain_id        BIGINT  NOT NULL,
    -- In lower case.
    block_hash      TEXT    NOT NULL,
    revision        INTEGER NOT NULL,
    PRIMARY KEY (event_id, event_timestamp)
);

-- A block that returns asks for its own.
CREATE INDEX IF NOT EXISTS audit_invalidations_block ON audit_invalidations (chain_id, block_hash);

-- Invalidates the valid events of these blocks, within these heights, whoever wrote them, and
-- returns their number. An event with another block's hash is proved by nothing to be replaced;
-- where the chain began anew, all are, and `hashes` is NULL. The auditor remembers its events, so
-- that they can come back.
CREATE OR REPLACE FUNCTION invalidate_blocks(
    of_chain BIGINT, lowest BIGINT, highest BIGINT, hashes TEXT[], is_remembered BOOLEAN)
RETURNS BIGINT
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    events_invalidated BIGINT;
BEGIN
    WITH taken AS (
        UPDATE public.events SET invalidated = true
        WHERE chain_id = of_chain AND block_number BETWEEN lowest AND highest AND NOT invalidated
            AND (hashes IS NULL OR public.comparable_hash(block_hash) = ANY (hashes))
        RETURNING id, "timestamp", public.comparable_hash(block_hash) AS hash, revision
    ), remembered AS (
        INSERT INTO public.audit_invalidations (
            event_id, event_timestamp, chain_id, block_hash, revision)
        SELECT id, "timestamp", of_chain, hash, revision FROM taken WHERE is_remembered
        ON CONFLICT (event_id, event_timestamp) DO UPDATE SET
            block_hash = EXCLUDED.block_hash, revision = EXCLUDED.revision
    )
    SELECT count(*) INTO events_invalidated FROM taken;
    RETURN events_invalidated;
END
$$;

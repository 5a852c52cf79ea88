-- How far each chain has been indexed, written by the one program that is the chain's writer.
CREATE TABLE IF NOT EXISTS checkpoints (
    chain_id     BIGINT      PRIMARY KEY,
    block_number BIGINT      NOT NULL,
    block_hash   TEXT        NOT NULL,
    updated_at   TIMESTAMPTZ DEFAULT now(),
    -- A block's time, unix seconds, and the hash of that block: a writer who knows of neither
    -- leaves no time of another block behind.
    said_time    BIGINT,
    said_hash    TEXT,
    -- The time of the checkpoint's block, where its writer said it.
    block_time   BIGINT GENERATED ALWAYS AS (
        CASE WHEN said_hash = block_hash THEN said_time END) STORED,
    -- A hash is 66 characters.
    CONSTRAINT checkpoints_hash_length CHECK (
        octet_length(block_hash) <= 256 AND octet_length(said_hash) <= 256)
);

-- Sets a chain's checkpoint, forwards or backwards, in the transaction that stores the block's
-- events.
CREATE OR REPLACE FUNCTION set_checkpoint(
    of_chain BIGINT, number BIGINT, hash TEXT, time_of_block BIGINT)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.checkpoints (
        chain_id, block_number, block_hash, updated_at, said_time, said_hash)
    VALUES (of_chain, number, hash, now(), time_of_block, hash)
    ON CONFLICT (chain_id) DO UPDATE SET
        block_number = EXCLUDED.block_number,
        block_hash = EXCLUDED.block_hash,
        updated_at = EXCLUDED.updated_at,
        said_time = EXCLUDED.said_time,
        said_hash = EXCLUDED.said_hash;
END
$$;

-- A checkpoint that moves is an entry of its shard's log: what waits for a depth is released there.
CREATE OR REPLACE FUNCTION log_checkpoint() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_RELID <> 'public.checkpoints'::regclass THEN
        RAISE EXCEPTION 'log_checkpoint() does not serve %', TG_RELID::regclass
            USING ERRCODE = 'wrong_object_type';
    END IF;
    IF TG_OP = 'INSERT'
       OR (NEW.block_number, NEW.block_hash) <> (OLD.block_number, OLD.block_hash) THEN
        INSERT INTO public.event_log (chain_id, checkpoint_block, block_time)
        VALUES (NEW.chain_id, NEW.block_number, NEW.block_time);
        PERFORM public.ring_for_waiting_events(NEW.chain_id);
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS trigger_log_checkpoint ON checkpoints;
CREATE TRIGGER trigger_log_checkpoint
    AFTER INSERT OR UPDATE ON checkpoints
    FOR EACH ROW
    EXECUTE FUNCTION log_checkpoint();

ALTER TABLE checkpoints ENABLE ALWAYS TRIGGER trigger_log_checkpoint;

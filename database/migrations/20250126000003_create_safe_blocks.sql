-- The highest block of each chain that its nodes call safe, as its indexer or auditor reports it.
-- Only a reorganisation sets it back.
CREATE TABLE IF NOT EXISTS safe_blocks (
    chain_id     BIGINT      PRIMARY KEY,
    block_number BIGINT      NOT NULL,
    updated_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- What becomes safe or finalized is an entry of its shard's log, as a checkpoint is: what waits for
-- it is released there. A row that is deleted takes back what it said: -1.
CREATE OR REPLACE FUNCTION log_safe_block() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_RELID <> 'public.safe_blocks'::regclass THEN
        RAISE EXCEPTION 'log_safe_block() does not serve %', TG_RELID::regclass
            USING ERRCODE = 'wrong_object_type';
    END IF;
    IF TG_OP = 'DELETE' THEN
        INSERT INTO public.event_log (chain_id, safe_block) VALUES (OLD.chain_id, -1);
    ELSIF TG_OP = 'INSERT' OR NEW.block_number <> OLD.block_number THEN
        INSERT INTO public.event_log (chain_id, safe_block) VALUES (NEW.chain_id, NEW.block_number);
        PERFORM public.ring_for_waiting_events(NEW.chain_id);
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION log_finalized_block() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_RELID <> 'public.finalized_blocks'::regclass THEN
        RAISE EXCEPTION 'log_finalized_block() does not serve %', TG_RELID::regclass
            USING ERRCODE = 'wrong_object_type';
    END IF;
    IF TG_OP = 'DELETE' THEN
        INSERT INTO public.event_log (chain_id, finalized_block)
        SELECT OLD.chain_id, -1 WHERE NOT OLD.is_guess;
    ELSIF NOT NEW.is_guess AND (TG_OP = 'INSERT' OR OLD.is_guess
                             OR NEW.block_number <> OLD.block_number) THEN
        INSERT INTO public.event_log (chain_id, finalized_block)
        VALUES (NEW.chain_id, NEW.block_number);
        PERFORM public.ring_for_waiting_events(NEW.chain_id);
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS trigger_log_safe_block ON safe_blocks;
CREATE TRIGGER trigger_log_safe_block
    AFTER INSERT OR UPDATE OR DELETE ON safe_blocks
    FOR EACH ROW
    EXECUTE FUNCTION log_safe_block();

DROP TRIGGER IF EXISTS trigger_log_finalized_block ON finalized_blocks;
CREATE TRIGGER trigger_log_finalized_block
    AFTER INSERT OR UPDATE OR DELETE ON finalized_blocks
    FOR EACH ROW
    EXECUTE FUNCTION log_finalized_block();

ALTER TABLE safe_blocks ENABLE ALWAYS TRIGGER trigger_log_safe_block;
ALTER TABLE finalized_blocks ENABLE ALWAYS TRIGGER trigger_log_finalized_block;

-- The heights of each chain beside its checkpoint, which is its head: of the blocks that a reader
-- has observed, the highest that its nodes call safe, and the highest that is finalized.
CREATE TABLE IF NOT EXISTS chain_heights (
    chain_id     BIGINT      NOT NULL,
    -- safe: only a reorganisation sets it back. finalized: no reorganisation is followed below it;
    -- it only ever moves up, and an operator who knows better deletes the row.
    kind         TEXT        NOT NULL CHECK (kind IN ('safe', 'finalized')),
    block_number BIGINT      NOT NULL,
    block_hash   TEXT        NOT NULL,
    -- The block's time, unix seconds.
    block_time   BIGINT,
    -- Only 64 blocks deep, on a chain of which neither nodes nor operator say what is final. It
    -- guards against reorganisations; triggers that wait for `finalized` go by depths of their own.
    is_guess     BOOLEAN     NOT NULL DEFAULT false,
    updated_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, kind),
    CONSTRAINT chain_heights_guess CHECK (kind = 'finalized' OR NOT is_guess)
);

-- The time of a block that the row does not name any more is none. A change of number and hash
-- together brings its own.
CREATE OR REPLACE FUNCTION forget_time_of_height() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (NEW.block_number = OLD.block_number) <> (NEW.block_hash = OLD.block_hash)
       AND NEW.block_time = OLD.block_time THEN
        NEW.block_time := NULL;
    END IF;
    RETURN NEW;
END
$$;

DROP TRIGGER IF EXISTS trigger_forget_time_of_height ON chain_heights;
CREATE TRIGGER trigger_forget_time_of_height
    BEFORE UPDATE ON chain_heights
    FOR EACH ROW
    EXECUTE FUNCTION forget_time_of_height();

ALTER TABLE chain_heights ENABLE ALWAYS TRIGGER trigger_forget_time_of_height;

-- What becomes safe or finalized is an entry of its shard's log, as a checkpoint is: what waits for
-- it is released there. A row that is deleted takes back what it said: -1.
CREATE OR REPLACE FUNCTION log_chain_height() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_RELID <> 'public.chain_heights'::regclass THEN
        RAISE EXCEPTION 'log_chain_height() does not serve %', TG_RELID::regclass
            USING ERRCODE = 'wrong_object_type';
    END IF;
    IF TG_OP = 'DELETE' THEN
        INSERT INTO public.event_log (chain_id, safe_block, finalized_block)
        SELECT OLD.chain_id, CASE OLD.kind WHEN 'safe' THEN -1 END,
            CASE OLD.kind WHEN 'finalized' THEN -1 END
        WHERE NOT OLD.is_guess;
    ELSIF NOT NEW.is_guess AND (TG_OP = 'INSERT' OR OLD.is_guess
                             OR NEW.block_number <> OLD.block_number) THEN
        INSERT INTO public.event_log (chain_id, safe_block, finalized_block, block_time)
        VALUES (NEW.chain_id, CASE NEW.kind WHEN 'safe' THEN NEW.block_number END,
            CASE NEW.kind WHEN 'finalized' THEN NEW.block_number END, NEW.block_time);
        PERFORM public.ring_for_waiting_events(NEW.chain_id);
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS trigger_log_chain_height ON chain_heights;
CREATE TRIGGER trigger_log_chain_height
    AFTER INSERT OR UPDATE OR DELETE ON chain_heights
    FOR EACH ROW
    EXECUTE FUNCTION log_chain_height();

ALTER TABLE chain_heights ENABLE ALWAYS TRIGGER trigger_log_chain_height;

-- Moves a height of the chain up; never down. Only a block that the reader has observed can be one:
-- with a hash, the one that bears it; without, the highest up to there, if the observed chain is
-- that high. Anything else changes nothing. A reorganisation under way is waited for, so that no
-- block of it comes behind it in the log. False: Ponder is writing, and it is to be said again.
CREATE OR REPLACE FUNCTION raise_chain_height(
    of_chain BIGINT, of_reader TEXT, of_kind TEXT, up_to BIGINT, hash TEXT, guessed BOOLEAN)
RETURNS BOOLEAN
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM public.lock_chain(of_chain);
    -- Set back by Ponder's transaction, it would stand in the log in front of what is raised here:
    -- it is raised the next time.
    IF of_kind = 'safe' AND public.ponder_is_writing(of_chain) THEN
        RETURN false;
    END IF;
    INSERT INTO public.chain_heights AS h (
        chain_id, kind, block_number, block_hash, block_time, is_guess)
    SELECT chain_id, of_kind, block_number, block_hash, "timestamp", guessed
    FROM public.observed_blocks
    WHERE chain_id = of_chain AND reader = of_reader AND block_number <= up_to
        AND (hash IS NULL OR block_number = up_to AND block_hash = hash)
        AND EXISTS (
            SELECT FROM public.observed_blocks
            WHERE chain_id = of_chain AND reader = of_reader AND block_number >= up_to)
    ORDER BY block_number DESC LIMIT 1
    ON CONFLICT (chain_id, kind) DO UPDATE SET
        block_number = EXCLUDED.block_number,
        block_hash = EXCLUDED.block_hash,
        block_time = EXCLUDED.block_time,
        is_guess = EXCLUDED.is_guess,
        updated_at = now()
    WHERE h.block_number < EXCLUDED.block_number;
    RETURN true;
END
$$;

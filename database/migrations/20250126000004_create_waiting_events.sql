-- Events that are not deep enough yet for some of the triggers that select them. Added when such an
-- event is judged by the other triggers, and removed by the log's entries about the chain's
-- heights: a function of the log, committed with the cursor.
CREATE TABLE IF NOT EXISTS waiting_events (
    chain_id        BIGINT  NOT NULL,
    -- The finality that it waits for: a number of confirmations, `safe` or `finalized`.
    finality        TEXT    NOT NULL
        CONSTRAINT waiting_events_finality
        CHECK (finality ~ '^([1-9][0-9]{0,6}|safe|finalized)$'),
    block_number    BIGINT  NOT NULL,
    log_index       INTEGER NOT NULL,
    -- Compared bytewise, as the engine's order of release is.
    event_id        TEXT    COLLATE "C" NOT NULL,
    event_timestamp BIGINT  NOT NULL,
    revision        INTEGER NOT NULL,
    -- Time at which the entry of that revision was logged, unix milliseconds.
    logged_at_ms    BIGINT  NOT NULL,
    -- The triggers that will judge it.
    trigger_ids     UUID[]  NOT NULL CHECK (cardinality(trigger_ids) > 0),
    PRIMARY KEY (chain_id, event_id, event_timestamp, finality)
);

-- The order of release.
CREATE INDEX IF NOT EXISTS waiting_events_turn
    ON waiting_events (chain_id, finality, block_number, log_index, event_id, event_timestamp);

-- What moves a chain's heights releases what waits on it: whoever sleeps is woken for that.
CREATE OR REPLACE FUNCTION ring_for_waiting_events(chain BIGINT) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM public.waiting_events WHERE chain_id = chain) THEN
        PERFORM public.ring_event_log();
    END IF;
END
$$;

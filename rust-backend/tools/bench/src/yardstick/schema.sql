-- What is inserted into. `events` has the columns and indexes of ours, so that a row costs the
-- same; the trigger is the design document's.
CREATE TABLE events (
    id               TEXT        NOT NULL,
    chain_id         BIGINT      NOT NULL,
    block_number     BIGINT      NOT NULL,
    block_hash       TEXT        NOT NULL,
    transaction_hash TEXT        NOT NULL,
    log_index        INTEGER     NOT NULL,
    event_type       TEXT        NOT NULL,
    registry         TEXT        NOT NULL,
    "timestamp"      BIGINT      NOT NULL,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    agent_id         NUMERIC(78, 0),
    data             JSONB,
    address          TEXT,
    PRIMARY KEY (id, "timestamp")
);
CREATE INDEX events_chain_block ON events (chain_id, block_number);
CREATE INDEX events_created_at ON events USING brin (created_at);

CREATE FUNCTION notify_new_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(
        'new_event',
        json_build_object(
            'event_id', NEW.id,
            'chain_id', NEW.chain_id,
            'block_number', NEW.block_number,
            'event_type', NEW.event_type,
            'registry', NEW.registry
        )::text
    );
    RETURN NEW;
END
$$;

CREATE TRIGGER trigger_notify_new_event
    AFTER INSERT ON events
    FOR EACH ROW
    EXECUTE FUNCTION notify_new_event();

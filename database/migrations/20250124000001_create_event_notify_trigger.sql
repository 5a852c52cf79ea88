-- The bell: wakes whoever sleeps. It is a hint and never the data; what is judged is read from the
-- log, so a lost notification delays and loses nothing.
CREATE OR REPLACE FUNCTION notify_new_event() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    -- A full queue would fail the INSERT. Half full means that a listener is stuck.
    IF pg_notification_queue_usage() <= 0.5 THEN
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
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS trigger_notify_new_event ON events;
CREATE TRIGGER trigger_notify_new_event
    AFTER INSERT ON events
    FOR EACH ROW
    EXECUTE FUNCTION notify_new_event();

SELECT enable_trigger_always('events', 'trigger_notify_new_event');

-- The same for a session in the replica role on a hypertable, where the chunks' copies of the row
-- trigger are not ALWAYS.
CREATE OR REPLACE FUNCTION notify_replicated_events() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF pg_notification_queue_usage() <= 0.5 THEN
        PERFORM pg_notify(
            'new_event',
            json_build_object(
                'event_id', id,
                'chain_id', chain_id,
                'block_number', block_number,
                'event_type', event_type,
                'registry', registry
            )::text
        )
        FROM inserted;
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS trigger_notify_replicated_events ON events;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        CREATE TRIGGER trigger_notify_replicated_events
            AFTER INSERT ON events
            REFERENCING NEW TABLE AS inserted
            FOR EACH STATEMENT
            WHEN (current_setting('session_replication_role') = 'replica')
            EXECUTE FUNCTION notify_replicated_events();
        PERFORM enable_trigger_always('events', 'trigger_notify_replicated_events');
    END IF;
END
$$;

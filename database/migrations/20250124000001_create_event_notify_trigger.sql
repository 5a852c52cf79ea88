-- The notification that wakes sleeping processors. It is a hint, never data: events are read from
-- the log, so a lost notification delays them and loses nothing. It runs with the writer's rights
-- and sets no search_path, which would cost a quarter of a notification. Instead each name and
-- operator has its schema, here and in all that a row runs, because the writer's search path may
-- lead to others of that name. Functions are called by assignment: PERFORM would run a query for
-- each.
CREATE OR REPLACE FUNCTION ring_new_event(
    event_id TEXT, chain_id BIGINT, block_number BIGINT, event_type TEXT, registry TEXT
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    payload pg_catalog.text;
    rung    pg_catalog.text;
BEGIN
    -- A full queue would fail the INSERT. A half full one means that a listener is stuck.
    IF pg_catalog.pg_notification_queue_usage() OPERATOR(pg_catalog.>) 0.5 THEN
        RETURN;
    END IF;
    payload := pg_catalog.json_build_object(
        'event_id', event_id,
        'chain_id', chain_id,
        'block_number', block_number,
        'event_type', event_type,
        'registry', registry
    );
    rung := pg_catalog.pg_notify('new_event', payload);
    -- A channel's name has at most 63 bytes; a longer one would fail the INSERT.
    IF public.notification_registry_channels()
       AND pg_catalog.octet_length(registry) OPERATOR(pg_catalog.<=) 53 THEN
        rung := pg_catalog.pg_notify('new_event_' OPERATOR(pg_catalog.||) registry, payload);
    END IF;
    IF public.notification_chain_channels() THEN
        rung := pg_catalog.pg_notify('new_event_' OPERATOR(pg_catalog.||) chain_id, payload);
    END IF;
END
$$;

-- Mode `row`. It sets no search_path, which would cost a row without notification more than all the
-- rest; it runs with the writer's rights.
CREATE OR REPLACE FUNCTION notify_new_event() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    rung pg_catalog.text;
BEGIN
    IF public.notification_mode() OPERATOR(pg_catalog.=) 'row' THEN
        IF public.is_worth_a_bell(NEW.chain_id, NEW.registry, NEW.event_type) THEN
            rung := public.ring_new_event(
                NEW.id, NEW.chain_id, NEW.block_number, NEW.event_type, NEW.registry);
        END IF;
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
LANGUAGE plpgsql AS $$
BEGIN
    IF public.notification_mode() OPERATOR(pg_catalog.=) 'row' THEN
        PERFORM public.ring_new_event(id, chain_id, block_number, event_type, registry)
        FROM inserted
        WHERE public.is_worth_a_bell(chain_id, registry, event_type);
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

-- Shapes of events that an active trigger may match, for the setting `only_matching`: rows of other
-- shapes are judged as usual, but do not notify.

-- A shape that a trigger selects; '' stands for any. Agents and conditions are left out: a needless
-- notification only costs a survey, and the table stays small however many agents are watched.
CREATE TABLE IF NOT EXISTS notification_filter (
    chain_id   TEXT NOT NULL,
    registry   TEXT NOT NULL,
    event_type TEXT NOT NULL,
    PRIMARY KEY (chain_id, registry, event_type)
);

-- The texts of a selector, or '' if it is empty or malformed: too wide is harmless.
CREATE OR REPLACE FUNCTION selector_texts(selector JSONB) RETURNS SETOF TEXT
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT '' WHERE coalesce(jsonb_typeof(selector) <> 'array' OR selector = '[]', true)
    UNION ALL
    SELECT coalesce(chosen, '')
    FROM jsonb_array_elements_text(
        CASE jsonb_typeof(selector) WHEN 'array' THEN selector END) AS chosen;
END;

-- Parses each distinct combination of selectors once. Sorting them all, or compiling the query,
-- would take longer than the rest. `AgentRegistered` also means `Registered`, as in the engine's
-- index.
CREATE OR REPLACE FUNCTION refresh_notification_filter() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_sort = off SET jit = off
AS $$
BEGIN
    DELETE FROM public.notification_filter;
    INSERT INTO public.notification_filter (chain_id, registry, event_type)
    SELECT DISTINCT chain_id, coalesce(registry, ''), event_type
    FROM (
        SELECT DISTINCT (definition -> 'chains')::text, definition ->> 'registry',
            (definition -> 'events')::text
        FROM public.triggers t
        JOIN public.trigger_versions v ON v.trigger_id = t.id AND v.version = t.version
        WHERE t.state = 'active'
    ) AS selectors (chains, registry, events)
    CROSS JOIN LATERAL public.selector_texts(chains::jsonb) AS chain_id
    CROSS JOIN LATERAL (
        SELECT public.selector_texts(events::jsonb)
        UNION ALL SELECT 'Registered' WHERE events::jsonb ? 'AgentRegistered'
    ) AS named (event_type);
END
$$;

-- Follows the set of triggers, and the setting. The lock lets each of the two see the other's
-- change; it admits readers.
CREATE OR REPLACE FUNCTION keep_notification_filter() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_RELID <> 'public.trigger_set'::regclass
       AND TG_RELID <> 'public.notification_settings'::regclass THEN
        RAISE EXCEPTION 'keep_notification_filter() does not serve %', TG_RELID::regclass
            USING ERRCODE = 'wrong_object_type';
    END IF;
    LOCK TABLE public.notification_filter IN SHARE ROW EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM public.notification_settings WHERE only_matching) THEN
        PERFORM public.refresh_notification_filter();
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS trigger_keep_notification_filter ON trigger_set;
CREATE TRIGGER trigger_keep_notification_filter
    AFTER UPDATE ON trigger_set
    FOR EACH STATEMENT
    EXECUTE FUNCTION keep_notification_filter();
ALTER TABLE trigger_set ENABLE ALWAYS TRIGGER trigger_keep_notification_filter;

DROP TRIGGER IF EXISTS trigger_keep_notification_filter ON notification_settings;
CREATE TRIGGER trigger_keep_notification_filter
    AFTER INSERT OR UPDATE ON notification_settings
    FOR EACH STATEMENT
    EXECUTE FUNCTION keep_notification_filter();
ALTER TABLE notification_settings ENABLE ALWAYS TRIGGER trigger_keep_notification_filter;

-- The one function that runs as the owner and that every role may call: inserting roles call it and
-- may not read the filter. It returns only true or false.
CREATE OR REPLACE FUNCTION could_match(
    of_chain BIGINT, of_registry TEXT, of_event_type TEXT
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM public.notification_filter
        WHERE chain_id IN (of_chain::text, '')
            AND registry IN (of_registry, '')
            AND event_type IN (of_event_type, ''));
END
$$;

-- True if an event notifies. Without the filter the planner removes it from the plan.
CREATE OR REPLACE FUNCTION is_worth_a_bell(
    chain_id BIGINT, registry TEXT, event_type TEXT
) RETURNS boolean
LANGUAGE sql AS $$
    SELECT NOT public.notification_only_matching()
        OR public.could_match(chain_id, registry, event_type);
$$;

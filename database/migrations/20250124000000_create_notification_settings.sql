-- Settings of notifications: one row, which an operator may change at any time.
--
--     UPDATE notification_settings SET mode = 'gated';
CREATE TABLE IF NOT EXISTS notification_settings (
    singleton         BOOLEAN PRIMARY KEY DEFAULT true CHECK (singleton),
    -- row: for every row. gated: only while a session sleeps. off: never.
    mode              TEXT    NOT NULL DEFAULT 'row',
    -- Also on a channel of the row's registry (new_event_identity), of its chain (new_event_8453).
    registry_channels BOOLEAN NOT NULL DEFAULT false,
    chain_channels    BOOLEAN NOT NULL DEFAULT false,
    -- Only for rows that an active trigger may match.
    only_matching     BOOLEAN NOT NULL DEFAULT false,
    CONSTRAINT notification_settings_mode CHECK (mode IN ('row', 'gated', 'off'))
);

-- Every row needs the settings, and reading a table would double the cost of a row. So each is a
-- function that returns just its value, and is replaced when the value changes. It costs nothing:
-- the planner inlines the value into the callers' plans, and plans anew after it is replaced.
-- STABLE, because an IMMUTABLE one would be inlined for good.
CREATE OR REPLACE FUNCTION put_notification_settings_in_force() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    settings public.notification_settings;
    setting  record;
BEGIN
    IF TG_RELID <> 'public.notification_settings'::regclass THEN
        RAISE EXCEPTION 'put_notification_settings_in_force() does not serve %', TG_RELID::regclass
            USING ERRCODE = 'wrong_object_type';
    END IF;
    SELECT * INTO settings FROM public.notification_settings;
    FOR setting IN SELECT * FROM (VALUES
        ('notification_mode', 'text', coalesce(settings.mode, 'row')),
        ('notification_registry_channels', 'bool',
            coalesce(settings.registry_channels, false)::text),
        ('notification_chain_channels', 'bool', coalesce(settings.chain_channels, false)::text),
        ('notification_only_matching', 'bool', coalesce(settings.only_matching, false)::text)
    ) AS all_of_them (name, type, value) LOOP
        EXECUTE format(
            'CREATE OR REPLACE FUNCTION public.%1$I() RETURNS pg_catalog.%2$I
             LANGUAGE sql STABLE RETURN %3$L::pg_catalog.%2$I',
            setting.name, setting.type, setting.value);
    END LOOP;
    -- Sleeping processors must learn the new mode.
    PERFORM pg_notify('notification_settings', '');
    RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS trigger_put_notification_settings_in_force ON notification_settings;
CREATE TRIGGER trigger_put_notification_settings_in_force
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON notification_settings
    FOR EACH STATEMENT
    EXECUTE FUNCTION put_notification_settings_in_force();
ALTER TABLE notification_settings
    ENABLE ALWAYS TRIGGER trigger_put_notification_settings_in_force;

INSERT INTO notification_settings DEFAULT VALUES ON CONFLICT DO NOTHING;

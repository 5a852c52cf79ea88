-- The chains that events may name, if an operator restricts them: `agentauri chains allow`. While
-- the list is empty, as at first, any chain may be named.
CREATE TABLE IF NOT EXISTS chain_list (
    chain_id BIGINT      PRIMARY KEY,
    added_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Every INSERT into `events` checks if there is a list. As with notification_settings, a function
-- returns just that value: it costs nothing, and is replaced when the value changes.
CREATE OR REPLACE FUNCTION put_chain_list_in_force() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_RELID <> 'public.chain_list'::regclass THEN
        RAISE EXCEPTION 'put_chain_list_in_force() does not serve %', TG_RELID::regclass
            USING ERRCODE = 'wrong_object_type';
    END IF;
    -- One change after the other: each sees the one before.
    LOCK TABLE public.chain_list IN SHARE ROW EXCLUSIVE MODE;
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION public.chain_list_is_set() RETURNS boolean '
        'LANGUAGE sql STABLE AS %L',
        format('SELECT %L::boolean', EXISTS (SELECT FROM public.chain_list)));
    RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS trigger_put_chain_list_in_force ON chain_list;
CREATE TRIGGER trigger_put_chain_list_in_force
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON chain_list
    FOR EACH STATEMENT
    EXECUTE FUNCTION put_chain_list_in_force();
ALTER TABLE chain_list ENABLE ALWAYS TRIGGER trigger_put_chain_list_in_force;

-- Fires the trigger without changing a row, to make the function for the first time.
DELETE FROM chain_list WHERE false;

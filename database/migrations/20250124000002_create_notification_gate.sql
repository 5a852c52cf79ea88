-- Mode `gated`: a transaction with a pending NOTIFY commits alone in the whole database, so the
-- bell rings only while somebody sleeps. The argument is in docs/decisions/0008; it rests on the
-- order of the steps in the next two functions, and on a commit being visible before its locks are
-- released.
--
-- Two advisory locks. `writers`: shared by each transaction that inserts, until it has ended.
-- `sleepers`: shared by each session that sleeps. Both sides first take their own, and then try the
-- other's exclusively, for no longer than one expression takes: between two statements a session
-- could be cancelled, and keep it.

-- The writer's side: whether anybody sleeps. It never waits; where it cannot tell, somebody does.
CREATE OR REPLACE FUNCTION somebody_sleeps() RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    RETURN CASE
        WHEN NOT pg_catalog.pg_try_advisory_xact_lock_shared(
            pg_catalog.hashtextextended('agentauri writers', 0)) THEN true
        WHEN pg_catalog.pg_try_advisory_lock(
            pg_catalog.hashtextextended('agentauri sleepers', 0)) THEN
            NOT pg_catalog.pg_advisory_unlock(
                pg_catalog.hashtextextended('agentauri sleepers', 0))
        ELSE true
    END;
END
$$;

-- The sleeper's side. True: from now on every writer rings, and whoever did not has ended; look at
-- the log once more, then sleep. False: somebody is just writing, and may end without ringing.
CREATE OR REPLACE FUNCTION shut_notification_gate() RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    RETURN CASE
        WHEN NOT pg_catalog.pg_try_advisory_lock_shared(
            pg_catalog.hashtextextended('agentauri sleepers', 0)) THEN false
        WHEN pg_catalog.pg_try_advisory_lock(
            pg_catalog.hashtextextended('agentauri writers', 0)) THEN
            pg_catalog.pg_advisory_unlock(pg_catalog.hashtextextended('agentauri writers', 0))
        ELSE NOT pg_catalog.pg_advisory_unlock_shared(
            pg_catalog.hashtextextended('agentauri sleepers', 0))
    END;
END
$$;

-- Whoever shut the gate is awake.
CREATE OR REPLACE FUNCTION open_notification_gate() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_advisory_unlock_shared(
        pg_catalog.hashtextextended('agentauri sleepers', 0));
END
$$;

-- One bell a statement is enough to wake; one for each chain and registry, so that their channels
-- ring too.
CREATE OR REPLACE FUNCTION notify_sleepers() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF public.notification_mode() OPERATOR(pg_catalog.=) 'gated' THEN
        IF public.somebody_sleeps() THEN
            PERFORM public.ring_new_event(id, chain_id, block_number, event_type, registry)
            FROM (SELECT DISTINCT ON (chain_id, registry) * FROM inserted
                  WHERE public.is_worth_a_bell(chain_id, registry, event_type)) AS one_of_each;
        END IF;
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS trigger_notify_sleepers ON events;
CREATE TRIGGER trigger_notify_sleepers
    AFTER INSERT ON events
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT
    EXECUTE FUNCTION notify_sleepers();

SELECT enable_trigger_always('events', 'trigger_notify_sleepers');

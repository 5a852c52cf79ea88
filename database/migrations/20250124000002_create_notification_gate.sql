-- Mode `gated`: a transaction with a pending NOTIFY commits alone in the whole database, so writers
-- notify only while a session sleeps. docs/decisions/0008 has the proof; it relies on the order of
-- the steps in the next two functions, and on a commit being visible before its locks are released.
--
-- Two advisory locks. `writers`: shared by each transaction that inserts, until its end.
-- `sleepers`: shared by each session that sleeps. Each side first takes its own lock, then tries
-- the other's exclusively, only for the duration of one expression: between two statements a
-- session could be cancelled and keep it.

-- The writer's side: true if a session sleeps, or if it cannot tell. It never waits.
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

-- The sleeper's side. True: every writer notifies from now on, and those that did not have ended;
-- read the log once more, then sleep. False: a writer is active and may end without notifying.
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

-- The session that shut the gate is awake.
CREATE OR REPLACE FUNCTION open_notification_gate() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_advisory_unlock_shared(
        pg_catalog.hashtextextended('agentauri sleepers', 0));
END
$$;

-- One notification per statement is enough to wake a processor; one per chain and registry serves
-- their channels, too.
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

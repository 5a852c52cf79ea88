-- The shard's log: one entry for each insertion, for each change of an event's revision and for
-- each change of a checkpoint, or of what is safe or finalized. Append-only, and all that a
-- processor reads in order.
CREATE TABLE IF NOT EXISTS event_log (
    -- The shard.
    chain_id         BIGINT  NOT NULL,
    -- The writing transaction. A reader below pg_snapshot_xmin() misses nothing: every transaction
    -- with a smaller number has ended. `seq` orders the entries of one transaction.
    xid              XID8    NOT NULL DEFAULT pg_current_xact_id(),
    seq              BIGINT  NOT NULL GENERATED ALWAYS AS IDENTITY (CACHE 32),
    -- The event's name, the revision that this entry speaks of, and whether that one was valid:
    -- the row itself may say more by the time it is read.
    event_id         TEXT,
    event_timestamp  BIGINT,
    revision         INTEGER,
    invalidated      BOOLEAN,
    -- Or the block that the chain's checkpoint was set to.
    checkpoint_block BIGINT,
    -- Or the block that became the chain's highest safe or finalized one.
    safe_block       BIGINT,
    finalized_block  BIGINT,
    -- When it was written, by this database: `created_at` is whatever the writer says. The time of
    -- the statement: a transaction may be old when it writes what has just happened.
    logged_at        TIMESTAMPTZ NOT NULL DEFAULT statement_timestamp(),
    PRIMARY KEY (chain_id, xid, seq),
    CONSTRAINT event_log_event_or_height CHECK (
        num_nonnulls(event_id, event_timestamp, revision, invalidated)
            = CASE WHEN num_nonnulls(checkpoint_block, safe_block, finalized_block) = 0
                   THEN 4 ELSE 0 END)
);

-- Whoever reads an entry that its row has outgrown asks where the later revisions stand: a
-- transaction that began earlier may have revised what a later one inserted.
CREATE INDEX IF NOT EXISTS event_log_revised ON event_log (event_id, event_timestamp)
    WHERE revision > 0;

-- What a row said before another block took its name over: an entry is judged by the content of its
-- own revision. Columns as in `events`; `revision` is the last one that the content held for.
CREATE TABLE IF NOT EXISTS replaced_events (LIKE events, PRIMARY KEY (id, "timestamp", revision));

-- An event's name and chain are for life. `revision` is ours: it rises when the chain changes its
-- mind about the event (`invalidated`), or when an upsert lets another block take the name over,
-- which takes the earlier one back and is valid unless the same statement says otherwise.
CREATE OR REPLACE FUNCTION revise_event() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (NEW.id, NEW."timestamp", NEW.chain_id) <> (OLD.id, OLD."timestamp", OLD.chain_id) THEN
        RAISE EXCEPTION 'events: id, timestamp and chain_id of an event do not change'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    NEW.revision := OLD.revision;
    IF comparable_hash(NEW.block_hash) <> comparable_hash(OLD.block_hash) THEN
        NEW.invalidated := NEW.invalidated AND NOT OLD.invalidated;
        NEW.revision := OLD.revision + 1;
    ELSIF NEW.invalidated <> OLD.invalidated THEN
        NEW.revision := OLD.revision + 1;
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION log_inserted_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    unlisted BIGINT;
BEGIN
    -- A constant while there is no list. What is replicated was let in elsewhere.
    IF public.chain_list_is_set() AND current_setting('session_replication_role') <> 'replica' THEN
        SELECT i.chain_id INTO unlisted FROM inserted i
        WHERE NOT EXISTS (SELECT FROM public.chain_list c WHERE c.chain_id = i.chain_id) LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'events: chain % is not in the list of chains', unlisted
                USING ERRCODE = 'check_violation', TABLE = 'events', COLUMN = 'chain_id',
                      HINT = 'agentauri chains allow adds it, or ends the list.';
        END IF;
    END IF;
    INSERT INTO event_log (chain_id, event_id, event_timestamp, revision, invalidated)
    SELECT chain_id, id, "timestamp", revision, invalidated FROM inserted;
    RETURN NULL;
END
$$;

-- The log's own bell, in the mode that insertions ring in: `new_event` speaks of those only.
CREATE OR REPLACE FUNCTION ring_event_log() RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF pg_notification_queue_usage() <= 0.5 THEN
        PERFORM pg_notify('event_log', '')
        WHERE CASE notification_mode()
            WHEN 'row' THEN true
            WHEN 'gated' THEN somebody_sleeps()
            ELSE false
        END;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION log_revised_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    -- Of an earlier life of the same name, where the event was deleted and came again.
    DELETE FROM replaced_events r USING earlier
    WHERE (r.id, r."timestamp", r.revision) = (earlier.id, earlier."timestamp", earlier.revision);
    INSERT INTO replaced_events
    SELECT earlier.* FROM later JOIN earlier USING (id, "timestamp")
    WHERE comparable_hash(later.block_hash) <> comparable_hash(earlier.block_hash);
    INSERT INTO event_log (chain_id, event_id, event_timestamp, revision, invalidated)
    SELECT later.chain_id, later.id, later."timestamp", later.revision, later.invalidated
    FROM later JOIN earlier USING (id, "timestamp")
    WHERE later.revision <> earlier.revision
    ORDER BY later.block_number, later.log_index;
    IF FOUND THEN
        PERFORM ring_event_log();
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS trigger_revise_event ON events;
CREATE TRIGGER trigger_revise_event
    BEFORE UPDATE ON events
    FOR EACH ROW
    EXECUTE FUNCTION revise_event();

DROP TRIGGER IF EXISTS trigger_log_inserted_events ON events;
CREATE TRIGGER trigger_log_inserted_events
    AFTER INSERT ON events
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT
    EXECUTE FUNCTION log_inserted_events();

DROP TRIGGER IF EXISTS trigger_log_revised_events ON events;
CREATE TRIGGER trigger_log_revised_events
    AFTER UPDATE ON events
    REFERENCING OLD TABLE AS earlier NEW TABLE AS later
    FOR EACH STATEMENT
    EXECUTE FUNCTION log_revised_events();

-- Also where rows arrive by logical replication.
SELECT enable_trigger_always('events', 'trigger_revise_event');
SELECT enable_trigger_always('events', 'trigger_log_inserted_events');
SELECT enable_trigger_always('events', 'trigger_log_revised_events');

-- TimescaleDB gives its chunks their own copy of a row trigger, and never ALWAYS: in the replica
-- role revise_event() does not run on a hypertable. This one runs only in that role, and revises
-- what was not revised; its update is logged like any other. On a plain table it finds
-- nothing to do.
CREATE OR REPLACE FUNCTION revise_replicated_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    -- An update of no rows fires this trigger again: without the test, for ever.
    IF EXISTS (SELECT FROM later) THEN
        UPDATE events SET
            revision = earlier.revision + 1,
            invalidated = later.invalidated AND NOT (earlier.invalidated
                AND comparable_hash(later.block_hash) <> comparable_hash(earlier.block_hash))
        FROM later JOIN earlier USING (id, "timestamp")
        WHERE (events.id, events."timestamp") = (later.id, later."timestamp")
            AND later.revision = earlier.revision
            AND (comparable_hash(later.block_hash), later.invalidated)
                <> (comparable_hash(earlier.block_hash), earlier.invalidated);
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS trigger_revise_replicated_events ON events;
CREATE TRIGGER trigger_revise_replicated_events
    AFTER UPDATE ON events
    REFERENCING OLD TABLE AS earlier NEW TABLE AS later
    FOR EACH STATEMENT
    WHEN (current_setting('session_replication_role') = 'replica')
    EXECUTE FUNCTION revise_replicated_events();

SELECT enable_trigger_always('events', 'trigger_revise_replicated_events');

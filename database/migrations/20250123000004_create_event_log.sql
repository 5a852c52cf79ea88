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
    -- And that block's time, unix seconds, where its writer says it.
    block_time       BIGINT,
    -- When it was written, by this database: `created_at` is whatever the writer says. The time of
    -- the statement: a transaction may be old when it writes what has just happened.
    logged_at        TIMESTAMPTZ NOT NULL DEFAULT statement_timestamp(),
    PRIMARY KEY (chain_id, xid, seq),
    CONSTRAINT event_log_event_or_height CHECK (
        num_nonnulls(event_id, event_timestamp, revision, invalidated)
            = CASE WHEN num_nonnulls(checkpoint_block, safe_block, finalized_block) = 0
                   THEN 4 ELSE 0 END
        AND (event_id IS NULL OR block_time IS NULL))
);

-- Where an entry is read that its row has superseded, so are the later revisions' places: a
-- transaction that began earlier may have revised what a later one inserted.
CREATE INDEX IF NOT EXISTS event_log_revised ON event_log (event_id, event_timestamp)
    WHERE revision > 0;

-- What a row said before it came to say something else: an entry is judged by the content of its
-- own revision. Columns as in `events`; `revision` is the last one that the content held for.
CREATE TABLE IF NOT EXISTS superseded_events (
    LIKE events,
    -- Whether what took its place speaks of the same block: then no reorg was the reason.
    is_corrected BOOLEAN NOT NULL,
    PRIMARY KEY (id, "timestamp", revision)
);

-- The columns in which two rows of one name say different things of the chain. Hex is compared
-- without regard to case; topics with how their array is nested. When a row was inserted, and
-- whether it stands, is said of the row, not of the chain.
CREATE OR REPLACE FUNCTION differing_columns(one events, other events) RETURNS TEXT[]
LANGUAGE sql STABLE PARALLEL SAFE
RETURN array_remove(ARRAY[
    CASE WHEN one.chain_id <> other.chain_id THEN 'chain_id' END,
    CASE WHEN one.block_number <> other.block_number THEN 'block_number' END,
    CASE WHEN lower(one.block_hash COLLATE "C") <> lower(other.block_hash COLLATE "C")
        THEN 'block_hash' END,
    CASE WHEN lower(one.transaction_hash COLLATE "C") <> lower(other.transaction_hash COLLATE "C")
        THEN 'transaction_hash' END,
    CASE WHEN one.log_index <> other.log_index THEN 'log_index' END,
    CASE WHEN one.event_type <> other.event_type THEN 'event_type' END,
    CASE WHEN one.registry <> other.registry THEN 'registry' END,
    CASE WHEN one.agent_id IS DISTINCT FROM other.agent_id THEN 'agent_id' END,
    CASE WHEN one.data IS DISTINCT FROM other.data THEN 'data' END,
    CASE WHEN lower(one.address COLLATE "C") IS DISTINCT FROM lower(other.address COLLATE "C")
        THEN 'address' END,
    CASE WHEN lower(one.topics::text COLLATE "C")
            IS DISTINCT FROM lower(other.topics::text COLLATE "C")
        THEN 'topics' END,
    CASE WHEN lower(one.log_data COLLATE "C") IS DISTINCT FROM lower(other.log_data COLLATE "C")
        THEN 'log_data' END
], NULL);

CREATE OR REPLACE FUNCTION says_otherwise(one events, other events) RETURNS BOOLEAN
LANGUAGE sql STABLE PARALLEL SAFE
RETURN differing_columns(one, other) <> '{}';

-- How many revisions a change of a row makes. One that goes to another chain is taken back in the
-- one shard and comes in the other, whose entries have a revision each.
CREATE OR REPLACE FUNCTION revisions_between(earlier events, later events) RETURNS INTEGER
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN later.chain_id <> earlier.chain_id THEN 2
    WHEN later.invalidated <> earlier.invalidated OR says_otherwise(earlier, later) THEN 1
    ELSE 0
END;

-- Whether a row is invalid after a change. What takes the name over from another block or chain is
-- valid unless the same statement says otherwise.
CREATE OR REPLACE FUNCTION is_invalid_now(earlier events, later events) RETURNS BOOLEAN
LANGUAGE sql STABLE PARALLEL SAFE
RETURN later.invalidated AND NOT (earlier.invalidated
    AND (later.chain_id, comparable_hash(later.block_hash))
        <> (earlier.chain_id, comparable_hash(earlier.block_hash)));

-- The revision so many steps on. Only the replica role and a restore can bring a row that has none
-- left; that one must not keep a reorg from all others. It says what the chain says, and is not
-- judged again.
CREATE OR REPLACE FUNCTION next_revision(id TEXT, revision INTEGER, steps INTEGER) RETURNS INTEGER
LANGUAGE plpgsql AS $$
BEGIN
    IF revision <= 2147483647 - steps THEN
        RETURN revision + steps;
    END IF;
    RAISE WARNING 'events: % has no revision left; it is changed without being judged again', id;
    RETURN revision;
END
$$;

-- Refuses a row that no log can be. A log has four topics of 66 characters. Its data is 4 MiB in
-- hex, more than fits into a block of 60 million gas; what else a chain has, our writers shorten.
CREATE OR REPLACE FUNCTION refuse_impossible(said events) RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
    rule    TEXT;
    problem TEXT;
BEGIN
    SELECT * INTO rule, problem FROM (VALUES
        ('events_registry_length', 'registry has more than 64 bytes',
            octet_length(said.registry) > 64),
        -- Until the year 2100: a block time in milliseconds is a mistake worth refusing.
        ('events_timestamp_range', 'timestamp is not a block time in seconds, from 0 to 4102444800',
            said."timestamp" NOT BETWEEN 0 AND 4102444800),
        ('events_log_length', 'block_hash and transaction_hash have more than 512 bytes',
            octet_length(said.block_hash) + octet_length(said.transaction_hash) > 512),
        ('events_log_length', 'address has more than 256 bytes', octet_length(said.address) > 256),
        ('events_log_length', 'topics has more than 4,096 bytes as text',
            octet_length(said.topics::text) > 4096),
        ('events_log_length', 'log_data has more than 8,388,610 bytes',
            octet_length(said.log_data) > 8388610)
    ) AS rules (rule, problem, is_broken)
    WHERE is_broken;
    IF FOUND THEN
        RAISE EXCEPTION 'events: %', problem
            USING ERRCODE = 'check_violation', SCHEMA = 'public', TABLE = 'events',
                CONSTRAINT = rule, HINT = 'No log of a chain has that.';
    END IF;
    PERFORM public.arguments_are_readable(said.data);
END
$$;

-- The revision that a row was inserted with, if it may say one: replication brings rows as they
-- are elsewhere, and so does a restore, which sets triggers up behind its rows. It is asked where
-- a row is not plainly well, and says why one is refused. Like its neighbours it is called where
-- the search path is fixed. STABLE, because a volatile one costs each statement a node of its plan.
CREATE OR REPLACE FUNCTION inserted_revision(inserted events) RETURNS INTEGER
LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM public.refuse_impossible(inserted);
    IF inserted.revision <> 0 AND current_setting('session_replication_role') <> 'replica' THEN
        RAISE EXCEPTION 'events: % has revision %, and an inserted event has 0',
                inserted.id, inserted.revision
            USING ERRCODE = 'check_violation', TABLE = 'events', COLUMN = 'revision',
                CONSTRAINT = 'events_inserted_revision',
                HINT = 'Leave the column out: it rises when the chain changes its mind.';
    END IF;
    RETURN inserted.revision;
END
$$;

-- An event's name is for life. `revision` is ours: it rises when the chain changes its mind about
-- the event (`invalidated`), or when something else is said of it: by a block that takes the name
-- over, or by the chain's writer, who takes over what somebody else stored under a log's name.
CREATE OR REPLACE FUNCTION revise_event() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (NEW.id, NEW."timestamp") <> (OLD.id, OLD."timestamp") THEN
        RAISE EXCEPTION 'events: id and timestamp of an event do not change'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    -- What was stored before, or without our triggers, still follows a reorg.
    IF public.says_otherwise(OLD, NEW) THEN
        PERFORM public.refuse_impossible(NEW);
    END IF;
    NEW.invalidated := public.is_invalid_now(OLD, NEW);
    NEW.revision :=
        public.next_revision(OLD.id, OLD.revision, public.revisions_between(OLD, NEW));
    RETURN NEW;
END
$$;

-- It runs as the owner, so it serves its own table alone, as each such trigger function does: a
-- stranger's table could bring types and casts of its own, and they would run as the owner, too.
CREATE OR REPLACE FUNCTION log_inserted_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unlisted BIGINT;
BEGIN
    -- One question for what is hardly ever so.
    IF TG_RELID <> 'public.events'::regclass
       OR pg_stat_get_xact_tuples_inserted('pg_constraint'::regclass) > 0
       OR public.chain_list_is_set() THEN
        IF TG_RELID <> 'public.events'::regclass THEN
            RAISE EXCEPTION 'log_inserted_events() does not serve %', TG_RELID::regclass
                USING ERRCODE = 'wrong_object_type';
        END IF;
        IF pg_stat_get_xact_tuples_inserted('pg_constraint'::regclass) > 0 THEN
            PERFORM public.refuse_foreign_bounds();
        END IF;
        SELECT i.chain_id INTO unlisted FROM inserted i
        -- A constant while there is no list. What is replicated was let in elsewhere.
        WHERE public.chain_list_is_set()
            AND current_setting('session_replication_role') <> 'replica'
            AND NOT EXISTS (SELECT FROM public.chain_list c WHERE c.chain_id = i.chain_id)
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'events: chain % is not in the list of chains', unlisted
                USING ERRCODE = 'check_violation', TABLE = 'events', COLUMN = 'chain_id',
                      HINT = 'agentauri chains allow adds it, or ends the list.';
        END IF;
    END IF;
    INSERT INTO public.event_log (chain_id, event_id, event_timestamp, revision, invalidated)
    SELECT chain_id, id, "timestamp",
           -- As in a CHECK, what is null is well. Arguments that are small as they are stored are
           -- not measured.
           CASE WHEN revision = 0 AND octet_length(registry) <= 64
                     AND "timestamp" BETWEEN 0 AND 4102444800
                     AND octet_length(block_hash) + octet_length(transaction_hash) <= 512
                     AND (octet_length(address) <= 256 AND octet_length(topics::text) <= 4096
                          AND octet_length(log_data) <= 8388610) IS NOT FALSE
                     AND (pg_column_size(data) <= 1800 AND pg_column_compression(data) IS NULL
                          OR public.arguments_are_readable(data)) IS NOT FALSE
                THEN 0
                ELSE public.inserted_revision(inserted::public.events) END,
           invalidated
    FROM inserted;
    RETURN NULL;
END
$$;

-- The log's own bell, in the mode that insertions ring in: `new_event` speaks of those only.
CREATE OR REPLACE FUNCTION ring_event_log() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_notification_queue_usage() <= 0.5 THEN
        PERFORM pg_notify('event_log', '')
        WHERE CASE public.notification_mode()
            WHEN 'row' THEN true
            WHEN 'gated' THEN public.somebody_sleeps()
            ELSE false
        END;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION log_revised_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_RELID <> 'public.events'::regclass THEN
        RAISE EXCEPTION 'log_revised_events() does not serve %', TG_RELID::regclass
            USING ERRCODE = 'wrong_object_type';
    END IF;
    -- Of an earlier life of the same name, where the event was deleted and came again.
    DELETE FROM public.superseded_events r USING earlier
    WHERE (r.id, r."timestamp", r.revision) = (earlier.id, earlier."timestamp", earlier.revision);
    INSERT INTO public.superseded_events
    SELECT earlier.*,
        public.comparable_hash(later.block_hash) = public.comparable_hash(earlier.block_hash)
    FROM later JOIN earlier USING (id, "timestamp")
    WHERE public.says_otherwise(earlier::public.events, later::public.events);
    INSERT INTO public.event_log (chain_id, event_id, event_timestamp, revision, invalidated)
    SELECT said.chain_id, later.id, later."timestamp", said.revision, said.invalidated
    FROM later JOIN earlier USING (id, "timestamp")
    CROSS JOIN LATERAL (
        SELECT later.chain_id, later.revision, later.invalidated
        UNION ALL
        -- In the shard that it leaves.
        SELECT earlier.chain_id, later.revision - 1, true WHERE later.chain_id <> earlier.chain_id
    ) AS said
    WHERE later.revision <> earlier.revision
    ORDER BY later.block_number, later.log_index, said.revision;
    IF FOUND THEN
        PERFORM public.ring_event_log();
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
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_RELID <> 'public.events'::regclass THEN
        RAISE EXCEPTION 'revise_replicated_events() does not serve %', TG_RELID::regclass
            USING ERRCODE = 'wrong_object_type';
    END IF;
    -- An update of no rows fires this trigger again: without the test, for ever.
    IF EXISTS (SELECT FROM later) THEN
        INSERT INTO public.event_log (chain_id, event_id, event_timestamp, revision, invalidated)
        SELECT earlier.chain_id, later.id, later."timestamp", earlier.revision + 1, true
        FROM later JOIN earlier USING (id, "timestamp")
        WHERE later.revision = earlier.revision AND later.chain_id <> earlier.chain_id
            AND earlier.revision <= 2147483647 - 2;
        UPDATE public.events SET
            revision = earlier.revision
                + public.revisions_between(earlier::public.events, later::public.events),
            invalidated = public.is_invalid_now(earlier::public.events, later::public.events)
        FROM later JOIN earlier USING (id, "timestamp")
        WHERE (events.id, events."timestamp") = (later.id, later."timestamp")
            AND later.revision = earlier.revision
            -- One that has none left would be revised for ever.
            AND public.revisions_between(earlier::public.events, later::public.events)
                BETWEEN 1 AND 2147483647 - earlier.revision;
        -- Once more: to the update, what the first one kept is of an earlier life.
        INSERT INTO public.superseded_events
        SELECT earlier.*,
            public.comparable_hash(later.block_hash) = public.comparable_hash(earlier.block_hash)
        FROM later JOIN earlier USING (id, "timestamp")
        WHERE later.revision = earlier.revision
            AND public.says_otherwise(earlier::public.events, later::public.events)
        ON CONFLICT (id, "timestamp", revision) DO NOTHING;
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

-- The shards' logs: one entry for each insertion, for each revision of an event, and for each
-- change of a checkpoint or of a safe or finalized height. Append-only, and all that a processor
-- reads in order.
CREATE TABLE IF NOT EXISTS event_log (
    -- The shard.
    chain_id         BIGINT  NOT NULL,
    -- The writing transaction. A reader below pg_snapshot_xmin() misses nothing: every transaction
    -- with a smaller number has ended. `seq` orders the entries of one transaction.
    xid              XID8    NOT NULL DEFAULT pg_current_xact_id(),
    seq              BIGINT  NOT NULL GENERATED ALWAYS AS IDENTITY (CACHE 32),
    -- The event's name, and the revision and validity that this entry records: the row itself may
    -- have changed by the time it is read.
    event_id         TEXT,
    event_timestamp  BIGINT,
    revision         INTEGER,
    invalidated      BOOLEAN,
    -- Or the new checkpoint of the chain.
    checkpoint_block BIGINT,
    -- Or the new highest safe or finalized block of the chain.
    safe_block       BIGINT,
    finalized_block  BIGINT,
    -- And that block's time, unix seconds; null where its writer does not give it.
    block_time       BIGINT,
    -- Time of writing, by this database, because `created_at` is the writer's claim. The time of
    -- the statement: its transaction may have begun long before.
    logged_at        TIMESTAMPTZ NOT NULL DEFAULT statement_timestamp(),
    PRIMARY KEY (chain_id, xid, seq),
    CONSTRAINT event_log_event_or_height CHECK (
        num_nonnulls(event_id, event_timestamp, revision, invalidated)
            = CASE WHEN num_nonnulls(checkpoint_block, safe_block, finalized_block) = 0
                   THEN 4 ELSE 0 END
        AND (event_id IS NULL OR block_time IS NULL))
);

-- For reading a superseded entry, which needs the positions of later revisions: a transaction that
-- began earlier may have revised a later one's row.
CREATE INDEX IF NOT EXISTS event_log_revised ON event_log (event_id, event_timestamp)
    WHERE revision > 0;

-- Earlier contents of revised rows: an entry is judged by the content of its own revision. Columns
-- as in `events`; `revision` is the last one with that content.
CREATE TABLE IF NOT EXISTS superseded_events (
    LIKE events,
    -- True if the next content is of the same block: then no reorg was the reason.
    is_corrected BOOLEAN NOT NULL,
    PRIMARY KEY (id, "timestamp", revision)
);

-- The columns in which two rows of one name differ about the chain. Hex is compared regardless of
-- case; topics including the nesting of their array. Time of insertion and validity describe the
-- row, not the chain.
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

-- The number of revisions that a change of a row makes. A row that moves to another chain is
-- invalidated in one shard and inserted in the other, with a revision in each.
CREATE OR REPLACE FUNCTION revisions_between(earlier events, later events) RETURNS INTEGER
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN later.chain_id <> earlier.chain_id THEN 2
    WHEN later.invalidated <> earlier.invalidated OR says_otherwise(earlier, later) THEN 1
    ELSE 0
END;

-- True if a row is invalid after a change. An invalidated row becomes valid when another block or
-- chain takes its name over.
CREATE OR REPLACE FUNCTION is_invalid_now(earlier events, later events) RETURNS BOOLEAN
LANGUAGE sql STABLE PARALLEL SAFE
RETURN later.invalidated AND NOT (earlier.invalidated
    AND (later.chain_id, comparable_hash(later.block_hash))
        <> (earlier.chain_id, comparable_hash(earlier.block_hash)));

-- The revision `steps` later. Only the replica role and a restore can bring a row without a next
-- one. It must not stop a reorg of all other rows, so it changes without being judged again.
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

-- Refuses a row that cannot be a log. A log has four topics of 66 characters. Its data has 4 MiB in
-- hex, more than fits into a block of 60 million gas; our writers shorten longer data of other
-- chains.
CREATE OR REPLACE FUNCTION refuse_impossible(said events) RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
    rule    TEXT;
    problem TEXT;
BEGIN
    SELECT * INTO rule, problem FROM (VALUES
        ('events_registry_length', 'registry has more than 64 bytes',
            octet_length(said.registry) > 64),
        -- Until the year 2100, so that block times in milliseconds are refused.
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

-- The revision of an inserted row, if it may have one: replication copies rows with their
-- revisions, as does a restore, which makes triggers after its rows. It is only called for a row
-- that fails the fast checks, and raises the reason of a refusal. Like its neighbours it is called
-- where the search path is fixed. STABLE, because a volatile function costs each statement a node
-- of its plan.
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

-- An event's name never changes. `revision` is ours: it rises when the chain changes its mind about
-- the event (`invalidated`), or when the row's content changes: another block takes the name over,
-- or the chain's writer takes over a stranger's row under a log's name.
CREATE OR REPLACE FUNCTION revise_event() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (NEW.id, NEW."timestamp") <> (OLD.id, OLD."timestamp") THEN
        RAISE EXCEPTION 'events: id and timestamp of an event do not change'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    -- Rows stored earlier, or without our triggers, may break the limits and still follow a reorg.
    IF public.says_otherwise(OLD, NEW) THEN
        PERFORM public.refuse_impossible(NEW);
    END IF;
    NEW.invalidated := public.is_invalid_now(OLD, NEW);
    NEW.revision :=
        public.next_revision(OLD.id, OLD.revision, public.revisions_between(OLD, NEW));
    RETURN NEW;
END
$$;

-- It runs as the owner, so it serves only its own table, like all such trigger functions: a
-- stranger's table could bring types and casts of its own, which would run as the owner, too.
CREATE OR REPLACE FUNCTION log_inserted_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unlisted BIGINT;
BEGIN
    -- One test for three rare cases.
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
        -- Constant without a list. Replicated rows were admitted elsewhere.
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
           -- As in a CHECK, NULL passes. Arguments that are stored in few bytes are not measured.
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

-- The notification about the log's other entries, in the same mode as `new_event`, which is for
-- insertions only.
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
    -- Left by an earlier event of the same name, which was deleted before this one was inserted.
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
        -- In the shard that the row leaves.
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

-- Also for rows that arrive by logical replication.
SELECT enable_trigger_always('events', 'trigger_revise_event');
SELECT enable_trigger_always('events', 'trigger_log_inserted_events');
SELECT enable_trigger_always('events', 'trigger_log_revised_events');

-- TimescaleDB gives its chunks their own copy of a row trigger, and never ALWAYS: in the replica
-- role revise_event() does not run on a hypertable. This trigger runs only in that role and revises
-- the rows that were not; its update is logged like any other. On a plain table no row is left to
-- revise.
CREATE OR REPLACE FUNCTION revise_replicated_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_RELID <> 'public.events'::regclass THEN
        RAISE EXCEPTION 'revise_replicated_events() does not serve %', TG_RELID::regclass
            USING ERRCODE = 'wrong_object_type';
    END IF;
    -- An update of no rows fires this trigger again: without the test it would recurse for ever.
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
            -- A row without a next revision would be revised for ever.
            AND public.revisions_between(earlier::public.events, later::public.events)
                BETWEEN 1 AND 2147483647 - earlier.revision;
        -- Again, because the update has deleted the first copy as one of an earlier event of the
        -- name.
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

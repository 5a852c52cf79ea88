-- Ponder's side of the store. Ponder writes tables of its own, a schema for each of its builds, and
-- nothing else; triggers on these tables copy into `events`, in Ponder's own transaction.

-- The schemas that Ponder writes, each of one chain.
CREATE TABLE IF NOT EXISTS ponder_schemas (
    schema_name TEXT        PRIMARY KEY,
    chain_id    BIGINT      NOT NULL,
    -- candidate: catching up beside the current one. retired: its process ends, then it is dropped.
    status      TEXT        NOT NULL CHECK (status IN ('candidate', 'current', 'retired')),
    -- Whether Ponder is the chain's writer: checkpoint and invalidations are its. If not, it only
    -- inserts.
    owns        BOOLEAN     NOT NULL,
    -- The first block that is asked for by itself; those below it were settled at the first start,
    -- and are asked for in ranges.
    live_from   BIGINT      NOT NULL,
    started_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- The names and contracts of the registries that it reads, lower-case 0x hex: what claims to be
    -- theirs is the schema's to judge where it is the chain's writer.
    registries  TEXT[]      NOT NULL DEFAULT '{}',
    addresses   TEXT[]      NOT NULL DEFAULT '{}',
    -- As readers of a chain (`observed_blocks`) these names are ours.
    CONSTRAINT ponder_schemas_name CHECK (schema_name NOT IN ('indexer', 'auditor'))
);

CREATE UNIQUE INDEX IF NOT EXISTS ponder_schemas_current ON ponder_schemas (chain_id)
    WHERE status = 'current';

-- Rows that Ponder deleted. It does so in a reorg, but also at each restart, with every block that
-- is not final: only what it did not insert again by the time it passed their block is taken back.
CREATE TABLE IF NOT EXISTS ponder_unconfirmed (
    schema_name  TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    "timestamp"  BIGINT NOT NULL,
    block_number BIGINT NOT NULL,
    PRIMARY KEY (schema_name, id)
);

-- The last blocks that each schema has passed stand in `observed_blocks`: a block passed again
-- after a restart is not news, an event of another block of such a height is not true, and only
-- such a block is reported as safe or finalized.

-- What the schema may do with its chain: the table of docs/architecture/writers.md. Until the
-- transaction ends nobody can change that.
CREATE OR REPLACE FUNCTION ponder_rights(
    of_schema TEXT, OUT of_chain BIGINT,
    OUT may_insert BOOLEAN, OUT may_set_checkpoint BOOLEAN, OUT may_invalidate BOOLEAN,
    OUT may_finalize BOOLEAN)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_writer BOOLEAN;
BEGIN
    SELECT chain_id, status <> 'retired', status = 'current' AND owns
    INTO of_chain, may_insert, is_writer
    FROM public.ponder_schemas WHERE schema_name = of_schema FOR SHARE;
    IF may_insert IS NULL THEN
        RAISE EXCEPTION 'ponder_schemas: % is not there', of_schema
            USING HINT = 'Start Ponder by its start command, which registers the schema.';
    END IF;
    may_set_checkpoint := is_writer;
    may_invalidate := is_writer;
    may_finalize := is_writer;
END
$$;

-- Rows that Ponder inserted are events.
CREATE OR REPLACE FUNCTION ponder_copy_events() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    my RECORD;
    lowest BIGINT;
    highest BIGINT;
BEGIN
    SELECT * INTO my FROM public.ponder_rights(TG_TABLE_SCHEMA);
    SELECT min(block_number), max(block_number) INTO lowest, highest FROM changed;
    -- The lock comes before any event, as our indexer takes it, and is held until Ponder commits,
    -- which may be long where it reads history. So a schema that only inserts takes it only for
    -- blocks that a reorganisation may take out, to see whether one has, and for those that it
    -- passes again, which it may have to follow one for.
    IF my.may_invalidate OR my.may_insert AND (
        EXISTS (
            SELECT FROM public.observed_blocks
            WHERE chain_id = my.of_chain AND reader = TG_TABLE_SCHEMA AND block_number >= lowest)
        OR highest >= (
            SELECT live_from FROM public.ponder_schemas WHERE schema_name = TG_TABLE_SCHEMA)
        AND highest > coalesce((
            SELECT block_number FROM public.chain_heights
            WHERE chain_id = my.of_chain AND kind = 'finalized'), -1)) THEN
        PERFORM public.lock_chain(my.of_chain);
    END IF;
    DELETE FROM public.ponder_unconfirmed u USING changed
    WHERE u.schema_name = TG_TABLE_SCHEMA AND u.id = changed.id;
    IF my.may_invalidate THEN
        INSERT INTO public.events (
            id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
            registry, "timestamp", agent_id, data, address, topics, log_data)
        SELECT
            id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
            registry, "timestamp", agent_id::numeric, data::jsonb, address,
            string_to_array(topics, ' '), log_data
        FROM changed ORDER BY block_number, log_index
        -- What somebody else has stored under a log's name is taken over.
        ON CONFLICT (id, "timestamp") DO UPDATE SET
            chain_id = EXCLUDED.chain_id, block_number = EXCLUDED.block_number,
            block_hash = EXCLUDED.block_hash, transaction_hash = EXCLUDED.transaction_hash,
            log_index = EXCLUDED.log_index, event_type = EXCLUDED.event_type,
            registry = EXCLUDED.registry, agent_id = EXCLUDED.agent_id, data = EXCLUDED.data,
            address = EXCLUDED.address, topics = EXCLUDED.topics, log_data = EXCLUDED.log_data,
            invalidated = false
        WHERE events.invalidated OR public.says_otherwise(events, EXCLUDED);
    ELSIF my.may_insert THEN
        -- Ponder may be behind the chain's writer: what that one has taken back stays so.
        INSERT INTO public.events (
            id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
            registry, "timestamp", agent_id, data, address, topics, log_data, invalidated)
        SELECT
            id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
            registry, "timestamp", agent_id::numeric, data::jsonb, address,
            string_to_array(topics, ' '), log_data,
            EXISTS (
                SELECT FROM public.orphaned_blocks o
                WHERE (o.chain_id, o.block_hash) = (changed.chain_id, changed.block_hash))
            AND NOT EXISTS (
                SELECT FROM public.observed_blocks b
                WHERE b.reader IN ('indexer', 'auditor')
                    AND (b.chain_id, b.block_number, b.block_hash)
                        = (changed.chain_id, changed.block_number, changed.block_hash))
        FROM changed ORDER BY block_number, log_index
        ON CONFLICT (id, "timestamp") DO NOTHING;
    END IF;
    RETURN NULL;
END
$$;

-- Rows that Ponder deleted are in doubt.
CREATE OR REPLACE FUNCTION ponder_doubt_events() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.ponder_unconfirmed (schema_name, id, "timestamp", block_number)
    SELECT TG_TABLE_SCHEMA, id, "timestamp", block_number FROM gone
    ON CONFLICT (schema_name, id) DO NOTHING;
    RETURN NULL;
END
$$;

-- Takes back what others say of blocks that the schema knows to be others, from a height on: an
-- indexer beside it may have seen a branch that Ponder never saw. Only where the id itself says
-- that the event is a log of that block.
CREATE OR REPLACE FUNCTION ponder_contradict(of_schema TEXT, of_chain BIGINT, from_block BIGINT)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- So that few chunks are read. Blocks of two branches are hardly a day apart.
    earliest BIGINT := (
        SELECT min("timestamp") - 86400 FROM public.observed_blocks
        WHERE chain_id = of_chain AND reader = of_schema AND block_number >= from_block);
BEGIN
    UPDATE public.events SET invalidated = true FROM public.observed_blocks b
    WHERE b.chain_id = of_chain AND b.reader = of_schema AND b.block_number >= from_block
        AND events.chain_id = of_chain AND events.block_number = b.block_number
        AND events."timestamp" >= earliest
        AND public.comparable_hash(events.block_hash) <> b.block_hash
        AND events.id = of_chain || '-' || events.block_hash || '-' || events.log_index
        AND NOT events.invalidated;
END
$$;

-- Takes back what claims to be a log of the registries that the schema reads, in blocks that it has
-- read whole, and is none of its rows: by the registry's name or the contract, and by the block's
-- hash in the row or in the id. Of a block that was passed in a batch, whose hash nobody remembers,
-- the hash is what the row says. Without `from_block`, from the schema's first row up: what lies
-- below, nobody has read. Rows of a block time before `from_time` are left, so that few chunks are
-- read.
CREATE OR REPLACE FUNCTION ponder_take_back_forged(
    of_schema TEXT, of_chain BIGINT, from_block BIGINT, to_block BIGINT, from_time BIGINT)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    claims public.ponder_schemas := (
        SELECT s FROM public.ponder_schemas s WHERE s.schema_name = of_schema);
    forged RECORD;
BEGIN
    IF from_block IS NULL THEN
        EXECUTE format('SELECT coalesce(min(block_number), $1) FROM %I.registry_event', of_schema)
        INTO from_block USING to_block;
    END IF;
    FOR forged IN EXECUTE format(
        'SELECT e.id, e."timestamp" FROM public.events e
         LEFT JOIN public.observed_blocks b
             ON b.chain_id = $2 AND b.reader = $1 AND b.block_number = e.block_number
         WHERE e.chain_id = $2 AND e.block_number BETWEEN $3 AND $4 AND e."timestamp" >= $7
             AND NOT e.invalidated
             AND (e.registry = ANY ($5) OR lower(e.address COLLATE "C") = ANY ($6))
             AND (public.comparable_hash(e.block_hash)
                     = coalesce(b.block_hash, public.comparable_hash(e.block_hash))
                 OR starts_with(lower(e.id COLLATE "C"), $2 || ''-'' || b.block_hash || ''-''))
             -- Looked up by its key, whatever the planner believes of the table.
             AND (SELECT r.id FROM %I.registry_event r
                  WHERE r.id = e.id AND r."timestamp" = e."timestamp") IS NULL', of_schema)
        USING of_schema, of_chain, from_block, to_block, claims.registries, claims.addresses,
            from_time
    LOOP
        UPDATE public.events SET invalidated = true
        WHERE id = forged.id AND "timestamp" = forged."timestamp" AND NOT invalidated;
    END LOOP;
END
$$;

-- Refuses a block that would replace a finalized one: Ponder's transaction ends.
CREATE OR REPLACE FUNCTION ponder_refuse_replacing(of_chain BIGINT, number BIGINT, hash TEXT)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.leaves_finalized(of_chain, number - 1, ARRAY[hash], false) THEN
        RAISE EXCEPTION 'chain %: block % (%) would replace a finalized one', of_chain, number, hash
            USING HINT = 'No reorganisation is followed below a finalized block. See '
                'docs/operations/problems.md, "A chain stops below its finalized block".';
    END IF;
END
$$;

-- Ponder has passed a block. Runs at the commit, so after the rows of the block, whichever of its
-- tables Ponder writes first.
CREATE OR REPLACE FUNCTION ponder_pass_block() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- Deeper than any reorg that Ponder follows.
    blocks_remembered CONSTANT BIGINT := 1000;
    -- Below them each 64th, as deep as a rollup finalizes: two hours of Arbitrum.
    blocks_sampled CONSTANT BIGINT := 28800;
    -- As late as another writer may be.
    blocks_compared CONSTANT BIGINT := 64;
    me TEXT := TG_TABLE_SCHEMA;
    before BIGINT := CASE WHEN TG_OP = 'UPDATE' THEN OLD.block_number ELSE -1 END;
    my RECORD;
    -- Another block was here: every block that was passed above it is gone, too.
    replaces BOOLEAN;
BEGIN
    -- Ponder set it back, in a reorg or at a restart. Which of them, the next block tells.
    IF NEW.block_number <= before THEN
        RETURN NULL;
    END IF;
    SELECT * INTO my FROM public.ponder_rights(me);
    replaces := EXISTS (
        SELECT FROM public.observed_blocks
        WHERE chain_id = NEW.chain_id AND reader = me AND block_number = NEW.block_number
            AND block_hash <> NEW.block_hash);
    -- What a schema that is not the writer does below, but for a reorganisation, is its own alone.
    IF my.may_invalidate OR replaces THEN
        PERFORM public.lock_chain(NEW.chain_id);
    END IF;
    -- The finalized block may be another reader's: the writer asks of each block.
    IF replaces OR my.may_finalize THEN
        PERFORM public.ponder_refuse_replacing(NEW.chain_id, NEW.block_number, NEW.block_hash);
    END IF;
    -- What takes the place of the blocks above this one, Ponder does not know yet.
    IF replaces THEN
        PERFORM public.follow_reorg(
            NEW.chain_id, me, NULL, NULL, NEW.block_number - 1, NEW.parent_hash,
            NULL, ARRAY[NEW.block_hash], false,
            my.may_set_checkpoint, my.may_invalidate, my.may_finalize);
    END IF;
    -- What the schema's own rows say no more is taken back. Asked first: an empty table of which no
    -- statistics speak is planned for as if it were full.
    IF my.may_invalidate AND EXISTS (
        SELECT FROM public.ponder_unconfirmed
        WHERE schema_name = me AND (block_number <= NEW.block_number OR replaces)) THEN
        UPDATE public.events SET invalidated = true FROM public.ponder_unconfirmed u
        WHERE u.schema_name = me AND (u.block_number <= NEW.block_number OR replaces)
            AND events.id = u.id AND events."timestamp" = u."timestamp" AND NOT events.invalidated;
    END IF;
    DELETE FROM public.ponder_unconfirmed
    WHERE schema_name = me AND (block_number <= NEW.block_number OR replaces);
    DELETE FROM public.observed_blocks
    WHERE chain_id = NEW.chain_id AND reader = me
        AND (block_number < NEW.block_number - blocks_remembered AND block_number % 64 <> 0
            OR block_number < NEW.block_number - blocks_sampled
            -- In a batch of blocks only the last one is seen here.
            OR block_number > before AND block_number < NEW.block_number);
    INSERT INTO public.observed_blocks (
        chain_id, reader, block_number, block_hash, parent_hash, "timestamp")
    VALUES (NEW.chain_id, me, NEW.block_number, NEW.block_hash, NEW.parent_hash, NEW."timestamp")
    ON CONFLICT (chain_id, reader, block_number) DO NOTHING;
    IF my.may_invalidate THEN
        PERFORM public.ponder_contradict(me, NEW.chain_id, NEW.block_number - blocks_compared + 1);
        -- Once in so many blocks, of whatever time a row says.
        PERFORM public.ponder_take_back_forged(
            me, NEW.chain_id,
            CASE WHEN before >= 0
                THEN least(before + 1, NEW.block_number - 2 * blocks_compared + 1) END,
            NEW.block_number,
            CASE WHEN before / blocks_compared = NEW.block_number / blocks_compared
                THEN NEW."timestamp" - 86400 ELSE 0 END);
    END IF;
    IF my.may_set_checkpoint AND NOT EXISTS (
        SELECT FROM public.checkpoints
        WHERE chain_id = NEW.chain_id AND (
            block_number > NEW.block_number
            OR (block_number, block_hash) = (NEW.block_number, NEW.block_hash))) THEN
        PERFORM public.set_checkpoint(
            NEW.chain_id, NEW.block_number, NEW.block_hash, NEW."timestamp");
    END IF;
    RETURN NULL;
END
$$;

-- True while Ponder writes as the chain's writer. Its transaction may have begun before this one,
-- then stands before it in the log, and may be a reorg that ends after it.
CREATE OR REPLACE FUNCTION ponder_is_writing(of_chain BIGINT) RETURNS BOOLEAN
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    writer TEXT;
BEGIN
    SELECT schema_name INTO writer FROM public.ponder_schemas
    WHERE chain_id = of_chain AND status = 'current' AND owns;
    -- Without one, pg_locks is not read: reading it blocks every request for a lock for a moment.
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    RETURN EXISTS (
        SELECT FROM pg_locks l
        JOIN pg_class c ON c.oid = l.relation
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND n.nspname = writer AND l.mode = 'RowExclusiveLock' AND l.granted);
END
$$;

-- Raises the safe and the finalized block of the chain whose writer the schema is, to blocks that
-- it has passed; anything else changes nothing. False: Ponder is writing, and it is to be said
-- again.
CREATE OR REPLACE FUNCTION ponder_report(
    of_schema TEXT, safe_number BIGINT, safe_hash TEXT, final_number BIGINT, final_hash TEXT)
RETURNS BOOLEAN
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_chain BIGINT;
BEGIN
    -- Waits for Ponder's transaction, and has the next one wait: see ponder_rights().
    SELECT chain_id INTO of_chain FROM public.ponder_schemas
    WHERE schema_name = of_schema FOR UPDATE;
    IF of_chain IS NULL OR NOT (SELECT may_finalize FROM public.ponder_rights(of_schema)) THEN
        RETURN true;
    END IF;
    IF NOT public.raise_chain_height(
        of_chain, of_schema, 'safe', safe_number, safe_hash, false) THEN
        RETURN false;
    END IF;
    RETURN public.raise_chain_height(
        of_chain, of_schema, 'finalized', final_number, final_hash, false);
END
$$;

-- Puts the triggers on a schema's tables, once Ponder has made them.
CREATE OR REPLACE FUNCTION ponder_attach(to_schema TEXT) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER agentauri_copy_inserted AFTER INSERT ON %I.registry_event
             REFERENCING NEW TABLE AS changed
             FOR EACH STATEMENT EXECUTE FUNCTION public.ponder_copy_events()', to_schema);
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER agentauri_copy_updated AFTER UPDATE ON %I.registry_event
             REFERENCING NEW TABLE AS changed
             FOR EACH STATEMENT EXECUTE FUNCTION public.ponder_copy_events()', to_schema);
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER agentauri_doubt_deleted AFTER DELETE ON %I.registry_event
             REFERENCING OLD TABLE AS gone
             FOR EACH STATEMENT EXECUTE FUNCTION public.ponder_doubt_events()', to_schema);
    EXECUTE format('DROP TRIGGER IF EXISTS agentauri_pass_block ON %I.cursor', to_schema);
    EXECUTE format(
        'CREATE CONSTRAINT TRIGGER agentauri_pass_block AFTER INSERT OR UPDATE ON %I.cursor
             DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION public.ponder_pass_block()', to_schema);
END
$$;

-- Registers a schema whose process starts. The chain's first one is current at once.
CREATE OR REPLACE FUNCTION ponder_start(
    new_schema TEXT, of_chain BIGINT, now_owns BOOLEAN, first_live_from BIGINT,
    its_registries TEXT[] DEFAULT '{}', its_addresses TEXT[] DEFAULT '{}')
RETURNS ponder_schemas
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    me public.ponder_schemas;
BEGIN
    INSERT INTO public.ponder_schemas AS s (
        schema_name, chain_id, status, owns, live_from, registries, addresses)
    SELECT new_schema, of_chain,
        CASE WHEN EXISTS (
            SELECT FROM public.ponder_schemas WHERE chain_id = of_chain AND status = 'current')
        THEN 'candidate' ELSE 'current' END,
        now_owns, first_live_from, its_registries, its_addresses
    ON CONFLICT (schema_name) DO UPDATE SET
        owns = EXCLUDED.owns,
        registries = EXCLUDED.registries,
        addresses = EXCLUDED.addresses,
        started_at = now(),
        -- A build that was given up and is wanted again.
        status = CASE WHEN s.status = 'retired' THEN 'candidate' ELSE s.status END
    RETURNING * INTO me;
    RETURN me;
END
$$;

-- Makes a candidate the chain's current schema and retires the others. Where Ponder is
-- the chain's writer, the events of the blocks that the candidate remembers become what it says of
-- them.
CREATE OR REPLACE FUNCTION ponder_take_over(new_schema TEXT) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    me public.ponder_schemas;
BEGIN
    SELECT * INTO STRICT me FROM public.ponder_schemas WHERE schema_name = new_schema;
    -- Waits for the transactions of the chain's schemas: see ponder_rights().
    PERFORM FROM public.ponder_schemas WHERE chain_id = me.chain_id ORDER BY schema_name FOR UPDATE;
    UPDATE public.ponder_schemas SET status = 'retired'
    WHERE chain_id = me.chain_id AND schema_name <> new_schema;
    UPDATE public.ponder_schemas SET status = 'current' WHERE schema_name = new_schema;
    IF NOT (SELECT may_invalidate FROM public.ponder_rights(new_schema)) THEN
        RETURN;
    END IF;
    PERFORM public.lock_chain(me.chain_id);
    PERFORM public.ponder_refuse_replacing(me.chain_id, block_number, block_hash)
    FROM (SELECT b.block_number, b.block_hash FROM public.observed_blocks b
          JOIN public.chain_heights f ON f.chain_id = b.chain_id AND f.kind = 'finalized'
          WHERE b.chain_id = me.chain_id AND b.reader = new_schema
              AND b.block_number <= f.block_number
          ORDER BY b.block_number DESC LIMIT 1) AS latest;
    PERFORM public.ponder_contradict(new_schema, me.chain_id, 0);
    PERFORM public.ponder_take_back_forged(new_schema, me.chain_id, lowest, highest, 0)
    FROM (SELECT min(block_number) AS lowest, max(block_number) AS highest
          FROM public.observed_blocks
          WHERE chain_id = me.chain_id AND reader = new_schema) AS remembered;
    -- What ponder_take_back_forged() would take does not come back.
    EXECUTE format(
        'UPDATE public.events SET invalidated = false FROM public.observed_blocks b
         WHERE b.chain_id = $2 AND b.reader = $1 AND events.chain_id = $2
             AND events.block_number = b.block_number
             AND public.comparable_hash(events.block_hash) = b.block_hash AND events.invalidated
             AND (events.registry <> ALL ($3)
                     AND coalesce(lower(events.address) <> ALL ($4), true)
                 OR (SELECT r.id FROM %I.registry_event r
                     WHERE r.id = events.id AND r."timestamp" = events."timestamp") IS NOT NULL)',
        new_schema)
    USING new_schema, me.chain_id, me.registries, me.addresses;
    PERFORM public.set_checkpoint(chain_id, block_number, block_hash, "timestamp")
    FROM (SELECT * FROM public.observed_blocks
          WHERE chain_id = me.chain_id AND reader = new_schema
          ORDER BY block_number DESC LIMIT 1) AS latest;
END
$$;

-- Drops a retired schema and what is remembered of it. Its events stay.
CREATE OR REPLACE FUNCTION ponder_forget(old_schema TEXT) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_chain BIGINT;
BEGIN
    DELETE FROM public.ponder_schemas WHERE schema_name = old_schema AND status = 'retired'
    RETURNING chain_id INTO of_chain;
    IF of_chain IS NULL THEN
        RAISE EXCEPTION 'ponder_schemas: % is not retired', old_schema;
    END IF;
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', old_schema);
    DELETE FROM public.ponder_unconfirmed WHERE schema_name = old_schema;
    DELETE FROM public.observed_blocks WHERE chain_id = of_chain AND reader = old_schema;
END
$$;

-- The tables in which Ponder keeps the answers of nodes by chain. First the one that says what it
-- has asked: without that, whatever else is left is asked again.
CREATE OR REPLACE FUNCTION ponder_caches() RETURNS SETOF REGCLASS
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.oid::regclass FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'ponder_sync'
    WHERE a.attname = 'chain_id' AND NOT a.attisdropped
    ORDER BY c.relname <> 'intervals', c.relname
$$;

-- Forgets some of the answers that Ponder keeps of a chain, so that ponder_reset() has few left.
-- Returns the number of rows; 0 at the end, and where the chain has no schema of Ponder's.
CREATE OR REPLACE FUNCTION ponder_trim_caches(of_chain BIGINT, rows_max BIGINT) RETURNS BIGINT
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    cache REGCLASS;
    deleted BIGINT;
BEGIN
    IF NOT EXISTS (SELECT FROM public.ponder_schemas WHERE chain_id = of_chain) THEN
        RETURN 0;
    END IF;
    FOR cache IN SELECT * FROM public.ponder_caches() LOOP
        EXECUTE format(
            'DELETE FROM %1$s WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM %1$s WHERE chain_id = $1 LIMIT $2))', cache)
        USING of_chain, rows_max;
        GET DIAGNOSTICS deleted = ROW_COUNT;
        IF deleted > 0 THEN
            RETURN deleted;
        END IF;
    END LOOP;
    RETURN 0;
END
$$;

-- Forgets what Ponder has read of a chain that began anew: its schemas are dropped, and the answers
-- of nodes that it keeps in `ponder_sync`, of which its history would be made again. Their events
-- are the caller's. Returns a schema that a process of Ponder's writes to, and the caller rolls
-- back; NULL where all is forgotten.
CREATE OR REPLACE FUNCTION ponder_reset(of_chain BIGINT) RETURNS TEXT
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    schemas TEXT[] := ARRAY(
        SELECT schema_name FROM public.ponder_schemas WHERE chain_id = of_chain
        ORDER BY schema_name FOR UPDATE);
    old_schema TEXT;
    cache REGCLASS;
BEGIN
    FOREACH old_schema IN ARRAY schemas LOOP
        -- Its process holds it; until the transaction ends, none starts.
        IF NOT pg_try_advisory_xact_lock(hashtextextended('ponder:' || old_schema, 0)) THEN
            RETURN old_schema;
        END IF;
        UPDATE public.ponder_schemas SET status = 'retired' WHERE schema_name = old_schema;
        PERFORM public.ponder_forget(old_schema);
    END LOOP;
    IF schemas <> '{}' THEN
        FOR cache IN SELECT * FROM public.ponder_caches() LOOP
            EXECUTE format('DELETE FROM %s WHERE chain_id = $1', cache) USING of_chain;
        END LOOP;
    END IF;
    RETURN NULL;
END
$$;

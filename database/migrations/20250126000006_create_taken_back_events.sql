-- A transaction that a reorg took out of the chain usually comes back in another block, and its
-- events with it, under other names. Who was told of the first is told that the second is the same:
-- the match of the one that is judged later says what it was before; where the writer stored the
-- new block first, the retraction of the earlier one says what stands now.

-- Events that were judged and then taken back, as a batch found them; for a week.
CREATE TABLE IF NOT EXISTS taken_back_events (
    -- The order in which they were taken back; one that came back and went again stands last.
    seq              BIGINT      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain_id         BIGINT      NOT NULL,
    transaction_hash TEXT        NOT NULL,
    registry         TEXT        NOT NULL,
    event_type       TEXT        NOT NULL,
    -- How many of the kind came before it in its transaction. NULL: another block has taken its
    -- name over, and what was beside it is not told apart any more.
    ordinal          BIGINT,
    event_id         TEXT        NOT NULL,
    event_timestamp  BIGINT      NOT NULL,
    -- The last revision at which it was true.
    revision         INTEGER     NOT NULL,
    block_number     BIGINT      NOT NULL,
    block_hash       TEXT        NOT NULL,
    taken_back_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (event_id, event_timestamp, block_hash)
);

-- Every job that is decided asks for its transaction here, nearly always in vain.
CREATE INDEX IF NOT EXISTS taken_back_events_transaction
    ON taken_back_events (chain_id, transaction_hash);

-- How many of its kind come before it in its transaction: the same in every block that includes it,
-- where `log_index` counts the block's other logs, too.
CREATE OR REPLACE FUNCTION ordinal_in_transaction(event events) RETURNS BIGINT
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT count(*) FROM events e
    WHERE e.chain_id = event.chain_id AND e.block_number = event.block_number
      AND e."timestamp" = event."timestamp" AND e.block_hash = event.block_hash
      AND e.transaction_hash = event.transaction_hash AND e.registry = event.registry
      AND e.event_type = event.event_type AND e.log_index < event.log_index
$$;

-- What a receiver is told of the same transaction's event in another block. `webhook_id` is what
-- the same trigger's action sent of it, where an attempt of that has begun.
CREATE OR REPLACE FUNCTION other_inclusion(
    trigger_id UUID, action_id TEXT, event_id TEXT, event_timestamp BIGINT, revision INTEGER,
    block_number BIGINT, block_hash TEXT
) RETURNS JSONB
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT jsonb_build_object(
        'webhook_id', (SELECT j.id FROM jobs j
                       WHERE (j.event_id, j.event_timestamp) = ($3, $4) AND j.event_revision <= $5
                         AND (j.trigger_id, j.action_id) = ($1, $2)
                         AND j.retracts IS NULL AND j.attempts > 0
                       ORDER BY j.event_revision DESC
                       LIMIT 1),
        'id', $3, 'timestamp', $4, 'revision', $5, 'block_number', $6, 'block_hash', $7)
$$;

-- Of the match of an event: what its transaction's event was when it was taken back last.
CREATE OR REPLACE FUNCTION taken_back_before(
    trigger_id UUID, action_id TEXT, event_id TEXT, event_timestamp BIGINT
) RETURNS JSONB
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT other_inclusion($1, $2, t.event_id, t.event_timestamp, t.revision, t.block_number,
                           t.block_hash)
    FROM events e
    JOIN taken_back_events t USING (chain_id, transaction_hash)
    WHERE (e.id, e."timestamp") = ($3, $4)
      AND ((t.event_id, t.event_timestamp) = ($3, $4)
           OR (t.registry, t.event_type, t.ordinal)
              = (e.registry, e.event_type, ordinal_in_transaction(e)))
    ORDER BY t.seq DESC
    LIMIT 1
$$;

-- Of the retraction of an event in the block of that hash: where its transaction's event is now.
-- It is looked for in the blocks about it; what comes back later is told with its match.
CREATE OR REPLACE FUNCTION included_now(
    trigger_id UUID, action_id TEXT, event_id TEXT, event_timestamp BIGINT, block_hash TEXT
) RETURNS JSONB
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT other_inclusion($1, $2, e.id, e."timestamp", e.revision, e.block_number, e.block_hash)
    FROM (SELECT chain_id, transaction_hash, block_number, registry, event_type,
                 ordinal_in_transaction(events) AS ordinal
          FROM events WHERE (id, "timestamp") = ($3, $4) AND events.block_hash = $5
          UNION ALL
          SELECT chain_id, transaction_hash, block_number, registry, event_type, NULL
          FROM replaced_events r WHERE (id, "timestamp") = ($3, $4) AND r.block_hash = $5
         ) AS gone
    JOIN events e ON e.chain_id = gone.chain_id AND e.transaction_hash = gone.transaction_hash
         AND e.block_number BETWEEN gone.block_number - 64 AND gone.block_number + 64
         AND e."timestamp" BETWEEN $4 - 3600 AND $4 + 3600
    WHERE NOT e.invalidated AND comparable_hash(e.block_hash) <> comparable_hash($5)
      AND ((e.id, e."timestamp") = ($3, $4)
           OR (e.registry, e.event_type, ordinal_in_transaction(e))
              = (gone.registry, gone.event_type, gone.ordinal))
    ORDER BY e.block_number DESC
    LIMIT 1
$$;

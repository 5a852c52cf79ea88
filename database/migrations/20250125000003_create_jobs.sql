-- Jobs: one action to take for a trigger's match, or the retraction of one. A match is written in
-- the transaction that moves the cursor past its event; Redis only carries ids of due jobs.
CREATE TABLE IF NOT EXISTS jobs (
    -- A function of (trigger, action, event, revision): deciding twice adds nothing. A retraction's
    -- id is a function of the job that it retracts.
    id                UUID        PRIMARY KEY,
    -- The job whose message may have arrived, although the chain has invalidated its event. NULL
    -- for a match. Written when no attempt of that job is under way, and none will begin.
    retracts          UUID,
    trigger_id        UUID        NOT NULL,
    trigger_version   INTEGER     NOT NULL,
    action_id         TEXT        NOT NULL,
    action_version    INTEGER     NOT NULL,
    -- The action's destination. The nil UUID where the action's row is gone.
    destination_id    UUID        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    chain_id          BIGINT      NOT NULL,
    event_id          TEXT        NOT NULL,
    event_timestamp   BIGINT      NOT NULL,
    event_revision    INTEGER     NOT NULL,
    -- The set of triggers that the event was judged by.
    triggers_revision BIGINT      NOT NULL,
    -- The readings of the trigger's state at the event, a JSON object; NULL without state.
    readings          JSONB,
    state             TEXT        NOT NULL DEFAULT 'pending',
    -- Attempts started. One whose worker died counts.
    attempts          INTEGER     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- Attempts before its retry schedule began anew, which those since are counted against. Set to
    -- `attempts` where a dead job is given another schedule.
    schedule_from     INTEGER     NOT NULL DEFAULT 0 CHECK (schedule_from BETWEEN 0 AND attempts),
    due_at            TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- When it is stale: no attempt begins any more. NULL: never, as of every retraction.
    expires_at        TIMESTAMPTZ,
    -- When a hold ended that it waited for. NULL: it never did.
    released_at       TIMESTAMPTZ,
    -- Last push to Redis; -infinity if not pushed since it became due. The sweep pushes again a due
    -- job that is still unleased although ids pushed later were already read.
    pushed_at         TIMESTAMPTZ NOT NULL DEFAULT '-infinity',
    lease_holder      TEXT,
    lease_until       TIMESTAMPTZ,
    created_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    finished_at       TIMESTAMPTZ,
    -- The reason why it was cancelled or expired, or is held or dead.
    reason            TEXT,
    -- Of a retraction: the block that is gone, the one at its height now, and the height of the
    -- last block that stayed. As known when it was written, so that all its attempts agree.
    reorg_old_hash    TEXT,
    reorg_new_hash    TEXT,
    reorg_fork_block  BIGINT,
    -- The same transaction's event in another block: on a match the invalidated one before it, on a
    -- retraction the current one.
    reincluded        JSONB,
    CONSTRAINT jobs_retraction CHECK (CASE WHEN retracts IS NULL
        THEN num_nonnulls(reorg_old_hash, reorg_new_hash, reorg_fork_block) = 0
        ELSE retracts <> id AND reorg_old_hash IS NOT NULL AND expires_at IS NULL END),
    CONSTRAINT jobs_state_machine CHECK (CASE state
        WHEN 'pending'   THEN lease_until IS NULL AND lease_holder IS NULL AND finished_at IS NULL
        WHEN 'held'      THEN lease_until IS NULL AND lease_holder IS NULL AND finished_at IS NULL
                              AND reason IS NOT NULL
        WHEN 'leased'    THEN lease_until IS NOT NULL AND lease_holder IS NOT NULL
                              AND finished_at IS NULL AND attempts > 0
        WHEN 'delivered' THEN lease_until IS NULL AND lease_holder IS NULL
                              AND finished_at IS NOT NULL AND attempts > 0
        WHEN 'cancelled' THEN lease_until IS NULL AND lease_holder IS NULL
                              AND finished_at IS NOT NULL AND reason IS NOT NULL
        WHEN 'expired'   THEN lease_until IS NULL AND lease_holder IS NULL
                              AND finished_at IS NOT NULL AND reason IS NOT NULL
        WHEN 'dead'      THEN lease_until IS NULL AND lease_holder IS NULL
                              AND finished_at IS NOT NULL AND reason IS NOT NULL AND attempts > 0
        ELSE false END)
);

-- For the sweep: due jobs that were not pushed lately, and leases that ran out.
CREATE INDEX IF NOT EXISTS jobs_due ON jobs (due_at, pushed_at) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS jobs_leases ON jobs (lease_until) WHERE state = 'leased';
-- For an invalidation: the jobs of its event.
CREATE INDEX IF NOT EXISTS jobs_event ON jobs (event_id, event_timestamp);
-- For the removal of a trigger: its jobs that wait.
CREATE INDEX IF NOT EXISTS jobs_waiting_by_trigger ON jobs (trigger_id)
    WHERE state IN ('pending', 'held');
-- For the end of a hold: what waits for it, in the order of decision.
CREATE INDEX IF NOT EXISTS jobs_held
    ON jobs (destination_id, trigger_id, (retracts IS NOT NULL), created_at, id)
    WHERE state = 'held';

-- Lists go from the latest decision downwards: of all jobs, and of the dead ones. By an expression
-- that no other statement has: a plan that was made while the table was empty would look through
-- such an index for the job of an id, and be kept.
CREATE INDEX IF NOT EXISTS jobs_latest ON jobs (created_at, uuid_send(id));
CREATE INDEX IF NOT EXISTS jobs_dead ON jobs (created_at, uuid_send(id)) WHERE state = 'dead';

-- For `status` and `doctor`: the jobs that ended dead of late.
CREATE INDEX IF NOT EXISTS jobs_dead_ended ON jobs (finished_at) WHERE state = 'dead';

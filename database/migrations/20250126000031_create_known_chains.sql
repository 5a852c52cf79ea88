-- Chains that our own configuration or a trigger has named.
CREATE TABLE IF NOT EXISTS named_chains (
    chain_id BIGINT      PRIMARY KEY,
    -- `file`: agentauri.toml, recorded when it is read. `trigger`: its selectors.
    named_by TEXT        NOT NULL CHECK (named_by IN ('file', 'trigger')),
    named_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- The known chains: those that a role with more than INSERT on `events` vouches for. They are
-- served one by one: surveyed each time, judged before all others, with metrics of their own. A
-- role that may only write events may name any other chain; all of those together have a bounded
-- share.
--
-- `vouching` is the source of the strongest voucher: 1 the list, 2 the file, 3 an indexer, 4 an
-- auditor, 5 a checkpoint, 6 Ponder, 7 only a trigger. Of too many, the last are left out.
CREATE OR REPLACE VIEW known_chains AS
    SELECT chain_id, min(vouching) AS vouching
    FROM (SELECT chain_id, 1 FROM chain_list
          UNION ALL SELECT chain_id, CASE named_by WHEN 'file' THEN 2 ELSE 7 END FROM named_chains
          UNION ALL SELECT chain_id, 3 FROM chain_readers
              WHERE reader = 'indexer' AND began_at IS NOT NULL
          UNION ALL SELECT chain_id, 4 FROM audit_cursors
          UNION ALL SELECT chain_id, 5 FROM checkpoints
          UNION ALL SELECT chain_id, 6 FROM ponder_schemas) AS vouched (chain_id, vouching)
    GROUP BY chain_id;

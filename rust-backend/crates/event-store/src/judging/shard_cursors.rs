//! Table `shard_cursors`, and the lock that makes a shard ours.

use event_engine::decide::Plan;
use event_engine::event::ChainId;
use event_engine::log::Position;
use event_engine::port::{Ready, ShardBatch};
use sqlx::PgConnection;

use crate::delivery::jobs;
use crate::judging::event_log::parse_xid;
use crate::judging::walk::{Seen, WalkStep};
use crate::{Result, StoreError};

/// One survey of the shards that are asked for and of a step of the walk: the last entry of each
/// against its cursor, and the number of entries that may be judged. Nothing is read while no
/// transaction has begun since `rested_at`.
pub(crate) async fn survey(
    connection: &mut PgConnection,
    entries_max: u32,
    asked: &[i64],
    step: WalkStep,
    rested_at: Option<u64>,
) -> Result<(Vec<Ready>, bool, Seen)> {
    let rows = sqlx::query!(
        r#"WITH RECURSIVE horizon (xmin, xmax, works) AS MATERIALIZED (
               SELECT pg_snapshot_xmin(s), pg_snapshot_xmax(s),
                      pg_snapshot_xmax(s)::text IS DISTINCT FROM $5
               FROM pg_current_snapshot() AS s
           ), walk (chain_id, step) AS (
               SELECT (SELECT min(l.chain_id) FROM event_log l WHERE l.chain_id >= $3), 1
               FROM horizon WHERE works AND $4::integer > 0
               UNION ALL
               SELECT (SELECT min(l.chain_id) FROM event_log l WHERE l.chain_id > w.chain_id),
                      w.step + 1
               FROM walk w WHERE w.chain_id IS NOT NULL AND w.step < $4::integer
           ), shards AS (
               SELECT unnest($2::bigint[]) AS chain_id FROM horizon WHERE works
               UNION
               SELECT chain_id FROM walk WHERE chain_id IS NOT NULL
           )
           SELECT h.xmin::text AS "xmin!", h.xmax::text AS "xmax!",
                  (SELECT log_is_restored()) AS "restored!",
                  (SELECT max(chain_id) FROM walk) AS walked_to,
                  (SELECT count(chain_id) FROM walk) AS "walked!",
                  found.chain_id AS "chain_id?", found.ready AS "ready?", found.held AS "held?"
           FROM horizon h
           LEFT JOIN LATERAL (
               SELECT s.chain_id, latest.xid >= h.xmin AS held,
                      (SELECT count(*)
                       FROM (SELECT FROM event_log l
                             WHERE l.chain_id = s.chain_id AND l.xid < h.xmin
                               AND (l.xid, l.seq) > (coalesce(c.xid, '0'), coalesce(c.seq, 0))
                             LIMIT $1) AS judgeable) AS ready
               FROM shards s
               LEFT JOIN shard_cursors c USING (chain_id)
               CROSS JOIN LATERAL (SELECT l.xid, l.seq FROM event_log l
                                   WHERE l.chain_id = s.chain_id
                                   ORDER BY l.xid DESC, l.seq DESC LIMIT 1) AS latest
               WHERE (latest.xid, latest.seq) > (coalesce(c.xid, '0'), coalesce(c.seq, 0))
           ) AS found ON true"#,
        i64::from(entries_max),
        asked,
        step.from,
        i32::try_from(step.steps_max).unwrap_or(i32::MAX),
        rested_at.map(|xid| xid.to_string()),
    )
    .fetch_all(connection)
    .await?;
    if rows.iter().any(|row| row.restored) {
        return Err(StoreError::Restored);
    }
    let horizon = rows.first();
    let xid = |text: Option<&String>| text.map_or(Ok(0), |text| parse_xid(text));
    let seen = Seen {
        xmin: xid(horizon.map(|row| &row.xmin))?,
        xmax: xid(horizon.map(|row| &row.xmax))?,
        walked_to: horizon.and_then(|row| row.walked_to),
        walked: horizon.map_or(0, |row| u32::try_from(row.walked).unwrap_or(u32::MAX)),
        pending: rows.iter().filter_map(|row| row.chain_id).map(ChainId).collect(),
    };
    let ready = rows.iter().filter_map(|row| Some((row.chain_id?, row.ready?)));
    let ready = ready.filter(|(_, entries)| *entries > 0).map(|(chain_id, entries)| Ready {
        shard: ChainId(chain_id),
        entries: u32::try_from(entries).unwrap_or(entries_max),
        is_known: false,
    });
    let held = rows.iter().any(|row| row.held == Some(true));
    Ok((ready.collect(), held, seen))
}

/// The move of a shard's cursor by a batch, and the plan behind it.
#[derive(Debug)]
pub(crate) struct Move<'a> {
    pub(crate) batch: &'a ShardBatch,
    pub(crate) to: Position,
    pub(crate) plan: &'a Plan,
}

/// Moves as arrays for `unnest`.
#[derive(Default)]
struct MoveColumns {
    chains: Vec<i64>,
    from_xids: Vec<String>,
    from_seqs: Vec<i64>,
    xids: Vec<String>,
    seqs: Vec<i64>,
    block_times: Vec<i64>,
    judged: Vec<i64>,
    gone: Vec<i64>,
    late: Vec<i64>,
    heads: Vec<Option<i64>>,
    safes: Vec<Option<i64>>,
    finalizeds: Vec<Option<i64>>,
}

impl MoveColumns {
    fn of(moves: &[Move<'_>]) -> Self {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let mut columns = Self::default();
        for Move { batch, to, plan } in moves {
            columns.chains.push(batch.shard.0);
            columns.from_xids.push(batch.cursor.xid.to_string());
            columns.from_seqs.push(batch.cursor.seq);
            columns.xids.push(to.xid.to_string());
            columns.seqs.push(to.seq);
            columns.block_times.push(plan.block_time);
            columns.judged.push(count(plan.tally.entries));
            columns.gone.push(count(plan.tally.gone));
            columns.late.push(count(plan.tally.late));
            columns.heads.push(plan.heights.head);
            columns.safes.push(plan.heights.safe);
            columns.finalizeds.push(plan.heights.finalized);
        }
        columns
    }
}

/// Adds the jobs of a batch and moves its cursors from where they were read, or fails with
/// [`StoreError::ShardLost`]. A cancelled job is wanted again where its event had been deleted and
/// is there again, and where no attempt of it had begun.
///
/// Returns true if some of the jobs are of transactions that were in an orphaned block.
///
/// The commit will not wait for the disk. A crash undoes the batch as a whole, and it is judged
/// again; a worker's lease waits, and makes all that stands before it in the same log last.
#[expect(clippy::too_many_lines, reason = "one query")]
pub(crate) async fn advance(
    connection: &mut PgConnection,
    holder: &str,
    triggers_revision: i64,
    moves: &[Move<'_>],
    jobs: &jobs::JobColumns<'_>,
) -> Result<bool> {
    let columns = MoveColumns::of(moves);
    if moves.iter().any(|it| it.batch.cursor == Position::default()) {
        introduce(connection, &columns.chains).await?;
    }
    let advanced = sqlx::query!(
        r#"WITH decided AS (
               INSERT INTO jobs (id, trigger_id, trigger_version, action_id, action_version,
                                 event_id, event_timestamp, event_revision, readings, chain_id,
                                 triggers_revision, destination_id, expires_at, pushed_at)
               SELECT new.id, new.trigger_id, new.trigger_version, new.action_id,
                      new.action_version, new.event_id, new.event_timestamp, new.event_revision,
                      new.readings::jsonb, new.chain_id, $11,
                      coalesce(action.destination_id, '00000000-0000-0000-0000-000000000000'),
                      now() + make_interval(secs => action.expires_ms / 1000.0), now()
               FROM unnest($12::uuid[], $13::uuid[], $14::integer[], $15::text[], $16::integer[],
                           $17::text[], $18::bigint[], $19::integer[], $20::text[], $21::bigint[])
                    AS new (id, trigger_id, trigger_version, action_id, action_version, event_id,
                            event_timestamp, event_revision, readings, chain_id)
               LEFT JOIN LATERAL (
                   SELECT destination_id, expires_ms FROM trigger_actions a
                   WHERE a.trigger_id = new.trigger_id AND a.action_id = new.action_id
                     AND a.version = new.action_version
                   LIMIT 1
               ) AS action ON true
               ON CONFLICT (id) DO UPDATE
               SET (state, finished_at, reason, due_at, pushed_at, expires_at)
                   = ('pending', NULL, NULL, now(), now(), excluded.expires_at)
               WHERE jobs.state = 'cancelled'
                 AND (jobs.reason = $22 OR jobs.reason = $23 AND jobs.attempts = 0)
           )
           UPDATE shard_cursors c
           SET xid = moved.xid::xid8, seq = moved.seq, block_time = moved.block_time,
               triggers_revision = $11, holder = $10,
               generation = c.generation
                   + CASE WHEN c.holder IS DISTINCT FROM $10 THEN 1 ELSE 0 END,
               entries_judged = c.entries_judged + moved.judged,
               entries_gone = c.entries_gone + moved.gone,
               events_late = c.events_late + moved.late, head_block = moved.head,
               safe_block = moved.safe, finalized_block = moved.finalized,
               updated_at = now()
           FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::bigint[],
                       $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $24::bigint[],
                       $25::bigint[], $26::bigint[])
                AS moved (chain_id, from_xid, from_seq, xid, seq, block_time, judged, gone, late,
                          head, safe, finalized)
           WHERE c.chain_id = moved.chain_id AND c.xid = moved.from_xid::xid8
             AND c.seq = moved.from_seq
           RETURNING c.chain_id, set_config('synchronous_commit', 'off', true) AS commit, (
               SELECT EXISTS (
                   SELECT FROM unnest($21::bigint[], $27::text[]) AS new (chain_id, transaction)
                   JOIN invalidated_events t
                        ON t.chain_id = new.chain_id AND t.transaction_hash = new.transaction)
           ) AS "comes_back!""#,
        &columns.chains,
        &columns.from_xids,
        &columns.from_seqs,
        &columns.xids,
        &columns.seqs,
        &columns.block_times,
        &columns.judged,
        &columns.gone,
        &columns.late,
        holder,
        triggers_revision,
        &jobs.ids,
        &jobs.triggers,
        &jobs.trigger_versions,
        &jobs.actions as &[&str],
        &jobs.action_versions,
        &jobs.events as &[&str],
        &jobs.times,
        &jobs.revisions,
        &jobs.readings as &[Option<&str>],
        &jobs.chains,
        jobs::reason::EVENT_DELETED,
        jobs::reason::EVENT_INVALIDATED,
        &columns.heads as &[Option<i64>],
        &columns.safes as &[Option<i64>],
        &columns.finalizeds as &[Option<i64>],
        &jobs.transactions as &[&str],
    )
    .fetch_all(connection)
    .await?;
    let has_moved = |chain| advanced.iter().any(|row| row.chain_id == chain);
    let lost = columns.chains.iter().find(|chain| !has_moved(**chain));
    match lost {
        Some(chain_id) => Err(StoreError::ShardLost { chain_id: *chain_id }),
        None => Ok(advanced.iter().any(|row| row.comes_back)),
    }
}

/// Makes rows for the chains that are judged for the first time.
async fn introduce(connection: &mut PgConnection, chains: &[i64]) -> Result<()> {
    sqlx::query!(
        "INSERT INTO shard_cursors (chain_id)
         SELECT chain_id FROM unnest($1::bigint[]) AS moved (chain_id)
         ON CONFLICT (chain_id) DO NOTHING",
        chains,
    )
    .execute(connection)
    .await?;
    Ok(())
}

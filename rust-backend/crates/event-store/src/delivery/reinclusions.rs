//! A transaction that comes back in another block: receivers of its event in the first are told
//! that the event in the second is the same.
//!
//! The later match names the event in the first block; where its writer stored the new block first,
//! the retraction of the earlier match names the one in the new block. The same event is the one of
//! its kind with the same place in the transaction. Nothing is asked without a reorg: then the
//! events of a batch together, and the jobs, whose ids are functions of trigger, action and event.

use std::collections::{BTreeMap, BTreeSet};

use event_engine::delivery::lease::Reinclusion;
use event_engine::event::EventName;
use event_engine::job::{JobId, NewJob};
use event_engine::trigger::TriggerId;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::Result;

/// The latest reinclusions of one event that are looked at: a transaction that is taken back more
/// often within a week is in the hands of a broken chain.
const CANDIDATES_MAX: usize = 16;

/// The other reinclusions of events, the most fitting first.
type InclusionsByEvent = BTreeMap<EventName, Vec<Reinclusion>>;

/// An event that was asked for, and another inclusion of it.
struct Found {
    named: String,
    named_at: i64,
    event_id: String,
    event_timestamp: i64,
    revision: i32,
    block_number: i64,
    block_hash: String,
}

/// A job whose event may have been elsewhere.
struct Linked<'a> {
    id: JobId,
    trigger: TriggerId,
    action: &'a str,
    event: &'a EventName,
}

/// Links new jobs to their events in orphaned blocks.
pub(crate) async fn link_matches(connection: &mut PgConnection, jobs: &[&NewJob]) -> Result<()> {
    let events: BTreeSet<&EventName> = jobs.iter().map(|job| &job.event).collect();
    let others = taken_back(connection, &events).await?;
    let jobs = jobs.iter().map(|job| Linked {
        id: job.id,
        trigger: job.trigger.0,
        action: &job.action.0,
        event: &job.event,
    });
    link(connection, &jobs.collect::<Vec<_>>(), &others).await
}

/// Links these retractions to the events that their transactions include now.
pub(crate) async fn link_retractions(
    connection: &mut PgConnection,
    retractions: &[Uuid],
) -> Result<()> {
    let rows = sqlx::query!(
        r#"SELECT id, trigger_id, action_id, event_id, event_timestamp,
                  reorg_old_hash AS "block_hash!"
           FROM jobs WHERE id = ANY($1) AND reincluded IS NULL AND attempts = 0"#,
        retractions,
    )
    .fetch_all(&mut *connection)
    .await?;
    let name = |id: &str, timestamp| EventName { id: id.to_owned(), timestamp };
    let names: Vec<EventName> =
        rows.iter().map(|row| name(&row.event_id, row.event_timestamp)).collect();
    let gone: BTreeSet<(&EventName, &str)> =
        names.iter().zip(rows.iter().map(|row| row.block_hash.as_str())).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let others = standing(connection, &gone).await?;
    let jobs = rows.iter().zip(&names).map(|(row, event)| Linked {
        id: JobId(row.id),
        trigger: TriggerId(row.trigger_id),
        action: &row.action_id,
        event,
    });
    link(connection, &jobs.collect::<Vec<_>>(), &others).await
}

/// Writes the links: to the first inclusion that the same action was told of, or else to the first.
/// A job with an attempt keeps its message.
async fn link(
    connection: &mut PgConnection,
    jobs: &[Linked<'_>],
    others: &InclusionsByEvent,
) -> Result<()> {
    let candidates = |job: &Linked<'_>| {
        let others = others.get(job.event).into_iter().flatten();
        others.map(|other| (message(job, other), other)).collect::<Vec<_>>()
    };
    let linked: Vec<_> = jobs.iter().map(|job| (job.id.0, candidates(job))).collect();
    let asked: Vec<Uuid> = linked.iter().flat_map(|(_, all)| all).map(|(id, _)| *id).collect();
    if asked.is_empty() {
        return Ok(());
    }
    let told: BTreeSet<Uuid> =
        sqlx::query_scalar!("SELECT id FROM jobs WHERE id = ANY($1) AND attempts > 0", &asked)
            .fetch_all(&mut *connection)
            .await?
            .into_iter()
            .collect();
    let (mut ids, mut links) = (Vec::new(), Vec::new());
    for (job, candidates) in linked {
        let was_told = candidates.iter().find(|(message, _)| told.contains(message));
        let Some((_, other)) = was_told.or(candidates.first()) else { continue };
        let webhook_id = was_told.map(|(message, _)| *message);
        ids.push(job);
        links.push(Json(Reinclusion { webhook_id, ..(*other).clone() }));
    }
    sqlx::query!(
        "UPDATE jobs SET reincluded = linked.other
         FROM unnest($1::uuid[], $2::jsonb[]) AS linked (id, other)
         WHERE jobs.id = linked.id AND jobs.reincluded IS NULL AND jobs.attempts = 0",
        &ids,
        &links as &[Json<Reinclusion>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The message in which the job's action told of the other inclusion, if it did.
fn message(job: &Linked<'_>, other: &Reinclusion) -> Uuid {
    let event = EventName { id: other.id.clone(), timestamp: other.timestamp };
    JobId::of(job.trigger, job.action, &event, other.revision).0
}

/// These events in orphaned blocks, the latest first.
#[expect(clippy::too_many_lines, reason = "one query")]
async fn taken_back(
    connection: &mut PgConnection,
    events: &BTreeSet<&EventName>,
) -> Result<InclusionsByEvent> {
    let ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
    let times: Vec<i64> = events.iter().map(|event| event.timestamp).collect();
    let (earliest, latest) = (times.iter().min().copied(), times.iter().max().copied());
    // Named, so that a hypertable looks into the chunks that it is about and no others.
    let rows = sqlx::query_as!(
        Found,
        r#"WITH new AS MATERIALIZED (
               SELECT e.id, e."timestamp", e.chain_id, e.transaction_hash, e.registry,
                      e.event_type, e.block_number, e.block_hash
               FROM unnest($1::text[], $2::bigint[]) AS named (id, "timestamp")
               CROSS JOIN LATERAL (
                   SELECT * FROM events
                   WHERE events.id = named.id AND events."timestamp" = named."timestamp"
                     AND events."timestamp" BETWEEN $3 AND $4
                   LIMIT 1
               ) AS e
           ), gone AS MATERIALIZED (
               SELECT t.*
               FROM (SELECT DISTINCT chain_id, transaction_hash FROM new) AS own
               CROSS JOIN LATERAL (
                   SELECT * FROM invalidated_events t
                   WHERE t.chain_id = own.chain_id AND t.transaction_hash = own.transaction_hash
               ) AS t
           ), included AS (
               SELECT chain_id, block_number, block_hash, "timestamp", transaction_hash FROM new
               WHERE EXISTS (SELECT FROM gone WHERE gone.chain_id = new.chain_id
                                                AND gone.transaction_hash = new.transaction_hash)
               UNION
               SELECT chain_id, block_number, block_hash, event_timestamp, transaction_hash
               FROM gone WHERE NOT is_replaced
           ), placed AS MATERIALIZED (
               SELECT s.id, s."timestamp",
                      row_number() OVER (PARTITION BY s.chain_id, s.block_hash, s.transaction_hash,
                                                      s.registry, s.event_type
                                         ORDER BY s.log_index) AS place
               FROM included i
               CROSS JOIN LATERAL (
                   SELECT * FROM events
                   WHERE events.chain_id = i.chain_id AND events.block_number = i.block_number
                     AND events."timestamp" = i."timestamp"
                     AND events."timestamp" BETWEEN $3 - 604800 AND $4 + 604800
                     AND events.block_hash = i.block_hash
                     AND events.transaction_hash = i.transaction_hash
               ) AS s
           ), paired AS (
               SELECT new.id, new."timestamp", gone.seq
               FROM new
               JOIN placed AS here USING (id, "timestamp")
               JOIN gone USING (chain_id, transaction_hash, registry, event_type)
               JOIN placed AS there ON (there.id, there."timestamp", there.place)
                                       = (gone.event_id, gone.event_timestamp, here.place)
               -- What was no log of the event's own block is no other inclusion of it.
               WHERE NOT gone.is_replaced
                 AND comparable_hash(gone.block_hash) <> comparable_hash(new.block_hash)
               UNION
               SELECT new.id, new."timestamp", gone.seq
               FROM new
               JOIN gone ON (gone.event_id, gone.event_timestamp, gone.transaction_hash)
                            = (new.id, new."timestamp", new.transaction_hash)
           )
           SELECT paired.id AS "named!", paired."timestamp" AS "named_at!",
                  event_id AS "event_id!", event_timestamp AS "event_timestamp!",
                  revision AS "revision!", block_number AS "block_number!",
                  block_hash AS "block_hash!"
           FROM paired JOIN gone USING (seq)
           ORDER BY seq DESC"#,
        &ids as &[&str],
        &times,
        earliest,
        latest,
    )
    .fetch_all(connection)
    .await?;
    let mut others = by_event(rows);
    for candidates in others.values_mut() {
        candidates.truncate(CANDIDATES_MAX);
    }
    Ok(others)
}

/// The events that these transactions, each in the block of that hash, include now, looked for in
/// the blocks around it. A later inclusion is linked by its own match.
#[expect(clippy::too_many_lines, reason = "one query")]
async fn standing(
    connection: &mut PgConnection,
    gone: &BTreeSet<(&EventName, &str)>,
) -> Result<InclusionsByEvent> {
    let ids: Vec<&str> = gone.iter().map(|(event, _)| event.id.as_str()).collect();
    let times: Vec<i64> = gone.iter().map(|(event, _)| event.timestamp).collect();
    let blocks: Vec<&str> = gone.iter().map(|(_, block)| *block).collect();
    let (earliest, latest) = (times.iter().min().copied(), times.iter().max().copied());
    // Read by spans of 64 blocks: those of the events, and one on each side.
    let rows = sqlx::query_as!(
        Found,
        r#"WITH gone AS MATERIALIZED (
               SELECT named.id, named."timestamp", was.*
               FROM unnest($1::text[], $2::bigint[], $3::text[])
                    AS named (id, "timestamp", block_hash)
               CROSS JOIN LATERAL (
                   (SELECT chain_id, transaction_hash, block_number, block_hash, registry,
                           event_type, false AS is_replaced
                    FROM events e
                    WHERE e.id = named.id AND e."timestamp" = named."timestamp"
                      AND e."timestamp" BETWEEN $4 AND $5 AND e.block_hash = named.block_hash)
                   UNION ALL
                   (SELECT chain_id, transaction_hash, block_number, block_hash, registry,
                           event_type, true
                    FROM superseded_events r
                    WHERE r.id = named.id AND r."timestamp" = named."timestamp"
                      AND r.block_hash = named.block_hash)
                   LIMIT 1
               ) AS was
           ), spans AS (
               SELECT DISTINCT chain_id, block_number / 64 + side AS span
               FROM gone, generate_series(-1, 1) AS side
               -- A height is what its writer says: up to the last one there are no more spans.
               WHERE block_number / 64 + side
                     BETWEEN -144115188075855872 AND 144115188075855871
           ), about AS MATERIALIZED (
               SELECT n.*
               FROM spans
               CROSS JOIN LATERAL (
                   SELECT id, "timestamp", chain_id, transaction_hash, block_number, block_hash,
                          registry, event_type, log_index, invalidated, revision
                   FROM events
                   WHERE events.chain_id = spans.chain_id
                     AND events.block_number BETWEEN spans.span * 64 AND spans.span * 64 + 63
                     AND events."timestamp" BETWEEN $4 - 3600 AND $5 + 3600
               ) AS n
               JOIN (SELECT DISTINCT chain_id, transaction_hash FROM gone) AS own
                    ON (own.chain_id, own.transaction_hash) = (n.chain_id, n.transaction_hash)
           ), placed AS MATERIALIZED (
               SELECT *, row_number() OVER (PARTITION BY chain_id, block_hash, transaction_hash,
                                                         registry, event_type
                                            ORDER BY log_index) AS place
               FROM about
           )
           SELECT gone.id AS "named!", gone."timestamp" AS "named_at!", now.id AS "event_id!",
                  now."timestamp" AS "event_timestamp!", now.revision AS "revision!",
                  now.block_number AS "block_number!", now.block_hash AS "block_hash!"
           FROM gone
           JOIN placed AS own ON (own.id, own."timestamp") = (gone.id, gone."timestamp")
           JOIN placed AS now
                ON (now.chain_id, now.transaction_hash, now.registry, now.event_type)
                   = (gone.chain_id, gone.transaction_hash, gone.registry, gone.event_type)
               AND CASE WHEN gone.is_replaced THEN now.id = gone.id ELSE now.place = own.place END
           WHERE NOT now.invalidated
             AND comparable_hash(now.block_hash) <> comparable_hash(gone.block_hash)
           ORDER BY now.block_number DESC"#,
        &ids as &[&str],
        &times,
        &blocks as &[&str],
        earliest,
        latest,
    )
    .fetch_all(connection)
    .await?;
    Ok(by_event(rows))
}

fn by_event(rows: Vec<Found>) -> InclusionsByEvent {
    let mut others = InclusionsByEvent::new();
    for row in rows {
        let name = EventName { id: row.named, timestamp: row.named_at };
        others.entry(name).or_default().push(Reinclusion {
            webhook_id: None,
            id: row.event_id,
            timestamp: row.event_timestamp,
            revision: row.revision,
            block_number: row.block_number,
            block_hash: row.block_hash,
        });
    }
    others
}

//! Table `waiting_events`: events that do not lie deep enough yet.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use event_engine::event::{ChainId, Event, EventName};
use event_engine::finality::{Finality, UnknownFinality};
use event_engine::trigger::TriggerId;
use event_engine::waiting::{
    RELEASED_MAX, Wait, WaitChanges, WaitName, Waiting, WaitingFound, WaitingNeeds,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::events::history::EventHistory;
use crate::events::rows::event;
use crate::{Result, StoreError};

/// Bytes of arguments that are read together; more is released by the next batch.
const ARGUMENTS_BYTES_MAX: i64 = 4 * 1024 * 1024;

/// A wait, and whether it is asked for because it is reached.
struct FoundWait {
    name: WaitName,
    wait: Wait,
    is_reached: bool,
}

/// The waits that are reached, each with its event at its revision; the waits of the named events;
/// and the other waits of the events that are reached.
pub(crate) async fn recall(
    connection: &mut PgConnection,
    shard: ChainId,
    needs: &WaitingNeeds,
) -> Result<WaitingFound> {
    let stored = read(connection, shard, needs).await?;
    let mut found = WaitingFound::default();
    let (mut reached, mut counts) = (Vec::new(), BTreeMap::<Finality, u32>::new());
    for FoundWait { name, wait, is_reached } in stored {
        if !is_reached {
            found.named.push(Waiting { name, wait, event: None });
            continue;
        }
        let count = counts.entry(name.finality).or_default();
        *count += 1;
        // One more than may be loaded was asked for: it only tells that there is more.
        if *count <= RELEASED_MAX {
            reached.push((name, wait));
        } else {
            found.cut.insert(name.finality);
        }
    }
    let rows = rows(connection, shard, &reached).await?;
    let superseded = reached.iter().filter_map(|(name, wait)| {
        let row = rows.get(&name.event)?.as_ref()?;
        (row.revision > wait.revision).then(|| (name.event.clone(), wait.revision))
    });
    let history = EventHistory::of(connection, &superseded.collect::<Vec<_>>()).await?;
    let mut unread = BTreeSet::new();
    for (name, wait) in reached {
        // Too large to be read with the others; nor may a later one go first.
        let row = rows.get(&name.event).filter(|_| history.is_read(&name.event, wait.revision));
        let Some(row) = row.filter(|_| !unread.contains(&name.finality)) else {
            unread.insert(name.finality);
            continue;
        };
        let event = row.clone().map(|mut event| {
            history.restore(&mut event, wait.revision);
            event.inserted_at_ms = wait.logged_at_ms;
            Box::new(event)
        });
        found.reached.push(Waiting { name, wait, event });
    }
    found.cut.extend(unread);
    Ok(found)
}

/// Each finality that something waits for is found by a jump through the index, and read from its
/// lowest block up.
async fn read(
    connection: &mut PgConnection,
    shard: ChainId,
    needs: &WaitingNeeds,
) -> Result<Vec<FoundWait>> {
    let finalities = match needs.reached {
        Some(_) => finalities(connection, shard).await?,
        None => BTreeSet::new(),
    };
    let reached = |finality| needs.reached.and_then(|heights| heights.reached(finality, shard));
    let (texts, blocks): (Vec<String>, Vec<i64>) = finalities
        .into_iter()
        .filter_map(|finality| Some((finality.to_string(), reached(finality)?)))
        .unzip();
    let ids: Vec<&str> = needs.named.iter().map(|name| name.id.as_str()).collect();
    let times: Vec<i64> = needs.named.iter().map(|name| name.timestamp).collect();
    let rows = sqlx::query!(
        r#"WITH reached AS MATERIALIZED (
               SELECT w.* FROM unnest($2::text[], $3::bigint[]) AS asked (finality, block)
               CROSS JOIN LATERAL (
                   SELECT * FROM waiting_events
                   WHERE chain_id = $1 AND finality = asked.finality
                     AND block_number <= asked.block
                   ORDER BY block_number, log_index, event_id, event_timestamp
                   LIMIT $4
               ) AS w
           ), named (id, "timestamp") AS (
               SELECT * FROM unnest($5::text[], $6::bigint[])
               UNION
               SELECT event_id, event_timestamp FROM reached
           )
           SELECT w.finality AS "finality!", w.block_number AS "block_number!",
                  w.log_index AS "log_index!", w.event_id AS "event_id!",
                  w.event_timestamp AS "event_timestamp!", w.revision AS "revision!",
                  w.logged_at_ms AS "logged_at_ms!",
                  w.trigger_ids AS "trigger_ids!", w.is_reached AS "is_reached!"
           FROM (SELECT *, true AS is_reached FROM reached
                 UNION ALL
                 SELECT w.*, false FROM named
                 JOIN waiting_events w ON w.chain_id = $1 AND w.event_id = named.id
                      AND w.event_timestamp = named."timestamp") AS w
           ORDER BY w.is_reached, w.block_number, w.log_index, w.event_id, w.event_timestamp"#,
        shard.0,
        &texts,
        &blocks,
        i64::from(RELEASED_MAX) + 1,
        &ids as &[&str],
        &times,
    )
    .fetch_all(connection)
    .await?;
    let stored = rows.into_iter().map(|row| {
        let event = EventName { id: row.event_id, timestamp: row.event_timestamp };
        let finality = finality(&row.finality, &event)?;
        let wait = Wait {
            block_number: row.block_number,
            log_index: row.log_index,
            revision: row.revision,
            logged_at_ms: row.logged_at_ms,
            triggers: row.trigger_ids.into_iter().map(TriggerId).collect(),
        };
        Ok(FoundWait { name: WaitName { event, finality }, wait, is_reached: row.is_reached })
    });
    stored.collect()
}

/// The rows of these events as they are now; `None` where one is deleted. Where their arguments are
/// too long together, only the first are there, at least one.
///
/// The bounds on the block time keep the other chunks of a hypertable out of it.
async fn rows(
    connection: &mut PgConnection,
    shard: ChainId,
    waits: &[(WaitName, Wait)],
) -> Result<HashMap<EventName, Option<Event>>> {
    let ids: Vec<&str> = waits.iter().map(|(name, _)| name.event.id.as_str()).collect();
    let times: Vec<i64> = waits.iter().map(|(name, _)| name.event.timestamp).collect();
    let (Some(earliest), Some(latest)) = (times.iter().min(), times.iter().max()) else {
        return Ok(HashMap::new());
    };
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", "timestamp" AS "timestamp!", $6::bigint AS "chain_id!",
                  revision AS "revision?", false AS "invalidated!",
                  0::bigint AS "inserted_at_ms!",
                  block_number AS "block_number?", block_hash AS "block_hash?",
                  transaction_hash AS "transaction_hash?", log_index AS "log_index?",
                  event_type AS "event_type?", registry AS "registry?",
                  agent_id::text AS agent_id, address, topics, data,
                  coalesce(has_data AND data IS NULL, false) AS "is_unreadable!"
           FROM (SELECT asked.id, asked."timestamp", e.revision, e.block_number, e.block_hash,
                        e.transaction_hash, e.log_index, e.event_type, e.registry, e.agent_id,
                        e.address, e.topics, e.data, e.has_data,
                        coalesce(sum(octet_length(e.data)) OVER until, 0)
                            - coalesce(octet_length(e.data), 0) AS bytes_before,
                        -- Ends the reading where there is no room left: see claim_shards().
                        count(*) FILTER (WHERE octet_length(e.data) >= $5::bigint / 128)
                            OVER until AS long,
                        count(*) FILTER (WHERE octet_length(e.data) >= $5::bigint / 2)
                            OVER until AS longest
                 FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY
                      AS asked (id, "timestamp", place)
                 LEFT JOIN LATERAL (
                     SELECT revision, block_number, block_hash, transaction_hash, log_index,
                            event_type, registry, agent_id, address,
                            CASE WHEN octet_length(topics::text) <= 4096
                                 THEN to_jsonb(topics)::text END AS topics,
                            arguments_text(data) AS data, data IS NOT NULL AS has_data
                     FROM events
                     WHERE events.id = asked.id AND events."timestamp" = asked."timestamp"
                       AND events."timestamp" BETWEEN $3 AND $4
                     LIMIT 1
                 ) AS e ON true
                 WINDOW until AS (ORDER BY place ROWS UNBOUNDED PRECEDING)) AS read
           WHERE bytes_before < $5::bigint AND long <= 128 AND longest <= 2"#,
        &ids as &[&str],
        &times,
        earliest,
        latest,
        ARGUMENTS_BYTES_MAX,
        shard.0,
    )
    .fetch_all(connection)
    .await?;
    let named = rows.into_iter().map(|row| {
        let name = EventName { id: row.id.clone(), timestamp: row.timestamp };
        let event = || Some(event!("events", row?));
        (name, event())
    });
    Ok(named.collect())
}

/// The finalities for which events of the shard wait.
async fn finalities(connection: &mut PgConnection, shard: ChainId) -> Result<BTreeSet<Finality>> {
    let texts = sqlx::query_scalar!(
        r#"WITH RECURSIVE found (finality) AS (
               SELECT min(finality) FROM waiting_events WHERE chain_id = $1
               UNION ALL
               SELECT (SELECT min(w.finality) FROM waiting_events w
                       WHERE w.chain_id = $1 AND w.finality > found.finality)
               FROM found WHERE found.finality IS NOT NULL
           )
           SELECT finality AS "finality!" FROM found WHERE finality IS NOT NULL"#,
        shard.0,
    )
    .fetch_all(connection)
    .await?;
    let of_shard = EventName { id: format!("of chain {shard}"), timestamp: 0 };
    texts.iter().map(|text| finality(text, &of_shard)).collect()
}

fn finality(text: &str, event: &EventName) -> Result<Finality> {
    text.parse().map_err(|problem: UnknownFinality| StoreError::BrokenRow {
        table: "waiting_events",
        column: "finality",
        id: event.id.clone(),
        problem: problem.to_string(),
    })
}

/// Stores the changes of a batch.
pub(crate) async fn change(
    connection: &mut PgConnection,
    shard: ChainId,
    changes: &WaitChanges,
) -> Result<()> {
    let (mut ended, mut begun) = (Names::default(), Begun::default());
    for (name, wait) in changes {
        match wait {
            Some(wait) => begun.push(name, wait),
            None => ended.push(name),
        }
    }
    if !ended.ids.is_empty() {
        ended.delete(connection, shard).await?;
    }
    if !begun.names.ids.is_empty() {
        begun.store(connection, shard).await?;
    }
    Ok(())
}

/// Names of waits, as arrays for `unnest`.
#[derive(Default)]
struct Names<'a> {
    ids: Vec<&'a str>,
    times: Vec<i64>,
    finalities: Vec<String>,
}

impl<'a> Names<'a> {
    fn push(&mut self, name: &'a WaitName) {
        self.ids.push(&name.event.id);
        self.times.push(name.event.timestamp);
        self.finalities.push(name.finality.to_string());
    }

    async fn delete(&self, connection: &mut PgConnection, shard: ChainId) -> Result<()> {
        sqlx::query!(
            r#"DELETE FROM waiting_events w
               USING unnest($2::text[], $3::bigint[], $4::text[])
                     AS ended (id, "timestamp", finality)
               WHERE w.chain_id = $1 AND w.event_id = ended.id
                 AND w.event_timestamp = ended."timestamp" AND w.finality = ended.finality"#,
            shard.0,
            &self.ids as &[&str],
            &self.times,
            &self.finalities,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// Waits that begin or go on, likewise.
#[derive(Default)]
struct Begun<'a> {
    names: Names<'a>,
    blocks: Vec<i64>,
    places: Vec<i32>,
    revisions: Vec<i32>,
    logged_at_ms: Vec<i64>,
    /// A pair for each trigger of each wait: PostgreSQL has no arrays of arrays of any lengths.
    waits: Vec<i64>,
    triggers: Vec<Uuid>,
}

impl<'a> Begun<'a> {
    fn push(&mut self, name: &'a WaitName, wait: &Wait) {
        self.names.push(name);
        self.blocks.push(wait.block_number);
        self.places.push(wait.log_index);
        self.revisions.push(wait.revision);
        self.logged_at_ms.push(wait.logged_at_ms);
        let number = i64::try_from(self.blocks.len()).unwrap_or(i64::MAX);
        for TriggerId(trigger) in &wait.triggers {
            self.waits.push(number);
            self.triggers.push(*trigger);
        }
    }

    async fn store(&self, connection: &mut PgConnection, shard: ChainId) -> Result<()> {
        sqlx::query!(
            r#"INSERT INTO waiting_events (chain_id, finality, block_number, log_index, event_id,
                                           event_timestamp, revision, logged_at_ms,
                                           trigger_ids)
               SELECT $1, begun.finality, begun.block_number, begun.log_index, begun.id,
                      begun."timestamp", begun.revision, begun.logged_at_ms, judges.ids
               FROM unnest($2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::integer[],
                           $7::integer[], $10::bigint[]) WITH ORDINALITY
                    AS begun (id, "timestamp", finality, block_number, log_index, revision,
                              logged_at_ms, number)
               JOIN (SELECT number, array_agg(trigger_id) AS ids
                     FROM unnest($8::bigint[], $9::uuid[]) AS judge (number, trigger_id)
                     GROUP BY number) AS judges USING (number)
               ON CONFLICT (chain_id, event_id, event_timestamp, finality) DO UPDATE
               SET (block_number, log_index, revision, logged_at_ms, trigger_ids)
                   = (EXCLUDED.block_number, EXCLUDED.log_index, EXCLUDED.revision,
                      EXCLUDED.logged_at_ms, EXCLUDED.trigger_ids)"#,
            shard.0,
            &self.names.ids as &[&str],
            &self.names.times,
            &self.names.finalities,
            &self.blocks,
            &self.places,
            &self.revisions,
            &self.waits,
            &self.triggers,
            &self.logged_at_ms,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

//! Table `waiting_events`: what does not lie deep enough yet.

use std::collections::{BTreeMap, BTreeSet};

use event_engine::event::{Arguments, ChainId, Event, EventName};
use event_engine::finality::{Finality, UnknownFinality};
use event_engine::trigger::TriggerId;
use event_engine::waiting::{
    RELEASED_MAX, Wait, WaitChanges, WaitName, Waiting, WaitingFound, WaitingNeeds,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::past::Past;
use crate::{Result, StoreError};

/// A wait with its event's row as it is now.
struct Stored {
    name: WaitName,
    wait: Wait,
    row: Option<Box<Event>>,
    is_reached: bool,
}

/// The waits that are reached and those of revised events, each with what its event was.
pub(crate) async fn recall(
    connection: &mut PgConnection,
    shard: ChainId,
    needs: &WaitingNeeds,
) -> Result<WaitingFound> {
    let stored = read(connection, shard, needs).await?;
    let outgrown = stored.iter().filter_map(|Stored { name, wait, row, .. }| {
        let row = row.as_ref()?;
        (row.revision > wait.revision).then_some(&name.event)
    });
    let past = Past::of(connection, outgrown).await?;
    let mut found = WaitingFound::default();
    let mut counts = BTreeMap::<Finality, u32>::new();
    for Stored { name, wait, row, is_reached } in stored {
        let event = past.content(&name.event, wait.revision, row).map(|mut event| {
            event.revision = wait.revision;
            event.invalidated = false;
            event
        });
        let finality = name.finality;
        let waiting = Waiting { name, wait, event };
        if !is_reached {
            found.revised.push(waiting);
            continue;
        }
        let count = counts.entry(finality).or_default();
        *count += 1;
        // One more than may be loaded was asked for: it only tells that there is more.
        if *count <= RELEASED_MAX {
            found.reached.push(waiting);
        } else {
            found.cut.insert(finality);
        }
    }
    Ok(found)
}

/// Each finality that something waits for is found by a jump through the index, and read from its
/// lowest block up.
#[expect(clippy::too_many_lines, reason = "one query")]
async fn read(
    connection: &mut PgConnection,
    shard: ChainId,
    needs: &WaitingNeeds,
) -> Result<Vec<Stored>> {
    let finalities = match needs.reached {
        Some(_) => finalities(connection, shard).await?,
        None => BTreeSet::new(),
    };
    let reached = |finality| needs.reached.and_then(|heights| heights.reached(finality, shard));
    let (texts, blocks): (Vec<String>, Vec<i64>) = finalities
        .into_iter()
        .filter_map(|finality| Some((finality.to_string(), reached(finality)?)))
        .unzip();
    let ids: Vec<&str> = needs.revised.iter().map(|name| name.id.as_str()).collect();
    let times: Vec<i64> = needs.revised.iter().map(|name| name.timestamp).collect();
    let rows = sqlx::query!(
        r#"SELECT w.finality AS "finality!", w.block_number AS "wait_block!",
                  w.log_index AS "wait_log_index!", w.event_id AS "event_id!",
                  w.event_timestamp AS "event_timestamp!", w.revision AS "wait_revision!",
                  w.trigger_ids AS "trigger_ids!", w.is_reached AS "is_reached!",
                  e.revision AS "row_revision?", e.block_number AS "block_number?",
                  e.block_hash AS "block_hash?", e.transaction_hash AS "transaction_hash?",
                  e.log_index AS "log_index?", e.event_type AS "event_type?",
                  e.registry AS "registry?", e.agent_id::text AS agent_id, e.address,
                  e.data::text AS data
           FROM (SELECT reached.*, true AS is_reached
                 FROM unnest($2::text[], $3::bigint[]) AS asked (finality, block)
                 CROSS JOIN LATERAL (
                     SELECT * FROM waiting_events
                     WHERE chain_id = $1 AND finality = asked.finality
                       AND block_number <= asked.block
                     ORDER BY block_number, log_index, event_id, event_timestamp
                     LIMIT $4
                 ) AS reached
                 UNION ALL
                 SELECT revised.*, false AS is_reached
                 FROM unnest($5::text[], $6::bigint[]) AS asked (id, "timestamp")
                 JOIN waiting_events AS revised
                      ON revised.chain_id = $1 AND revised.event_id = asked.id
                      AND revised.event_timestamp = asked."timestamp") AS w
           LEFT JOIN LATERAL (
               SELECT * FROM events
               WHERE events.id = w.event_id AND events."timestamp" = w.event_timestamp
               LIMIT 1
           ) AS e ON true
           ORDER BY w.is_reached, w.finality, w.block_number, w.log_index, w.event_id,
                    w.event_timestamp"#,
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
        let name = WaitName { finality: finality(&row.finality, &event)?, event: event.clone() };
        let wait = Wait {
            block_number: row.wait_block,
            log_index: row.wait_log_index,
            revision: row.wait_revision,
            triggers: row.trigger_ids.into_iter().map(TriggerId).collect(),
        };
        let event = row.row_revision.map(|revision| Event {
            name: event,
            chain_id: shard,
            block_number: row.block_number.unwrap_or_default(),
            block_hash: row.block_hash.unwrap_or_default(),
            transaction_hash: row.transaction_hash.unwrap_or_default(),
            log_index: row.log_index.unwrap_or_default(),
            event_type: row.event_type.unwrap_or_default(),
            registry: row.registry.unwrap_or_default(),
            agent_id: row.agent_id,
            address: row.address,
            arguments: Arguments::from_json(row.data),
            invalidated: false,
            revision,
            inserted_at_ms: 0,
        });
        Ok(Stored { name, wait, row: event.map(Box::new), is_reached: row.is_reached })
    });
    stored.collect()
}

/// What something of the shard waits for.
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

/// Stores what a batch changed.
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
        let number = i64::try_from(self.blocks.len()).unwrap_or(i64::MAX);
        for TriggerId(trigger) in &wait.triggers {
            self.waits.push(number);
            self.triggers.push(*trigger);
        }
    }

    async fn store(&self, connection: &mut PgConnection, shard: ChainId) -> Result<()> {
        sqlx::query!(
            r#"INSERT INTO waiting_events (chain_id, finality, block_number, log_index, event_id,
                                           event_timestamp, revision, trigger_ids)
               SELECT $1, begun.finality, begun.block_number, begun.log_index, begun.id,
                      begun."timestamp", begun.revision, judges.ids
               FROM unnest($2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::integer[],
                           $7::integer[]) WITH ORDINALITY
                    AS begun (id, "timestamp", finality, block_number, log_index, revision, number)
               JOIN (SELECT number, array_agg(trigger_id) AS ids
                     FROM unnest($8::bigint[], $9::uuid[]) AS judge (number, trigger_id)
                     GROUP BY number) AS judges USING (number)
               ON CONFLICT (chain_id, event_id, event_timestamp, finality) DO UPDATE
               SET (block_number, log_index, revision, trigger_ids)
                   = (EXCLUDED.block_number, EXCLUDED.log_index, EXCLUDED.revision,
                      EXCLUDED.trigger_ids)"#,
            shard.0,
            &self.names.ids as &[&str],
            &self.names.times,
            &self.names.finalities,
            &self.blocks,
            &self.places,
            &self.revisions,
            &self.waits,
            &self.triggers,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

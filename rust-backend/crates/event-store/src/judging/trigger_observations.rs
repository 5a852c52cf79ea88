//! Table `trigger_observations`: the state of triggers.

use event_engine::event::ChainId;
use event_engine::state::{
    EventPosition, GroupName, Needs, Observation, StateChange, StateChanges,
};
use event_engine::trigger::TriggerId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, StoreError};

/// Expired rows that a batch deletes on its way, beside as many as it changes: so they end, and it
/// is not felt.
const EXPIRED_ROWS_MORE: usize = 500;

/// The groups that are asked for, and the groups that hold one of the revised events, each with all
/// of its observations.
pub(crate) async fn recall(
    connection: &mut PgConnection,
    shard: ChainId,
    needs: &Needs,
) -> Result<Vec<(GroupName, Observation)>> {
    let triggers: Vec<Uuid> = needs.groups.iter().map(|group| group.trigger.0).collect();
    let lineages: Vec<i32> = needs.groups.iter().map(|group| group.lineage).collect();
    let keys: Vec<&str> = needs.groups.iter().map(|group| &*group.key).collect();
    let ids: Vec<&str> = needs.revised.iter().map(|name| name.id.as_str()).collect();
    let times: Vec<i64> = needs.revised.iter().map(|name| name.timestamp).collect();
    let rows = sqlx::query!(
        r#"WITH wanted AS MATERIALIZED (
               SELECT trigger_id, lineage, group_key
               FROM unnest($2::uuid[], $3::integer[], $4::text[])
                    AS asked (trigger_id, lineage, group_key)
               UNION
               SELECT trigger_id, lineage, group_key
               FROM unnest($5::text[], $6::bigint[]) AS revised (id, "timestamp")
               JOIN trigger_observations ON chain_id = $1 AND event_timestamp = "timestamp"
                    AND event_id = id
           )
           SELECT o.trigger_id, o.lineage, o.group_key, o.event_id, o.event_timestamp,
                  o.counted_at, o.block_number, o.log_index, o.event_revision,
                  o.samples::text AS "samples!",
                  o.fired, o.base
           FROM wanted
           CROSS JOIN LATERAL (
               SELECT * FROM trigger_observations o
               WHERE o.trigger_id = wanted.trigger_id AND o.lineage = wanted.lineage
                 AND o.chain_id = $1 AND o.group_key = wanted.group_key
           ) AS o"#,
        shard.0,
        &triggers,
        &lineages,
        &keys as &[&str],
        &ids as &[&str],
        &times,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let samples =
                serde_json::from_str(&row.samples).map_err(|problem| StoreError::BrokenRow {
                    table: "trigger_observations",
                    column: "samples",
                    id: format!("{} of {}", row.event_id, row.trigger_id),
                    problem: problem.to_string(),
                })?;
            let name = GroupName {
                trigger: TriggerId(row.trigger_id),
                lineage: row.lineage,
                key: row.group_key.into(),
            };
            let place = EventPosition {
                counted_at: row.counted_at,
                block_number: row.block_number,
                log_index: row.log_index,
                id: row.event_id.into(),
                timestamp: row.event_timestamp,
            };
            let observation = Observation {
                place,
                revision: row.event_revision,
                samples,
                fired: row.fired,
                base: row.base,
            };
            Ok((name, observation))
        })
        .collect()
}

/// Stores the changes of a batch, and deletes some of the rows that have expired at `block_time`.
pub(crate) async fn change(
    connection: &mut PgConnection,
    shard: ChainId,
    changes: &StateChanges,
    block_time: i64,
) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut put = ObservationColumns::default();
    let mut dropped = ObservationColumns::default();
    for (name, change) in changes {
        match change {
            StateChange::Put { key, observation, expires_at } => {
                put.name(name.trigger, name.lineage, &observation.place);
                put.contents(key, observation, *expires_at);
            }
            StateChange::Drop => {
                dropped.triggers.push(name.trigger.0);
                dropped.lineages.push(name.lineage);
                dropped.ids.push(&name.event.id);
                dropped.times.push(name.event.timestamp);
            }
        }
    }
    let expired_max = i64::try_from(changes.len() + EXPIRED_ROWS_MORE).unwrap_or(i64::MAX);
    drop_rows(connection, shard, &dropped, (block_time, expired_max)).await?;
    put.store(connection, shard).await
}

async fn drop_rows(
    connection: &mut PgConnection,
    shard: ChainId,
    dropped: &ObservationColumns<'_>,
    (block_time, expired_max): (i64, i64),
) -> Result<()> {
    sqlx::query!(
        r#"WITH expired AS (
               SELECT event_timestamp, event_id, trigger_id, lineage FROM trigger_observations
               WHERE chain_id = $1 AND expires_at <= $6
               ORDER BY expires_at
               LIMIT $7
           )
           DELETE FROM trigger_observations o
           USING (SELECT "timestamp", id, trigger_id, lineage
                  FROM unnest($2::bigint[], $3::text[], $4::uuid[], $5::integer[])
                       AS dropped ("timestamp", id, trigger_id, lineage)
                  UNION
                  SELECT * FROM expired) AS gone
           WHERE o.chain_id = $1 AND o.event_timestamp = gone."timestamp" AND o.event_id = gone.id
             AND o.trigger_id = gone.trigger_id AND o.lineage = gone.lineage"#,
        shard.0,
        &dropped.times,
        &dropped.ids as &[&str],
        &dropped.triggers,
        &dropped.lineages,
        block_time,
        expired_max,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Rows as columns for `unnest`.
#[derive(Default)]
struct ObservationColumns<'a> {
    triggers: Vec<Uuid>,
    lineages: Vec<i32>,
    ids: Vec<&'a str>,
    times: Vec<i64>,
    keys: Vec<&'a str>,
    counted_at: Vec<i64>,
    blocks: Vec<i64>,
    log_indexes: Vec<i32>,
    revisions: Vec<i32>,
    samples: Vec<String>,
    fired: Vec<bool>,
    bases: Vec<bool>,
    expire_at: Vec<i64>,
}

impl<'a> ObservationColumns<'a> {
    fn name(&mut self, trigger: TriggerId, lineage: i32, place: &'a EventPosition) {
        self.triggers.push(trigger.0);
        self.lineages.push(lineage);
        self.ids.push(&place.id);
        self.times.push(place.timestamp);
    }

    fn contents(&mut self, key: &'a str, observation: &'a Observation, expires_at: i64) {
        let samples = serde_json::to_string(&observation.samples);
        self.keys.push(key);
        self.counted_at.push(observation.place.counted_at);
        self.blocks.push(observation.place.block_number);
        self.log_indexes.push(observation.place.log_index);
        self.revisions.push(observation.revision);
        self.samples.push(samples.expect("flags, numbers and texts can be written"));
        self.fired.push(observation.fired);
        self.bases.push(observation.base);
        self.expire_at.push(expires_at);
    }

    async fn store(&self, connection: &mut PgConnection, shard: ChainId) -> Result<()> {
        if self.ids.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "INSERT INTO trigger_observations (chain_id, trigger_id, lineage, event_id,
                    event_timestamp, group_key, block_number, log_index, event_revision, samples,
                    fired, base, expires_at, counted_at)
             SELECT $1, new.trigger_id, new.lineage, new.event_id, new.event_timestamp,
                    new.group_key, new.block_number, new.log_index, new.event_revision,
                    new.samples::jsonb, new.fired, new.base, new.expires_at,
                    new.counted_at
             FROM unnest($2::uuid[], $3::integer[], $4::text[], $5::bigint[], $6::text[],
                         $7::bigint[], $8::integer[], $9::integer[], $10::text[], $11::boolean[],
                         $12::boolean[], $13::bigint[], $14::bigint[])
                  AS new (trigger_id, lineage, event_id, event_timestamp, group_key, block_number,
                          log_index, event_revision, samples, fired, base, expires_at, counted_at)
             ON CONFLICT (chain_id, event_timestamp, event_id, trigger_id, lineage) DO UPDATE
             SET group_key = excluded.group_key, block_number = excluded.block_number,
                 log_index = excluded.log_index, event_revision = excluded.event_revision,
                 samples = excluded.samples, fired = excluded.fired, base = excluded.base,
                 expires_at = excluded.expires_at, counted_at = excluded.counted_at",
            shard.0,
            &self.triggers,
            &self.lineages,
            &self.ids as &[&str],
            &self.times,
            &self.keys as &[&str],
            &self.blocks,
            &self.log_indexes,
            &self.revisions,
            &self.samples,
            &self.fired,
            &self.bases,
            &self.expire_at,
            &self.counted_at,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

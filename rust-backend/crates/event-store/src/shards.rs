//! The shards' logs behind the engine's port: survey, claim, commit.

use std::collections::HashMap;
use std::sync::Arc;

use event_engine::decide::Plan;
use event_engine::event::{ChainId, Event, EventName};
use event_engine::index::TriggerIndex;
use event_engine::log::{Entry, Position, Subject};
use event_engine::port::{Claim, Shards, Survey};
use event_engine::state::{GroupName, Needs, Observation};
use sqlx::{PgPool, PgTransaction};

use crate::event_log::{self, StoredEntry, StoredSubject};
use crate::pool::{answered, answered_at_length};
use crate::shard_cursors::{self, Cursor};
use crate::{
    Result, StoreError, action_results, events, jobs, replaced_events, trigger_observations,
    triggers,
};

/// The shards in PostgreSQL, for one processor.
#[derive(Clone, Debug)]
pub struct PgShards {
    pool: PgPool,
    /// Names this processor in the cursor row.
    holder: Arc<str>,
}

impl PgShards {
    /// The shards as `holder` works on them.
    pub fn new(pool: PgPool, holder: &str) -> Self {
        Self { pool, holder: holder.into() }
    }
}

impl Shards for PgShards {
    type Claim = PgClaim;
    type Error = StoreError;

    async fn survey(&self) -> Result<Survey> {
        answered(shard_cursors::survey(&self.pool)).await
    }

    async fn claim(&self, shard: ChainId, entries_max: u32) -> Result<Option<PgClaim>> {
        answered(self.claimed(shard, entries_max)).await
    }
}

impl PgShards {
    async fn claimed(&self, shard: ChainId, entries_max: u32) -> Result<Option<PgClaim>> {
        let mut transaction = self.pool.begin().await?;
        if !shard_cursors::lock(&mut transaction, shard).await? {
            return Ok(None);
        }
        let cursor = shard_cursors::read(&mut transaction, shard).await?;
        let triggers_revision = triggers::revision(&mut transaction).await?;
        let stored = event_log::next(&mut transaction, shard, cursor.position, entries_max).await?;
        let entries = with_rows(&mut transaction, stored).await?;
        Ok(Some(PgClaim {
            transaction,
            shard,
            cursor,
            holder: Arc::clone(&self.holder),
            triggers_revision,
            entries,
        }))
    }
}

/// A shard under our lock. Dropping it rolls everything back.
#[derive(Debug)]
pub struct PgClaim {
    transaction: PgTransaction<'static>,
    shard: ChainId,
    cursor: Cursor,
    holder: Arc<str>,
    triggers_revision: i64,
    entries: Vec<Entry>,
}

impl Claim for PgClaim {
    type Error = StoreError;

    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn cursor(&self) -> Position {
        self.cursor.position
    }

    fn block_time(&self) -> i64 {
        self.cursor.block_time
    }

    fn triggers_revision(&self) -> i64 {
        self.triggers_revision
    }

    async fn triggers(&mut self) -> Result<TriggerIndex> {
        let revision = self.triggers_revision;
        answered_at_length(triggers::in_force(&mut self.transaction, revision)).await
    }

    async fn recall(&mut self, needs: &Needs) -> Result<Vec<(GroupName, Observation)>> {
        answered(trigger_observations::recall(&mut self.transaction, self.shard, needs)).await
    }

    /// The first write of the transaction, and with it its transaction id, comes here: a claim
    /// that only reads holds nobody's horizon back.
    async fn commit(self, plan: &Plan) -> Result<Vec<Entry>> {
        answered(self.committed(plan)).await
    }
}

impl PgClaim {
    async fn committed(mut self, plan: &Plan) -> Result<Vec<Entry>> {
        let Some(position) = plan.cursor else { return Ok(self.entries) };
        let transaction = &mut self.transaction;
        jobs::add(transaction, self.shard, self.triggers_revision, &plan.jobs).await?;
        if !plan.withdrawals.is_empty() {
            jobs::withdraw(transaction, &plan.withdrawals).await?;
            action_results::invalidate(transaction, &plan.withdrawals).await?;
        }
        trigger_observations::change(transaction, self.shard, &plan.state, plan.block_time).await?;
        let moved = shard_cursors::Moved {
            to: position,
            block_time: plan.block_time,
            triggers_revision: self.triggers_revision,
            holder: &self.holder,
            tally: plan.tally,
        };
        shard_cursors::advance(transaction, self.shard, &self.cursor, &moved).await?;
        self.transaction.commit().await?;
        Ok(self.entries)
    }
}

/// Joins the entries with what their events were at their revisions. Fewer entries come back where
/// their events are too large to be judged together.
async fn with_rows(
    transaction: &mut PgTransaction<'static>,
    mut stored: Vec<StoredEntry>,
) -> Result<Vec<Entry>> {
    let names: Vec<_> = stored.iter().filter_map(StoredEntry::name).collect();
    let (rows, read) = events::by_name(transaction, &names).await?;
    if read < names.len() {
        let mut places = (0..stored.len()).filter(|place| stored[*place].name().is_some());
        let first_unread = places.nth(read);
        stored.truncate(first_unread.unwrap_or(stored.len()));
    }
    let past = Past::of(transaction, &stored, &rows).await?;
    Ok(stored.into_iter().map(|entry| past.joined(entry, &rows)).collect())
}

/// What is known of rows that have outgrown an entry: few, and mostly none.
#[derive(Default)]
struct Past {
    /// Where the later revisions stand.
    revisions: HashMap<EventName, Vec<(i32, Position)>>,
    /// What a row said before another block took its name over, up to each revision.
    replaced: HashMap<EventName, Vec<Event>>,
}

impl Past {
    async fn of(
        transaction: &mut PgTransaction<'static>,
        stored: &[StoredEntry],
        rows: &HashMap<EventName, Event>,
    ) -> Result<Self> {
        let names: Vec<&EventName> = stored
            .iter()
            .filter_map(|entry| match &entry.subject {
                StoredSubject::Event { name, revision, .. } => {
                    rows.get(name).filter(|row| row.revision > *revision).map(|_| name)
                }
                StoredSubject::Checkpoint { .. } => None,
            })
            .collect();
        if names.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self {
            revisions: event_log::revisions(transaction, &names).await?,
            replaced: replaced_events::by_name(transaction, &names).await?,
        })
    }

    fn joined(
        &self,
        StoredEntry { position, subject }: StoredEntry,
        rows: &HashMap<EventName, Event>,
    ) -> Entry {
        let subject = match subject {
            StoredSubject::Checkpoint { block_number } => Subject::Checkpoint { block_number },
            StoredSubject::Event { name, revision, invalidated } => {
                let replaced = self.replaced.get(&name).into_iter().flatten();
                let then = replaced.filter(|then| then.revision >= revision);
                let content = then.min_by_key(|then| then.revision).or_else(|| rows.get(&name));
                let row = content
                    .map(|content| Box::new(Event { revision, invalidated, ..content.clone() }));
                let mut later = self.revisions.get(&name).into_iter().flatten();
                let outgrown = later.any(|(other, at)| *other > revision && *at < position);
                Subject::Event { name, revision, row, outgrown }
            }
        };
        Entry { position, subject }
    }
}

/// The cursor of a shard that nobody has judged yet.
pub(crate) const BEGINNING: Position = Position { xid: 0, seq: 0 };

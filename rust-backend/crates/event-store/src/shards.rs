//! The shards' logs behind the engine's port: survey, claim, commit.

use std::collections::HashMap;
use std::sync::Arc;

use event_engine::decide::Plan;
use event_engine::event::{ChainId, Event, EventName};
use event_engine::index::TriggerIndex;
use event_engine::log::{Entry, Position, Subject};
use event_engine::port::{Claim, Shards, Survey};
use sqlx::{PgPool, PgTransaction};

use crate::event_log::{self, StoredEntry, StoredSubject};
use crate::shard_cursors::{self, Cursor};
use crate::{Result, StoreError, action_results, events, jobs, triggers};

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
        shard_cursors::survey(&self.pool).await
    }

    async fn claim(&self, shard: ChainId, entries_max: u32) -> Result<Option<PgClaim>> {
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

    fn triggers_revision(&self) -> i64 {
        self.triggers_revision
    }

    async fn triggers(&mut self) -> Result<TriggerIndex> {
        triggers::in_force(&mut self.transaction, self.triggers_revision).await
    }

    /// The first write of the transaction, and with it its transaction id, comes here: a claim
    /// that only reads holds nobody's horizon back.
    async fn commit(mut self, plan: &Plan) -> Result<Vec<Entry>> {
        let Some(position) = plan.cursor else { return Ok(self.entries) };
        let transaction = &mut self.transaction;
        jobs::add(transaction, self.shard, self.triggers_revision, &plan.jobs).await?;
        if !plan.withdrawals.is_empty() {
            jobs::withdraw(transaction, &plan.withdrawals).await?;
            action_results::invalidate(transaction, &plan.withdrawals).await?;
        }
        let moved = shard_cursors::Moved {
            to: position,
            triggers_revision: self.triggers_revision,
            holder: &self.holder,
            tally: plan.tally,
        };
        shard_cursors::advance(transaction, self.shard, &self.cursor, &moved).await?;
        self.transaction.commit().await?;
        Ok(self.entries)
    }
}

/// Joins the entries with their events' rows as they are now. Fewer entries come back where their
/// events are too large to be judged together.
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
    Ok(stored.into_iter().map(|entry| joined(entry, &rows)).collect())
}

fn joined(
    StoredEntry { position, subject }: StoredEntry,
    rows: &HashMap<EventName, Event>,
) -> Entry {
    let subject = match subject {
        StoredSubject::Checkpoint { block_number } => Subject::Checkpoint { block_number },
        StoredSubject::Event { name, revision } => {
            let row = rows.get(&name).cloned().map(Box::new);
            Subject::Event { name, revision, row }
        }
    };
    Entry { position, subject }
}

/// The cursor of a shard that nobody has judged yet.
pub(crate) const BEGINNING: Position = Position { xid: 0, seq: 0 };

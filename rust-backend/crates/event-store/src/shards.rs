//! The shards' logs behind the engine's port: survey, claim, commit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use event_engine::decide::Plan;
use event_engine::event::{ChainId, Event, EventName};
use event_engine::index::TriggerIndex;
use event_engine::log::{Entry, Position, Subject};
use event_engine::port::{Claim, Portion, Shards, Survey};
use event_engine::state::{GroupName, Needs, Observation};
use sqlx::{PgPool, PgTransaction};

use crate::event_log::{self, StoredEntry, StoredPortion, StoredSubject};
use crate::pool::{answered, answered_at_length};
use crate::shard_cursors::{self, Move, advance};
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
    /// The chains that had entries when it was last looked for them.
    chains: Arc<Mutex<Option<Chains>>>,
}

#[derive(Clone, Debug)]
struct Chains {
    ids: Arc<[i64]>,
    seen_at: Instant,
}

/// How long a new chain may go unseen while the known ones have entries to judge.
const CHAINS_FOR: Duration = Duration::from_millis(500);

impl PgShards {
    /// The shards as `holder` works on them.
    pub fn new(pool: PgPool, holder: &str) -> Self {
        Self { pool, holder: holder.into(), chains: Arc::default() }
    }
}

impl Shards for PgShards {
    type Claim = PgClaim;
    type Error = StoreError;

    async fn survey(&self, entries_max: u32) -> Result<Survey> {
        if let Some(chains) = self.known_chains() {
            let survey = answered(shard_cursors::survey(&self.pool, &chains, entries_max)).await?;
            if survey.held || !survey.ready.is_empty() {
                return Ok(survey);
            }
        }
        let chains: Arc<[i64]> = answered(shard_cursors::chains(&self.pool)).await?.into();
        *self.chains.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Chains { ids: Arc::clone(&chains), seen_at: Instant::now() });
        answered(shard_cursors::survey(&self.pool, &chains, entries_max)).await
    }

    async fn claim(&self, shards: &[ChainId], entries_max: u32) -> Result<Option<PgClaim>> {
        answered(self.claimed(shards, entries_max)).await
    }
}

impl PgShards {
    fn known_chains(&self) -> Option<Arc<[i64]>> {
        let chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = chains.as_ref().filter(|chains| chains.seen_at.elapsed() < CHAINS_FOR);
        fresh.map(|chains| Arc::clone(&chains.ids))
    }

    async fn claimed(&self, shards: &[ChainId], entries_max: u32) -> Result<Option<PgClaim>> {
        let mut transaction = self.pool.begin().await?;
        let locked = shard_cursors::lock(&mut transaction, shards).await?;
        if locked.is_empty() {
            return Ok(None);
        }
        let (triggers_revision, stored) =
            event_log::next(&mut transaction, &locked, &self.holder, entries_max).await?;
        let portions = with_rows(&mut transaction, stored).await?;
        let holder = Arc::clone(&self.holder);
        Ok(Some(PgClaim { transaction, holder, triggers_revision, portions }))
    }
}

/// Shards under our locks. Dropping it rolls everything back.
#[derive(Debug)]
pub struct PgClaim {
    transaction: PgTransaction<'static>,
    holder: Arc<str>,
    triggers_revision: i64,
    portions: Vec<Portion>,
}

impl Claim for PgClaim {
    type Error = StoreError;

    fn portions(&self) -> &[Portion] {
        &self.portions
    }

    fn triggers_revision(&self) -> i64 {
        self.triggers_revision
    }

    async fn triggers(&mut self) -> Result<TriggerIndex> {
        let revision = self.triggers_revision;
        answered_at_length(triggers::in_force(&mut self.transaction, revision)).await
    }

    async fn recall(
        &mut self,
        shard: ChainId,
        needs: &Needs,
    ) -> Result<Vec<(GroupName, Observation)>> {
        answered(trigger_observations::recall(&mut self.transaction, shard, needs)).await
    }

    /// The first write of the transaction, and with it its transaction id, comes here: a claim
    /// that only reads holds nobody's horizon back.
    async fn commit(self, plans: &[Plan]) -> Result<Vec<Portion>> {
        answered(self.committed(plans)).await
    }
}

impl PgClaim {
    async fn committed(mut self, plans: &[Plan]) -> Result<Vec<Portion>> {
        let transaction = &mut self.transaction;
        let mut moves = Vec::with_capacity(plans.len());
        let mut decided = jobs::Columns::default();
        let mut withdrawals = Vec::new();
        for (portion, plan) in self.portions.iter().zip(plans) {
            let Some(to) = plan.cursor else { continue };
            moves.push(Move { portion, to, block_time: plan.block_time, tally: plan.tally });
            decided.extend(portion.shard, &plan.jobs);
            withdrawals.extend(&plan.withdrawals);
        }
        if moves.is_empty() {
            return Ok(self.portions);
        }
        advance(transaction, &self.holder, self.triggers_revision, &moves, &decided).await?;
        for (portion, plan) in self.portions.iter().zip(plans) {
            let (shard, block_time) = (portion.shard, plan.block_time);
            trigger_observations::change(transaction, shard, &plan.state, block_time).await?;
        }
        // Behind the new jobs: a batch may take back what it has decided.
        if !withdrawals.is_empty() {
            jobs::withdraw(transaction, &withdrawals).await?;
            action_results::invalidate(transaction, &withdrawals).await?;
        }
        self.transaction.commit().await?;
        Ok(self.portions)
    }
}

/// Joins the entries with what their events were at their revisions. Fewer entries come back where
/// their events are too large to be judged together.
async fn with_rows(
    transaction: &mut PgTransaction<'static>,
    mut stored: Vec<StoredPortion>,
) -> Result<Vec<Portion>> {
    let entries = stored.iter().flat_map(|portion| &portion.entries);
    let names: Vec<_> = entries.filter_map(StoredEntry::name).collect();
    let (rows, mut read) = events::by_name(transaction, &names).await?;
    let is_cut = read < names.len();
    for portion in stored.iter_mut().filter(|_| is_cut) {
        let first_unread = portion.entries.iter().position(|entry| {
            let is_unread = entry.name().is_some() && read == 0;
            read -= usize::from(entry.name().is_some() && read > 0);
            is_unread
        });
        portion.entries.truncate(first_unread.unwrap_or(portion.entries.len()));
    }
    let past = Past::of(transaction, &stored, &rows).await?;
    let joined = |entry| past.joined(entry, &rows);
    let portion = |stored: StoredPortion| Portion {
        shard: stored.shard,
        cursor: stored.cursor,
        is_continued: stored.is_continued,
        block_time: stored.block_time,
        entries: stored.entries.into_iter().map(joined).collect(),
    };
    Ok(stored.into_iter().map(portion).collect())
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
        stored: &[StoredPortion],
        rows: &HashMap<EventName, Event>,
    ) -> Result<Self> {
        let names: Vec<&EventName> = stored
            .iter()
            .flat_map(|portion| &portion.entries)
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

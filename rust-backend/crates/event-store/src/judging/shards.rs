//! The shards' logs behind the engine's port: survey, claim, commit.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use event_engine::decide::Plan;
use event_engine::event::ChainId;
use event_engine::index::TriggerIndex;
use event_engine::log::{Entry, Subject};
use event_engine::port::{Claim, Ready, ShardBatch, Shards, Survey};
use event_engine::state::{GroupName, Needs, Observation};
use event_engine::waiting::{WaitingFound, WaitingNeeds};
use parking_lot::Mutex;
use sqlx::{PgConnection, PgPool};

use crate::chain::known_chains;
use crate::connection::pool::{answered, answered_at_length};
use crate::connection::sessions::{Session, Sessions};
use crate::delivery::{action_results, invalidated_events, jobs, reinclusions};
use crate::events::history::EventHistory;
use crate::events::superseded_events::Revision;
use crate::judging::shard_cursors::{self, Move, advance};
use crate::judging::walk::ChainWalk;
use crate::judging::{event_log, times_ahead, trigger_observations, waiting_events};
use crate::{Result, StoreError, triggers};

/// Chains that are not known whose entries the watch looks at.
const RECENT_MAX: usize = 100;
/// Time for which the list of known chains is used.
const KNOWN_FOR: Duration = Duration::from_secs(2);

/// The shards in PostgreSQL, for one processor.
#[derive(Clone, Debug)]
pub struct PgShards {
    sessions: Sessions,
    /// Names this processor in the cursor row.
    holder: Arc<str>,
    looked: Arc<Mutex<Looked>>,
}

/// The result of the surveys so far.
#[derive(Debug, Default)]
struct Looked {
    known: Arc<BTreeSet<ChainId>>,
    known_at: Option<Instant>,
    walk: ChainWalk,
    /// Chains that are not known and had entries lately, the latest last.
    recent: VecDeque<ChainId>,
    /// The connection that looked last.
    session: Option<Instant>,
}

impl PgShards {
    /// The shards as `holder` works on them.
    pub fn new(pool: PgPool, holder: &str) -> Self {
        let sessions = Sessions::of(pool, event_log::PREPARED);
        Self { sessions, holder: holder.into(), looked: Arc::default() }
    }

    /// The chains that are known, and some others that had entries lately; and whether each is
    /// known.
    pub fn in_sight(&self) -> Vec<(ChainId, bool)> {
        let looked = self.looked.lock();
        let others = looked.recent.iter().filter(|chain| !looked.known.contains(chain));
        let others = others.map(|chain| (*chain, false));
        looked.known.iter().map(|chain| (*chain, true)).chain(others).collect()
    }
}

impl Shards for PgShards {
    type Claim = PgClaim;
    type Error = StoreError;

    async fn survey(&self, named: &[ChainId], entries_max: u32) -> Result<Survey> {
        answered(self.surveyed(named, entries_max)).await
    }

    async fn claim(&self, shards: &[ChainId], entries_max: u32) -> Result<Option<PgClaim>> {
        answered(self.claimed(shards, entries_max)).await
    }

    fn is_of_rows(error: &StoreError) -> bool {
        error.is_of_rows()
    }
}

impl PgShards {
    async fn surveyed(&self, named: &[ChainId], entries_max: u32) -> Result<Survey> {
        let mut session = self.sessions.take().await?;
        let known = self.known(&mut session).await?;
        let (asked, step, rested_at) = {
            let mut looked = self.looked.lock();
            if looked.session.replace(session.made_at()) != Some(session.made_at()) {
                looked.walk.doubt();
            }
            let asked = known.iter().copied().chain(named.iter().copied());
            let asked: Vec<i64> = asked.chain(looked.walk.pending()).map(|it| it.0).collect();
            (asked, looked.walk.step(Instant::now()), looked.walk.rested_at())
        };
        let found = shard_cursors::survey(&mut session, entries_max, &asked, step, rested_at).await;
        let (ready, held, seen) = found?;
        self.sessions.keep(session);
        let mut looked = self.looked.lock();
        looked.note(seen.pending.iter().filter(|chain| !known.contains(chain)));
        looked.walk.saw(step, seen, Instant::now());
        let ready = ready.into_iter().map(|it| Ready { is_known: known.contains(&it.shard), ..it });
        Ok(Survey { ready: ready.collect(), held })
    }

    /// The known chains, asked for again now and then.
    async fn known(&self, session: &mut Session) -> Result<Arc<BTreeSet<ChainId>>> {
        let looked = {
            let looked = self.looked.lock();
            let is_fresh = looked.known_at.is_some_and(|at| at.elapsed() < KNOWN_FOR);
            is_fresh.then(|| Arc::clone(&looked.known))
        };
        if let Some(known) = looked {
            return Ok(known);
        }
        let known: BTreeSet<ChainId> =
            known_chains::known(&mut **session).await?.into_iter().collect();
        let known = Arc::new(known);
        let mut looked = self.looked.lock();
        (looked.known, looked.known_at) = (Arc::clone(&known), Some(Instant::now()));
        Ok(known)
    }

    async fn claimed(&self, shards: &[ChainId], entries_max: u32) -> Result<Option<PgClaim>> {
        let mut session = self.sessions.take().await?;
        let claimed = event_log::claim(&mut session, shards, &self.holder, entries_max).await?;
        let Some((triggers_revision, mut batches)) = claimed else {
            sqlx::raw_sql("ROLLBACK").execute(&mut *session).await?;
            self.sessions.keep(session);
            return Ok(None);
        };
        restore(&mut session, &mut batches).await?;
        let (sessions, holder) = (self.sessions.clone(), Arc::clone(&self.holder));
        Ok(Some(PgClaim { session, sessions, holder, triggers_revision, batches }))
    }
}

impl Looked {
    /// Some chains that are not known have entries.
    fn note<'a>(&mut self, chains: impl Iterator<Item = &'a ChainId>) {
        for chain in chains.take(RECENT_MAX) {
            self.recent.retain(|earlier| earlier != chain);
            self.recent.push_back(*chain);
        }
        while self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
    }
}

/// Shards under our locks. Dropping it rolls everything back.
#[derive(Debug)]
pub struct PgClaim {
    /// In a transaction.
    session: Session,
    /// The pool to which it returns after the commit.
    sessions: Sessions,
    holder: Arc<str>,
    triggers_revision: i64,
    batches: Vec<ShardBatch>,
}

impl Claim for PgClaim {
    type Error = StoreError;

    fn batches(&self) -> &[ShardBatch] {
        &self.batches
    }

    fn triggers_revision(&self) -> i64 {
        self.triggers_revision
    }

    async fn triggers(&mut self) -> Result<TriggerIndex> {
        let revision = self.triggers_revision;
        answered_at_length(triggers::in_force(&mut self.session, revision)).await
    }

    async fn recall(
        &mut self,
        shard: ChainId,
        needs: &Needs,
    ) -> Result<Vec<(GroupName, Observation)>> {
        answered(trigger_observations::recall(&mut self.session, shard, needs)).await
    }

    async fn waiting(&mut self, shard: ChainId, needs: &WaitingNeeds) -> Result<WaitingFound> {
        answered(waiting_events::recall(&mut self.session, shard, needs)).await
    }

    /// The first write of the transaction, and with it its transaction id, comes here: a claim that
    /// only reads holds no horizon back.
    async fn commit(self, plans: &[Plan]) -> Result<Vec<ShardBatch>> {
        answered(self.committed(plans)).await
    }
}

impl PgClaim {
    async fn committed(mut self, plans: &[Plan]) -> Result<Vec<ShardBatch>> {
        let connection = &mut *self.session;
        let mut moves = Vec::with_capacity(plans.len());
        let mut decided = jobs::JobColumns::default();
        let mut supersessions = Vec::new();
        for (batch, plan) in self.batches.iter().zip(plans) {
            let Some(to) = plan.cursor else { continue };
            moves.push(Move { batch, to, plan });
            decided.extend(batch.shard, &plan.jobs);
            supersessions.extend(&plan.supersessions);
        }
        if moves.is_empty() {
            sqlx::raw_sql("ROLLBACK").execute(connection).await?;
            self.sessions.keep(self.session);
            return Ok(self.batches);
        }
        // Before the new jobs, which may be of the same transactions.
        if !supersessions.is_empty() {
            let shards: Vec<i64> = moves.iter().map(|it| it.batch.shard.0).collect();
            invalidated_events::add(connection, &shards, &supersessions).await?;
        }
        let (holder, revision) = (&self.holder, self.triggers_revision);
        if advance(connection, holder, revision, &moves, &decided).await? {
            let jobs = moves.iter().flat_map(|it| &it.plan.jobs);
            reinclusions::link_matches(connection, &jobs.collect::<Vec<_>>()).await?;
        }
        for (batch, plan) in self.batches.iter().zip(plans) {
            let (shard, block_time) = (batch.shard, plan.block_time);
            trigger_observations::change(connection, shard, &plan.state, block_time).await?;
            waiting_events::change(connection, shard, &plan.waits).await?;
        }
        let ahead = moves.iter().filter_map(|it| Some((it.batch.shard, it.plan.ahead.as_ref()?)));
        times_ahead::note(connection, &ahead.collect::<Vec<_>>()).await?;
        // Behind the new jobs: a batch may invalidate an event for which it has decided one.
        if !supersessions.is_empty() {
            jobs::cancel_superseded(connection, &supersessions).await?;
            action_results::invalidate(connection, &supersessions).await?;
        }
        sqlx::raw_sql("COMMIT").execute(connection).await?;
        self.sessions.keep(self.session);
        Ok(self.batches)
    }
}

/// Sets the entries' events back to their revisions. Where the contents are too long to be read
/// together, the shard's entries end; the rest comes with the next claim.
async fn restore(connection: &mut PgConnection, batches: &mut [ShardBatch]) -> Result<()> {
    let entries = batches.iter().flat_map(|batch| &batch.entries);
    let history =
        EventHistory::of(connection, &entries.filter_map(superseded).collect::<Vec<_>>()).await?;
    for ShardBatch { entries, .. } in batches {
        let is_unread = |entry: &Entry| match &entry.subject {
            Subject::Event { name, revision, .. } => !history.is_read(name, *revision),
            Subject::Heights(_) => false,
        };
        entries.truncate(entries.iter().position(is_unread).unwrap_or(entries.len()));
        for Entry { position, subject } in entries {
            let Subject::Event { name, revision, row, superseded } = subject else { continue };
            *superseded = history.supersedes(name, *revision, *position);
            if let Some(event) = row {
                history.restore(event, *revision);
            }
        }
    }
    Ok(())
}

/// The entry's event and revision, where its row has superseded it.
fn superseded(entry: &Entry) -> Option<Revision> {
    match &entry.subject {
        Subject::Event { name, revision, row: Some(row), .. } => {
            (row.revision > *revision).then(|| (name.clone(), *revision))
        }
        _ => None,
    }
}

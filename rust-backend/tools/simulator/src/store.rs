//! The fake of PostgreSQL, as far as its semantics matter to the engine.
//!
//! What is modelled: transaction ids taken by the first write; a horizon below which nothing can
//! appear any more; rows and log entries that are visible from one moment on; row locks; advisory
//! locks that end with their session; sessions that are ended because they idle in a transaction;
//! a crash that undoes the commits that did not wait for the disk, up to the last one that did.
//! A verb that is one transaction in the real store happens here in one moment, except a claim,
//! whose statements are apart as they are there.

mod jobs;
mod leases;
mod log;
mod observations;
mod row;
mod rule;
mod session;
mod shards;
mod transaction;
mod waits;

use std::collections::BTreeMap;
use std::sync::Arc;

use event_engine::event::{ChainId, EventName};
use event_engine::finality::Heights;
use event_engine::log::Position;

pub use self::jobs::{Job, Jobs, State};
pub use self::leases::FakeLeases;
pub use self::log::{Log, Noted};
pub use self::observations::Observations;
pub use self::row::{Content, Row, TRANSACTION};
pub use self::rule::{Rule, RuleState, TriggerSet, When};
pub use self::session::{Hold, Lock, SessionId, Sessions};
pub use self::shards::{FakeClaim, FakeShards, Judged, Next, below_horizon};
pub use self::transaction::Transaction;
pub use self::waits::Waits;
use crate::checker::Remembered;

/// What the fake of PostgreSQL holds.
#[derive(Debug, Default)]
pub struct Database {
    /// Who is connected, and what they hold.
    pub sessions: Sessions,
    /// Table `events`.
    pub rows: BTreeMap<EventName, Row>,
    /// Each revision of each row there ever was, also of rows that are deleted.
    pub history: BTreeMap<(EventName, i32), Row>,
    /// Table `event_log`.
    pub log: Log,
    /// Tables `triggers`, `trigger_versions`, `trigger_actions` and `trigger_set`.
    pub triggers: TriggerSet,
    /// What processors commit.
    pub judged: JudgedTables,
    /// What a crash would bring back.
    before_unflushed: Option<Box<(JudgedTables, Remembered)>>,
}

/// What processors write to, without waiting for the disk.
#[derive(Clone, Debug, Default)]
pub struct JudgedTables {
    /// Table `shard_cursors`.
    pub cursors: BTreeMap<ChainId, Position>,
    /// The same table's block times.
    pub block_times: BTreeMap<ChainId, i64>,
    /// And how far each chain is.
    pub heights: BTreeMap<ChainId, Heights>,
    /// And who moved each last.
    pub holders: BTreeMap<ChainId, Arc<str>>,
    /// Table `trigger_observations`.
    pub observations: Observations,
    /// Table `waiting_events`.
    pub waits: Waits,
    /// Tables `jobs` and `action_results`.
    pub jobs: Jobs,
}

impl Database {
    /// Where a shard's cursor stands.
    pub fn cursor(&self, shard: ChainId) -> Position {
        self.judged.cursors.get(&shard).copied().unwrap_or_default()
    }

    /// A processor commits, and does not wait for the disk.
    fn write_unflushed(&mut self, remember: impl FnOnce() -> Remembered) {
        if self.before_unflushed.is_none() {
            self.before_unflushed = Some(Box::new((self.judged.clone(), remember())));
        }
    }

    /// Somebody commits and waits for the disk: all that was committed before lasts too.
    pub fn flush(&mut self) {
        self.before_unflushed = None;
    }

    /// The server crashes: what was not flushed is undone. Gives what the checker remembered then.
    pub fn crash(&mut self) -> Option<Remembered> {
        self.sessions.restart();
        let (judged, remembered) = *self.before_unflushed.take()?;
        self.judged = judged;
        Some(remembered)
    }
}

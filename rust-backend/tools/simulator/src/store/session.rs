//! Sessions: transaction ids, locks, and how they end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use event_engine::event::{ChainId, EventName};
use tokio::time::Instant;

use crate::world::link::Fault;

/// `idle_in_transaction_session_timeout` of our own sessions.
const IDLE_MAX: Duration = Duration::from_millis(1_500);

/// Names a session.
pub type SessionId = u64;

/// What one transaction at a time may have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lock {
    /// A row of `events`, while it is written.
    Row(EventName),
    /// A chain's rows of heights, likewise.
    Heights(ChainId),
    /// The advisory lock on a shard.
    Shard(ChainId),
}

/// How a session has the lock on the table of the set of triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// With others: a batch.
    Shared,
    /// Not yet: it waits to have it alone, and whoever comes later waits behind it.
    Awaited,
    /// Alone: a change of the set.
    Alone,
}

/// A session with a transaction under way.
#[derive(Debug)]
struct Session {
    owner: String,
    /// Taken by the first write.
    xid: Option<u64>,
    hold: Option<Hold>,
    active_at: Instant,
    /// Strangers' sessions may idle as long as they like.
    ours: bool,
}

/// All sessions with a transaction under way.
#[derive(Debug)]
pub struct Sessions {
    open: BTreeMap<SessionId, Session>,
    locks: BTreeMap<Lock, SessionId>,
    writing: BTreeSet<u64>,
    next: SessionId,
    next_xid: u64,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
            locks: BTreeMap::new(),
            writing: BTreeSet::new(),
            next: 1,
            next_xid: 700,
        }
    }
}

impl Sessions {
    /// Begins a transaction. `ours` may not idle for long.
    pub fn begin(&mut self, owner: &str, ours: bool) -> SessionId {
        let id = self.next;
        self.next += 1;
        let session = Session {
            owner: owner.to_owned(),
            xid: None,
            hold: None,
            active_at: Instant::now(),
            ours,
        };
        self.open.insert(id, session);
        id
    }

    /// A statement arrives: the session has to be there.
    pub fn statement(&mut self, id: SessionId) -> Result<(), Fault> {
        let session = self.open.get_mut(&id).ok_or(Fault::SessionEnded)?;
        session.active_at = Instant::now();
        Ok(())
    }

    /// The session's transaction id, taken if it has none yet.
    pub fn xid(&mut self, id: SessionId) -> Result<u64, Fault> {
        self.statement(id)?;
        let session = self.open.get_mut(&id).ok_or(Fault::SessionEnded)?;
        let xid = *session.xid.get_or_insert_with(|| {
            self.next_xid += 1;
            self.next_xid - 1
        });
        self.writing.insert(xid);
        Ok(xid)
    }

    /// Every transaction with a smaller id has ended: `pg_snapshot_xmin`.
    pub fn horizon(&self) -> u64 {
        self.writing.first().copied().unwrap_or(self.next_xid)
    }

    /// Takes a lock until the transaction ends. False where another has it.
    pub fn lock(&mut self, id: SessionId, lock: Lock) -> Result<bool, Fault> {
        self.statement(id)?;
        Ok(*self.locks.entry(lock).or_insert(id) == id)
    }

    /// Asks for the set of triggers, shared or alone. False where it has to wait.
    pub fn hold_set(&mut self, id: SessionId, hold: Hold) -> Result<bool, Fault> {
        self.statement(id)?;
        let alone = hold != Hold::Shared;
        let in_the_way = self.open.iter().any(|(other, session)| {
            *other != id && session.hold.is_some_and(|held| alone || held != Hold::Shared)
        });
        let granted = if alone { Hold::Alone } else { Hold::Shared };
        let waiting = alone.then_some(Hold::Awaited);
        let session = self.open.get_mut(&id).ok_or(Fault::SessionEnded)?;
        session.hold = if in_the_way { waiting } else { Some(granted) };
        Ok(!in_the_way)
    }

    /// Ends a transaction, whichever way, and all that it held.
    pub fn end(&mut self, id: SessionId) {
        if let Some(xid) = self.open.remove(&id).and_then(|session| session.xid) {
            self.writing.remove(&xid);
        }
        self.locks.retain(|_, holder| *holder != id);
    }

    /// Ends the sessions of a process that is gone.
    pub fn end_of(&mut self, owner: &str) {
        self.end_all(|session| session.owner == owner);
    }

    /// Ends every session, as a restart of the server does.
    pub fn restart(&mut self) {
        self.end_all(|_| true);
    }

    /// Ends those of ours that have been idle for too long.
    pub fn end_idle(&mut self) {
        let now = Instant::now();
        self.end_all(|session| session.ours && now - session.active_at >= IDLE_MAX);
    }

    fn end_all(&mut self, which: impl Fn(&Session) -> bool) {
        let open = self.open.iter();
        let ended: Vec<_> = open.filter(|(_, it)| which(it)).map(|(id, _)| *id).collect();
        for id in ended {
            self.end(id);
        }
    }
}

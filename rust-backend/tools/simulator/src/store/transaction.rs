//! A writer's transaction: what it wrote is seen by others once it commits.

use std::collections::BTreeMap;
use std::ops::Range;

use event_engine::event::{ChainId, EventName};
use event_engine::finality::Heights;
use event_engine::log::Position;

use super::{Content, Database, Lock, Noted, Row, SessionId};
use crate::world::link::Fault;

/// A transaction of somebody who writes events.
#[derive(Debug)]
pub struct Transaction {
    session: SessionId,
    began_ms: i64,
    seqs: Range<i64>,
    rows: BTreeMap<EventName, Option<Row>>,
    revisions: Vec<Row>,
    entries: Vec<(ChainId, Position, Noted)>,
}

impl Transaction {
    /// Begins one, at this time of the database's clock.
    pub fn begin(database: &mut Database, owner: &str, now_ms: i64) -> Self {
        Self {
            session: database.sessions.begin(owner, false),
            began_ms: now_ms,
            seqs: 0..0,
            rows: BTreeMap::new(),
            revisions: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// The row as this transaction sees it.
    pub fn row<'a>(&'a self, database: &'a Database, name: &EventName) -> Option<&'a Row> {
        match self.rows.get(name) {
            Some(row) => row.as_ref(),
            None => database.rows.get(name),
        }
    }

    /// Locks what it is about to write. False where another transaction writes it.
    pub fn lock(&self, database: &mut Database, lock: Lock) -> Result<bool, Fault> {
        // A row lock is a write: it takes a transaction id.
        database.sessions.xid(self.session)?;
        database.sessions.lock(self.session, lock)
    }

    /// Inserts a row, or lets its block or what it says take the name over. The row has to be
    /// locked.
    pub fn upsert(&mut self, database: &mut Database, row: Row) -> Result<(), Fault> {
        match self.row(database, &row.name).cloned() {
            None => self.write(database, row),
            Some(known) => self.revise(database, &known, row.block, row.content, row.invalidated),
        }
    }

    /// `UPDATE … SET invalidated = …`. The row has to be locked.
    pub fn set_invalidated(
        &mut self,
        database: &mut Database,
        name: &EventName,
        invalidated: bool,
    ) -> Result<(), Fault> {
        match self.row(database, name).cloned() {
            None => Ok(()),
            Some(known) => {
                let content = known.content.clone();
                self.revise(database, &known, known.block, content, invalidated)
            }
        }
    }

    /// Deletes a row, which logs nothing. The row has to be locked.
    pub fn delete(&mut self, name: &EventName) {
        self.rows.insert(name.clone(), None);
    }

    /// Moves some of the chain's heights, which have to be locked.
    pub fn report(
        &mut self,
        database: &mut Database,
        chain: ChainId,
        heights: Heights,
    ) -> Result<(), Fault> {
        self.note(database, chain, Noted::Heights(heights))
    }

    /// Makes all of it visible, in one moment. Gives the entries.
    pub fn commit(self, database: &mut Database) -> Result<Vec<(ChainId, Position, Noted)>, Fault> {
        database.sessions.statement(self.session)?;
        for row in self.revisions {
            database.history.insert((row.name.clone(), row.revision), row);
        }
        for (name, row) in self.rows {
            match row {
                Some(row) => database.rows.insert(name, row),
                None => database.rows.remove(&name),
            };
        }
        for (shard, position, noted) in &self.entries {
            database.log.add(*shard, *position, noted.clone());
        }
        database.sessions.end(self.session);
        database.flush();
        Ok(self.entries)
    }

    /// Takes all of it back.
    pub fn roll_back(self, database: &mut Database) {
        database.sessions.end(self.session);
    }

    fn revise(
        &mut self,
        database: &mut Database,
        known: &Row,
        block: u64,
        content: Content,
        invalidated: bool,
    ) -> Result<(), Fault> {
        let row = known.revised(block, content, invalidated);
        if row.revision == known.revision {
            self.rows.insert(row.name.clone(), Some(row));
            return Ok(());
        }
        self.write(database, row)
    }

    fn write(&mut self, database: &mut Database, row: Row) -> Result<(), Fault> {
        let row = Row { logged_at_ms: self.began_ms, ..row };
        self.note(database, row.chain, Noted::Event(row.name.clone(), row.revision))?;
        self.revisions.push(row.clone());
        self.rows.insert(row.name.clone(), Some(row));
        Ok(())
    }

    fn note(&mut self, database: &mut Database, shard: ChainId, noted: Noted) -> Result<(), Fault> {
        let xid = database.sessions.xid(self.session)?;
        if self.seqs.is_empty() {
            self.seqs = database.log.seqs();
        }
        let seq = self.seqs.next().unwrap_or_default();
        self.entries.push((shard, Position { xid, seq }, noted));
        Ok(())
    }
}

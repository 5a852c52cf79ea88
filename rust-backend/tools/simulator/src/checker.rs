//! Watches over a world: after each step, and when it has come to rest.
//!
//! Everything here is written apart from what it checks: it keeps its own copy of the log, its own
//! cursors, its own idea of what matches.

mod judging;
mod leasing;
mod naive;
mod rest;
mod waking;

use std::time::Duration;

use event_engine::delivery::lease::{AttemptRecord, Lease, LeasedJob, Outcome};
use event_engine::event::ChainId;
use event_engine::job::JobId;
use event_engine::log::Position;
use tokio::time::Instant;

use self::judging::Judging;
pub use self::judging::Remembered;
use self::leasing::Leasing;
pub use self::rest::Left;
pub use self::waking::Saw;
use self::waking::Waking;
use crate::actors::receiver::Receivers;
use crate::store::{Database, Judged, Noted, Rule};
use crate::world::life::Life;

/// Watches over a world.
#[derive(Debug, Default)]
pub struct Checker {
    judging: Judging,
    leasing: Leasing,
    waking: Waking,
    finding: Option<String>,
}

impl Checker {
    /// The first thing that was wrong.
    pub fn finding(&self) -> Option<&str> {
        self.finding.as_deref()
    }

    /// Something is wrong.
    pub fn found(&mut self, problem: String) {
        self.finding.get_or_insert(problem);
    }

    /// A writer's entries became visible.
    pub fn written(&mut self, entries: &[(ChainId, Position, Noted)]) {
        let checked = self.judging.written(entries);
        self.note(checked);
    }

    /// A set of triggers came into force.
    pub fn in_force(&mut self, revision: i64, active: Vec<Rule>) {
        self.judging.in_force(revision, active);
    }

    /// A batch was committed.
    pub fn judged(&mut self, database: &Database, judged: &Judged<'_>) {
        let checked = self.judging.judged(database, judged);
        self.note(checked);
    }

    /// What was judged so far.
    pub fn remember(&self) -> Remembered {
        self.judging.remember()
    }

    /// The store crashed, and has forgotten what was judged since.
    pub fn set_back(&mut self, to: Remembered) {
        self.judging.set_back(to);
    }

    /// A processor begins a survey.
    pub fn survey_begins(&mut self, processor: &str) {
        let checked = self.waking.begins(processor, Instant::now());
        self.note(checked);
    }

    /// Its survey ended.
    pub fn survey_ended(&mut self, processor: &str, saw: Saw) {
        self.waking.ended(processor, saw, Instant::now());
    }

    /// Leases were given.
    pub fn leased(&mut self, database: &Database, holder: &str, leases: &[Lease], now_ms: i64) {
        let superseded = self.judging.superseded();
        let checked = self.leasing.leased(database, superseded, (holder, leases), now_ms);
        self.note(checked);
    }

    /// The answer to a call that took leases was lost.
    pub fn untold(&mut self, holder: &str, jobs: &[JobId], now: Duration, life: &Life) {
        self.leasing.untold(holder, jobs, now, life);
    }

    /// Leases were given back.
    pub fn given_back(&mut self, holder: &str, back: &[(Lease, Duration)]) {
        self.leasing.over(holder, back.iter().map(|(lease, _)| lease));
    }

    /// Attempts were recorded.
    pub fn finished(
        &mut self,
        holder: &str,
        attempts: &[AttemptRecord],
        (now, now_ms): (Duration, i64),
    ) {
        for made in attempts.iter().filter(|it| it.attempt.outcome != Outcome::Lost) {
            let checked = self.leasing.made(holder, &made.lease);
            self.note(checked);
        }
        for lost in attempts.iter().filter(|it| it.attempt.outcome == Outcome::Lost) {
            let checked = self.leasing.written_off(holder, &lost.lease, now_ms);
            self.note(checked);
            let checked = self.leasing.told(holder, &lost.lease, now);
            self.note(checked);
        }
        self.leasing.over(holder, attempts.iter().map(|attempt| &attempt.lease));
    }

    /// An attempt begins.
    pub fn attempted(
        &mut self,
        database: &Database,
        holder: &str,
        assignment: &LeasedJob,
        now_ms: i64,
    ) {
        let checked = self.leasing.attempted(database, holder, assignment, now_ms);
        self.note(checked);
    }

    /// Nothing goes wrong any more: what is due is soon begun.
    pub fn calm(&mut self, database: &Database, calm_since_ms: i64, now_ms: i64) {
        let checked = rest::nothing_is_late(database, calm_since_ms, now_ms);
        self.note(checked);
    }

    /// What is left to do, if anything is.
    pub fn left<'a>(&self, database: &'a Database) -> Option<Left<'a>> {
        rest::left(database)
    }

    /// The world has come to rest.
    pub fn rests(&mut self, database: &Database, receivers: &Receivers) {
        let checked = self
            .judging
            .rests(database)
            .and_then(|()| rest::settled(database, receivers, &self.leasing));
        self.note(checked);
    }

    fn note(&mut self, checked: Result<(), String>) {
        if let Err(problem) = checked {
            self.found(problem);
        }
    }
}

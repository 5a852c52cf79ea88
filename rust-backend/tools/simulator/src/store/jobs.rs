//! Tables `jobs` and `action_results`.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use event_engine::delivery::lease::{AttemptRecord, Disposition, Expired, Lease, Outcome};
use event_engine::event::{ChainId, EventName};
use event_engine::job::{JobId, NewJob};
use event_engine::trigger::TriggerId;

use super::{Database, Rule, RuleState};
use crate::world::clock::millis;

/// What has become of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for its time.
    Pending,
    /// Its trigger is disabled.
    Held,
    /// A worker has it.
    Leased {
        /// Which one.
        holder: String,
        /// Until when, by the database's clock.
        until_ms: i64,
    },
    /// The receiver took it.
    Delivered,
    /// Nobody wants it any more, and why.
    Cancelled(&'static str),
    /// No attempt is left, and why.
    Dead(String),
}

/// One thing to do.
#[derive(Clone, Debug)]
pub struct Job {
    /// What was decided; a retraction's has an id of its own.
    pub decided: NewJob,
    /// The job that it retracts.
    pub retracts: Option<JobId>,
    /// The shard it was decided on.
    pub shard: ChainId,
    /// The set of triggers that it was decided by.
    pub triggers_revision: i64,
    /// What has become of it.
    pub state: State,
    /// Attempts started.
    pub attempts: i32,
    /// Leases of it so far.
    leases: u32,
    /// When its next attempt is due, by the database's clock.
    pub due_ms: i64,
    pushed_ms: Option<i64>,
    created_ms: i64,
}

impl Job {
    pub(crate) fn lease(&self) -> Lease {
        Lease {
            id: self.decided.id,
            attempt: self.attempts,
            until: self.leased_until(),
            schedule_from: 0,
            trigger: self.decided.trigger,
            action: self.decided.action.clone(),
            event: self.decided.event.clone(),
            revision: self.decided.revision,
            created_at: DateTime::from_timestamp_millis(self.created_ms).unwrap_or_default(),
            wanted_since: DateTime::from_timestamp_millis(self.created_ms).unwrap_or_default(),
            retracts: self.retracts,
        }
    }

    /// The end of its lease. PostgreSQL tells two leases apart by their microseconds; this clock
    /// has none, so that the lease's number stands in for them.
    fn leased_until(&self) -> DateTime<Utc> {
        let State::Leased { until_ms, .. } = self.state else { return DateTime::UNIX_EPOCH };
        let until = DateTime::from_timestamp_millis(until_ms).unwrap_or_default();
        until + TimeDelta::microseconds(i64::from(self.leases % 1_000))
    }

    fn has(&self, holder: &str, lease: &Lease) -> bool {
        self.is_held_by(holder)
            && (self.attempts, self.leased_until()) == (lease.attempt, lease.until)
    }

    fn is_held_by(&self, who: &str) -> bool {
        matches!(&self.state, State::Leased { holder, .. } if holder == who)
    }

    /// True if its trigger is disabled; a retraction goes on.
    pub(crate) fn is_held_by_rule(&self, rules: &BTreeMap<TriggerId, Rule>) -> bool {
        let rule = rules.get(&self.decided.trigger.0);
        self.retracts.is_none() && rule.is_some_and(|rule| rule.state == RuleState::Disabled)
    }

    fn waits(&self) -> bool {
        matches!(self.state, State::Pending | State::Held)
    }

    fn becomes_due(&mut self, at_ms: i64) {
        (self.state, self.due_ms, self.pushed_ms) = (State::Pending, at_ms, None);
    }
}

/// All jobs and what came of their attempts.
#[derive(Clone, Debug, Default)]
pub struct Jobs {
    /// Each job by its id.
    pub by_id: BTreeMap<JobId, Job>,
    /// How each attempt ended.
    pub results: BTreeMap<(JobId, i32), Outcome>,
}

impl Jobs {
    /// Adds what is not there yet, or was cancelled because its event had been deleted, which is
    /// there again, and what nobody was told of before that; it counts as pushed.
    pub fn add(&mut self, shard: ChainId, triggers_revision: i64, jobs: &[NewJob], now_ms: i64) {
        for decided in jobs {
            let job = self.by_id.entry(decided.id).or_insert_with(|| Job {
                decided: decided.clone(),
                retracts: None,
                shard,
                triggers_revision,
                state: State::Pending,
                attempts: 0,
                leases: 0,
                due_ms: now_ms,
                pushed_ms: Some(now_ms),
                created_ms: now_ms,
            });
            let is_wanted_again = match job.state {
                State::Cancelled("event deleted") => true,
                State::Cancelled("event invalidated") => job.attempts == 0,
                _ => false,
            };
            if is_wanted_again {
                (job.state, job.due_ms, job.pushed_ms) = (State::Pending, now_ms, Some(now_ms));
            }
        }
    }

    /// Cancels what waits for revisions of an event below the number given.
    pub fn cancel_superseded(&mut self, event: &EventName, below: i32) {
        self.cancel("event invalidated", |job| {
            job.decided.event == *event && job.decided.revision < below
        });
    }

    /// Cancels what is pending of a trigger that is removed; the release cancels what is held.
    pub fn cancel_of(&mut self, trigger: TriggerId) {
        self.cancel("trigger removed", |job| {
            job.state == State::Pending && job.decided.trigger.0 == trigger
        });
    }

    fn cancel(&mut self, why: &'static str, which: impl Fn(&Job) -> bool) {
        let waiting = |job: &&mut Job| job.waits() && job.retracts.is_none();
        for job in self.by_id.values_mut().filter(waiting).filter(|job| which(job)) {
            job.state = State::Cancelled(why);
        }
    }

    /// The leases that `holder` has on some jobs.
    pub fn leases_of(&self, holder: &str, ids: &[JobId]) -> Vec<Lease> {
        let jobs = ids.iter().filter_map(|id| self.by_id.get(id));
        jobs.filter(|job| job.is_held_by(holder)).map(Job::lease).collect()
    }

    /// Gives leases back, and their attempts with them.
    pub fn give_back(&mut self, holder: &str, back: &[(Lease, Duration)], now_ms: i64) {
        for (lease, delay) in back {
            let Some(job) = self.by_id.get_mut(&lease.id) else { continue };
            if job.has(holder, lease) {
                job.attempts -= 1;
                job.becomes_due(now_ms + millis(*delay));
            }
        }
    }

    /// Records attempts and moves their jobs on.
    pub fn finish(&mut self, holder: &str, attempts: &[AttemptRecord], now_ms: i64) {
        for attempt in attempts {
            let Some(job) = self.by_id.get_mut(&attempt.lease.id) else { continue };
            let unfinished = job.waits() || matches!(job.state, State::Dead(_));
            let late = unfinished
                && attempt.disposition == Disposition::Delivered
                && job.attempts == attempt.lease.attempt;
            if job.has(holder, &attempt.lease) || late {
                match &attempt.disposition {
                    Disposition::Delivered => job.state = State::Delivered,
                    Disposition::Retry(delay) => job.becomes_due(now_ms + millis(*delay)),
                    Disposition::Dead(why) => job.state = State::Dead(why.clone()),
                }
            }
            let result = self.results.entry((attempt.lease.id, attempt.lease.attempt));
            let result = result.or_insert(attempt.attempt.outcome);
            if *result == Outcome::Lost {
                *result = attempt.attempt.outcome;
            }
        }
    }

    /// When anything was pushed last, by the database's clock.
    pub fn latest_push_ms(&self) -> i64 {
        self.by_id.values().filter_map(|job| job.pushed_ms).max().unwrap_or_default()
    }

    /// Leases that ran out.
    pub fn expired(&self, leases_max: usize, now_ms: i64) -> Vec<Expired> {
        let expired = self.by_id.values().filter_map(|job| match &job.state {
            State::Leased { holder, until_ms } if *until_ms < now_ms => Some(Expired {
                lease: job.lease(),
                holder: holder.clone(),
                action_type: Some("webhook".to_owned()),
                retry: None,
            }),
            _ => None,
        });
        expired.take(leases_max).collect()
    }

    /// Hands out what is due and was not pushed for so long.
    pub fn unpushed(&mut self, unpushed_for: Duration, jobs_max: usize, now_ms: i64) -> Vec<JobId> {
        let lately_ms = now_ms - millis(unpushed_for);
        let due = self.by_id.values_mut().filter(|job| {
            let pushed_lately = job.pushed_ms.is_some_and(|pushed_ms| pushed_ms >= lately_ms);
            job.state == State::Pending && job.due_ms <= now_ms && !pushed_lately
        });
        let due = due.take(jobs_max).map(|job| {
            job.pushed_ms = Some(now_ms);
            job.decided.id
        });
        due.collect()
    }
}

impl Database {
    /// Retracts those of these jobs of which an attempt has begun, none is under way, and whose
    /// event was taken back.
    pub fn retract(&mut self, jobs: &[JobId], now_ms: i64) {
        for id in jobs {
            let Some(job) = self.judged.jobs.by_id.get_mut(id) else { continue };
            let is_leased = matches!(job.state, State::Leased { .. });
            let row = self.rows.get(&job.decided.event);
            let is_taken_back =
                row.is_some_and(|row| row.invalidated || row.revision > job.decided.revision);
            let retraction = JobId::of_retraction(*id);
            if job.retracts.is_some() || job.attempts == 0 || is_leased || !is_taken_back {
                continue;
            }
            let written = Job {
                decided: NewJob { id: retraction, ..job.decided.clone() },
                retracts: Some(*id),
                shard: job.shard,
                triggers_revision: job.triggers_revision,
                state: State::Pending,
                attempts: 0,
                leases: 0,
                due_ms: now_ms,
                pushed_ms: None,
                created_ms: now_ms,
            };
            if job.waits() {
                job.state = State::Cancelled("event invalidated");
            }
            self.judged.jobs.by_id.entry(retraction).or_insert(written);
        }
    }

    /// Releases the held jobs of triggers that are not disabled any more, and cancels those of
    /// removed ones.
    pub fn release(&mut self, now_ms: i64) -> u64 {
        let rules = &self.triggers.rules;
        let is_free = |job: &&mut Job| job.state == State::Held && !job.is_held_by_rule(rules);
        let mut released = 0;
        for job in self.judged.jobs.by_id.values_mut().filter(is_free) {
            let rule = rules.get(&job.decided.trigger.0);
            if rule.is_some_and(|rule| rule.state == RuleState::Removed) && job.retracts.is_none() {
                job.state = State::Cancelled("trigger removed");
            } else {
                job.becomes_due(now_ms);
            }
            released += 1;
        }
        if released > 0 {
            self.flush();
        }
        released
    }

    /// Leases what is due, waiting and wanted; cancels what is not wanted.
    pub fn take(
        &mut self,
        holder: &str,
        ids: &[JobId],
        duration: Duration,
        now_ms: i64,
    ) -> Vec<Lease> {
        let mut leases = Vec::new();
        let mut wrote = false;
        for id in ids {
            let Some(job) = self.judged.jobs.by_id.get_mut(id) else { continue };
            if !job.waits() || job.due_ms > now_ms {
                continue;
            }
            wrote = true;
            let rule = self.triggers.rules.get(&job.decided.trigger.0);
            let unwanted = match self.rows.get(&job.decided.event) {
                _ if job.retracts.is_some() => None,
                None => Some("event deleted"),
                Some(row) if row.invalidated || row.revision != job.decided.revision => {
                    Some("event invalidated")
                }
                Some(_) if rule.is_some_and(|rule| rule.state == RuleState::Removed) => {
                    Some("trigger removed")
                }
                Some(_) => None,
            };
            if let Some(why) = unwanted {
                job.state = State::Cancelled(why);
                continue;
            }
            if job.is_held_by_rule(&self.triggers.rules) {
                job.state = State::Held;
                continue;
            }
            let until_ms = now_ms + millis(duration);
            job.state = State::Leased { holder: holder.to_owned(), until_ms };
            job.attempts += 1;
            job.leases += 1;
            leases.push(job.lease());
        }
        if wrote {
            self.flush();
        }
        leases
    }
}

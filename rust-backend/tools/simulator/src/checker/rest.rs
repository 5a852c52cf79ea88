//! When nothing goes wrong any more: is everything done, and does every job tell its history?

use event_engine::delivery::lease::Outcome;
use event_engine::event::ChainId;
use event_engine::job::JobId;
use event_engine::log::Position;

use super::leasing::Leasing;
use crate::actors::receiver::Receivers;
use crate::store::{Database, Job, RuleState, State};

/// Work that is left.
#[derive(Debug)]
pub enum Left<'a> {
    /// A shard has entries behind its cursor.
    Entries(ChainId, Position),
    /// A job has not ended.
    Job(&'a Job),
}

/// What is left to do, if anything is.
pub(super) fn left(database: &Database) -> Option<Left<'_>> {
    for (shard, entries) in database.log.shards() {
        let cursor = database.cursor(shard);
        if entries.last_key_value().is_some_and(|(position, _)| *position > cursor) {
            return Some(Left::Entries(shard, cursor));
        }
    }
    let mut jobs = database.judged.jobs.by_id.values();
    let rules = &database.triggers.rules;
    let open = jobs.find(|job| match job.state {
        State::Pending | State::Leased { .. } => true,
        State::Held => !job.is_held_by_rule(rules),
        State::Delivered | State::Cancelled(_) | State::Dead(_) => false,
    });
    open.map(Left::Job)
}

/// A job that is due waits no longer than this once nothing goes wrong any more: for the sweep, for
/// its push to count as old, and for a batch before it.
const LATE_MS: i64 = 5_000;

/// Every job that is due has begun soon.
pub(super) fn nothing_is_late(
    database: &Database,
    calm_since_ms: i64,
    now_ms: i64,
) -> Result<(), String> {
    let late = database.judged.jobs.by_id.values().find(|job| {
        job.state == State::Pending && now_ms - job.due_ms.max(calm_since_ms) > LATE_MS
    });
    late.map_or(Ok(()), |job| Err(format!("a job is due and nobody begins it: {job:?}")))
}

/// Every job ended as it should, with a result for each of its attempts.
pub(super) fn settled(
    database: &Database,
    receivers: &Receivers,
    leasing: &Leasing,
) -> Result<(), String> {
    if let Some(left) = left(database) {
        return Err(format!("something is left to do: {left:?}"));
    }
    for job in database.judged.jobs.by_id.values() {
        ended_rightly(database, receivers, job)?;
        is_retracted_if_taken_back(database, job)?;
        let id = job.decided.id;
        let messages = receivers.messages_of(id);
        if messages > leasing.attempts_of(id) {
            return Err(format!("{messages} messages of {job:?}"));
        }
        let untold =
            (1..=job.attempts).find(|it| !database.judged.jobs.results.contains_key(&(id, *it)));
        if let Some(attempt) = untold {
            return Err(format!("attempt {attempt} has no result: {job:?}"));
        }
    }
    Ok(())
}

/// Whoever may have been told of what was taken back is told so, and nobody else.
fn is_retracted_if_taken_back(database: &Database, job: &Job) -> Result<(), String> {
    let jobs = &database.judged.jobs.by_id;
    let Some(retracted) = job.retracts else {
        let row = database.rows.get(&job.decided.event);
        let is_taken_back =
            row.is_some_and(|row| row.invalidated || row.revision > job.decided.revision);
        let retraction = JobId::of_retraction(job.decided.id);
        if job.attempts > 0 && is_taken_back && !jobs.contains_key(&retraction) {
            return Err(format!("a job was taken back and is not retracted: {job:?}"));
        }
        return Ok(());
    };
    let later = (job.decided.event.clone(), job.decided.revision + 1);
    let was_taken_back = database.history.contains_key(&later);
    match jobs.get(&retracted) {
        Some(told) if told.attempts > 0 && was_taken_back => Ok(()),
        told => Err(format!("nothing is to be retracted of {told:?}: {job:?}")),
    }
}

fn ended_rightly(database: &Database, receivers: &Receivers, job: &Job) -> Result<(), String> {
    let id = job.decided.id;
    let result = |attempt| database.judged.jobs.results.get(&(id, attempt));
    let delivered = (1..=job.attempts).any(|it| result(it) == Some(&Outcome::Delivered));
    let row = database.rows.get(&job.decided.event);
    let stands = row.is_some_and(|row| !row.invalidated && row.revision == job.decided.revision);
    let rule = database.triggers.rules.get(&job.decided.trigger.0);
    let was_removed =
        rule.is_some_and(|rule| rule.removals > 0 || rule.state == RuleState::Removed);
    let right = match &job.state {
        State::Delivered => delivered && receivers.messages_of(id) > 0,
        State::Cancelled("event deleted") => row.is_none(),
        State::Cancelled("event invalidated") => !stands,
        State::Cancelled("trigger removed") => was_removed,
        State::Held => job.is_held_by_rule(&database.triggers.rules) && (stands || row.is_none()),
        // An earlier attempt may have been reported as delivered after this one began.
        State::Dead(_) => result(job.attempts).is_some_and(|last| *last != Outcome::Delivered),
        State::Cancelled(_) | State::Pending | State::Leased { .. } => false,
    };
    if right { Ok(()) } else { Err(format!("a job should not have ended so: {job:?}")) }
}

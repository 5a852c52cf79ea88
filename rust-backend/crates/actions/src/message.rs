//! A message before its kind gives it a form.

use chrono::{DateTime, Utc};
use event_engine::delivery::lease::{LeasedJob, Reinclusion, Reorg};
use event_engine::event::Event;
use event_engine::finality::Finality;
use event_engine::job::JobId;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// A message about one event.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its id, equal over all attempts, so that a receiver knows a repetition.
    pub id: JobId,
    /// When the job was created: equal over its attempts.
    pub timestamp: DateTime<Utc>,
    /// Its reason.
    pub purpose: Purpose<'a>,
    /// The trigger that matched.
    pub trigger: TriggerName<'a>,
    /// The event that it matched.
    pub event: EventRow<'a>,
    /// The trigger's finality as it is written: `instant`, a number of confirmations, `safe` or
    /// `finalized`.
    pub finality: Finality,
    /// The readings of the condition's stateful functions, a JSON object. `None`: the condition has
    /// no such function.
    pub state: Option<&'a RawValue>,
    /// The same transaction's event in another block: before a reorg for a match, after it for a
    /// retraction.
    pub reincluded: Option<&'a Reinclusion>,
}

/// The reason of a message.
#[derive(Clone, Copy, Debug)]
pub enum Purpose<'a> {
    /// The event matches.
    Match,
    /// An earlier message is not true any more.
    Retraction {
        /// The job of that message.
        retracts: JobId,
        /// The reorg that replaced the event's block.
        reorg: &'a Reorg,
    },
    /// A person tries the action with an event that need not exist.
    Test,
}

/// A trigger and the version that matched.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TriggerName<'a> {
    /// For life.
    pub id: Uuid,
    /// Unique in its account.
    pub name: &'a str,
    /// Rises with each change of its definition.
    pub version: i32,
}

/// A row of `events`: the engine's event, and the columns that it does not need.
#[derive(Clone, Copy, Debug)]
pub struct EventRow<'a> {
    /// The event as it was judged.
    pub event: &'a Event,
    /// When it was inserted.
    pub created_at: DateTime<Utc>,
    /// Data of the raw log, where no decoder knew it.
    pub log_data: Option<&'a str>,
}

impl<'a> Message<'a> {
    /// The message of a job.
    pub fn of(assignment: &'a LeasedJob) -> Self {
        let lease = &assignment.lease;
        let retracts = lease.retracts.zip(assignment.reorg.as_ref());
        Self {
            id: lease.id,
            timestamp: lease.created_at,
            purpose: retracts.map_or(Purpose::Match, |(retracts, reorg)| Purpose::Retraction {
                retracts,
                reorg,
            }),
            trigger: TriggerName {
                id: lease.trigger.0.0,
                name: &assignment.trigger_name,
                version: lease.trigger.1,
            },
            event: EventRow {
                event: &assignment.event,
                created_at: assignment.event_created_at,
                log_data: assignment.log_data.as_deref(),
            },
            finality: assignment.finality,
            state: assignment.readings.as_deref(),
            reincluded: assignment.reincluded.as_ref(),
        }
    }
}

//! Leases: one worker's hold on a job for a while, and the result of its attempt.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::delivery::destination::DestinationId;
use crate::delivery::retry::RetrySchedule;
use crate::event::{Event, EventName};
use crate::finality::Finality;
use crate::job::JobId;
use crate::trigger::TriggerId;
use crate::trigger::config::ConfigNode;

/// A worker's hold on a job until the lease runs out. Its attempt has begun.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The job.
    pub id: JobId,
    /// The number of this lease's attempt, from 1.
    pub attempt: i32,
    /// The end of the lease, by the store's clock. No two leases of a job have the same, although
    /// the next one after a lease that was given back has its number.
    pub until: DateTime<Utc>,
    /// Attempts before the retry schedule began anew; 0: it has begun once.
    pub schedule_from: i32,
    /// The trigger that matched, and its version.
    pub trigger: (TriggerId, i32),
    /// The action to take, and the version of its configuration.
    pub action: (String, i32),
    /// The event that matched.
    pub event: EventName,
    /// The revision of the event that was judged.
    pub revision: i32,
    /// Time of the decision: the `timestamp` of every attempt's body.
    pub created_at: DateTime<Utc>,
    /// Since when it has been wanted without a hold: its decision, or the end of the latest hold.
    pub wanted_since: DateTime<Utc>,
    /// The job that it retracts; `None` for a match.
    pub retracts: Option<JobId>,
}

impl Lease {
    /// Attempts since the retry schedule began, this one included.
    pub fn attempts_of_schedule(&self) -> u32 {
        u32::try_from(self.attempt.saturating_sub(self.schedule_from)).unwrap_or(u32::MAX)
    }
}

/// A place in the walk through the held jobs: one destination and trigger, its matches or its
/// retractions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldSet {
    /// The destination's id.
    pub destination: DestinationId,
    /// The trigger.
    pub trigger: TriggerId,
    /// True for its retractions.
    pub is_retraction: bool,
}

/// A step of the walk through the held jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Jobs that do not wait any more: due, or cancelled with their trigger.
    pub jobs: u64,
    /// The set behind which the next step begins; `None`: the first set of all.
    pub next: Option<HeldSet>,
}

/// The reorg that invalidated an event, as far as it was known when the retraction was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reorg {
    /// The height of the last block that stayed.
    pub fork_block: Option<i64>,
    /// The hash of the event's block, which is gone.
    pub old_hash: String,
    /// The hash of the block that has its height now.
    pub new_hash: Option<String>,
}

/// The same log in another block, after a reorg re-included its transaction. On a match: the
/// invalidated one before it. On a retraction: the current one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reinclusion {
    /// The job that reported it by the same action; `None` if no receiver was told.
    pub webhook_id: Option<Uuid>,
    /// Its id, which together with `timestamp` is its name.
    pub id: String,
    /// Its block's time, unix seconds.
    pub timestamp: i64,
    /// The event's revision in that block.
    pub revision: i32,
    /// Its block's height.
    pub block_number: i64,
    /// Its block's hash.
    pub block_hash: String,
}

/// A leased job, with its event and action.
#[derive(Clone, Debug)]
pub struct LeasedJob {
    /// The lease.
    pub lease: Lease,
    /// The name of its trigger.
    pub trigger_name: String,
    /// The finality of the version that matched.
    pub finality: Finality,
    /// The name of the action's kind.
    pub action_type: String,
    /// The action's own retry schedule; `None`: the one of all actions.
    pub retry: Option<RetrySchedule>,
    /// The kind's own keys, or the reason why the stored ones cannot be read.
    pub config: Result<ConfigNode, String>,
    /// The event, as it was at the revision that matched.
    pub event: Event,
    /// Time of its insertion; the epoch if that does not lie between the epoch and the year 9999.
    pub event_created_at: DateTime<Utc>,
    /// Data of the raw log.
    pub log_data: Option<String>,
    /// The readings of the trigger's state at the event: a JSON object.
    pub readings: Option<Box<RawValue>>,
    /// Of a retraction, the reorg of the event's block.
    pub reorg: Option<Reorg>,
    /// The same log in another block, as far as it was known when the job was written.
    pub reincluded: Option<Reinclusion>,
}

/// The rows loaded for some leases.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The leased jobs, without those whose event has changed or gone since, and jobs that
    /// exceeded the limit of one load.
    pub jobs: Vec<LeasedJob>,
    /// Leases whose rows cannot be decoded, each with the reason.
    pub unreadable: Vec<(Lease, String)>,
}

/// The result of one attempt to act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its meaning for the job.
    pub outcome: Outcome,
    /// From the first look at the destination to the end of the answer; `None` if it was lost.
    pub duration: Option<Duration>,
    /// The receiver's HTTP status, if it gave one.
    pub http_status: Option<u16>,
    /// The reason of a failure, in a short sentence on one line: without secrets, and without the
    /// path and query of a URL. `None` if it was delivered.
    pub error: Option<String>,
    /// The beginning of the receiver's answer, hostile text without NUL.
    pub response: Option<String>,
}

/// The meaning of an attempt's result for its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Delivered,
    /// It failed, and may succeed later.
    Retryable {
        /// The pause that the receiver asked for.
        retry_after: Option<Duration>,
    },
    /// It failed, and no later attempt will differ.
    Permanent,
    /// The worker ended before it could say.
    Lost,
}

impl Outcome {
    /// The text of `action_results.status`.
    pub fn status(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retryable { .. } | Self::Permanent => "failed",
            Self::Lost => "lost",
        }
    }
}

/// An attempt that ended and its consequence for the job, recorded in one transaction.
#[derive(Clone, Debug)]
pub struct AttemptRecord {
    /// The lease it was made under.
    pub lease: Lease,
    /// The kind of action.
    pub action_type: String,
    /// Its result.
    pub attempt: Attempt,
    /// Its consequence.
    pub disposition: Disposition,
}

/// The consequence of an attempt for its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The job is delivered.
    Delivered,
    /// The job is due again after this time.
    Retry(Duration),
    /// The job is dead, for this reason.
    Dead(String),
}

/// A lease that ran out: its worker is gone or stuck.
#[derive(Clone, Debug)]
pub struct Expired {
    /// The lease.
    pub lease: Lease,
    /// The worker that held it.
    pub holder: String,
    /// The kind of action, if its configuration is still there.
    pub action_type: Option<String>,
    /// The action's own retry schedule; `None`: the one of all actions.
    pub retry: Option<RetrySchedule>,
}

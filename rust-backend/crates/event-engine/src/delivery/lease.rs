//! Leases: one worker's hold on a job for a while, and the result of its attempt.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::event::{Event, EventName};
use crate::finality::Finality;
use crate::job::JobId;
use crate::trigger::TriggerId;
use crate::trigger::action::ActionConfig;

/// A worker's hold on a job until the lease runs out. Its attempt has begun.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The job.
    pub id: JobId,
    /// The number of this lease's attempt, from 1.
    pub attempt: i32,
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
    /// The job that it retracts; `None` for a match.
    pub retracts: Option<JobId>,
}

/// The reorg that invalidated an event, as far as it was known when the retraction was written.
#[derive(Clone, Debug, PartialEq, Eq)]
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
pub struct OtherInclusion {
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
pub struct Assignment {
    /// The lease.
    pub lease: Lease,
    /// The name of its trigger.
    pub trigger_name: String,
    /// The finality of the version that matched.
    pub finality: Finality,
    /// The kind of action, as it is stored.
    pub action_type: String,
    /// The action's configuration, or the reason why the stored one is invalid.
    pub action: Result<ActionConfig, String>,
    /// The event, as it was at the revision that matched.
    pub event: Event,
    /// Time of its insertion; the epoch if that does not lie between the epoch and the year 9999.
    pub event_created_at: DateTime<Utc>,
    /// Topics of the raw log; `None` if they are not a list of texts.
    pub topics: Option<Vec<String>>,
    /// Data of the raw log.
    pub log_data: Option<String>,
    /// The readings of the trigger's state at the event: a JSON object.
    pub readings: Option<Box<RawValue>>,
    /// Of a retraction, the reorg of the event's block.
    pub reorg: Option<Reorg>,
    /// The same log in another block, as far as it was known when the job was written.
    pub reincluded: Option<OtherInclusion>,
}

/// The rows loaded for some leases.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The leased jobs, without those whose event has changed or gone since, and jobs that
    /// exceeded the limit of one load.
    pub assignments: Vec<Assignment>,
    /// Leases whose rows cannot be decoded, each with the reason.
    pub unreadable: Vec<(Lease, String)>,
}

/// The consequence of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver accepted it: the job is delivered.
    Delivered,
    /// It failed: the job is due again after this time.
    Retry(Duration),
    /// It failed for the last time, for this reason: the job is dead.
    Dead(String),
}

/// The record of an attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The lease it was made under.
    pub lease: Lease,
    /// The kind of action.
    pub action_type: String,
    /// `delivered`, `failed` or `lost`.
    pub status: AttemptStatus,
    /// The consequence.
    pub outcome: Outcome,
    /// Its duration.
    pub duration: Option<Duration>,
    /// The receiver's HTTP status.
    pub http_status: Option<u16>,
    /// The failure, in a sentence.
    pub error: Option<String>,
    /// The beginning of the receiver's answer.
    pub response: Option<String>,
}

/// The result of an attempt, as stored in `action_results.status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptStatus {
    /// The receiver accepted it.
    Delivered,
    /// The receiver did not accept it.
    Failed,
    /// The worker ended before it could record a result.
    Lost,
}

impl AttemptStatus {
    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }
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
}

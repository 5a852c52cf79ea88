//! A lease: a job that is one worker's for a while, and what came of the attempt it was taken for.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::event::{Event, EventName};
use crate::finality::Finality;
use crate::job::JobId;
use crate::trigger::TriggerId;
use crate::trigger::config::ConfigNode;

/// A job that is ours until its lease runs out. Its attempt has begun.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The job.
    pub id: JobId,
    /// The attempt that this lease is, from 1.
    pub attempt: i32,
    /// The trigger that matched, and the version that did.
    pub trigger: (TriggerId, i32),
    /// The action to take, and the version of its configuration.
    pub action: (String, i32),
    /// The event that matched.
    pub event: EventName,
    /// The revision of the event that was judged.
    pub revision: i32,
    /// When it was decided: the `timestamp` of every attempt's body.
    pub created_at: DateTime<Utc>,
    /// The job that it retracts; `None`: it tells of a match.
    pub retracts: Option<JobId>,
}

/// How the chain took an event back, as far as it was known when the retraction was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reorg {
    /// The height of the last block that stayed.
    pub fork_block: Option<i64>,
    /// The hash of the event's block, which is gone.
    pub old_hash: String,
    /// The hash of the block that has its height now.
    pub new_hash: Option<String>,
}

/// A transaction's event as it was, or is, in another block, named by what this is the link from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherInclusion {
    /// The job that told of it by the same action; `None`: nobody was told.
    pub webhook_id: Option<Uuid>,
    /// With `timestamp` its name.
    pub id: String,
    /// Its block's time, unix seconds.
    pub timestamp: i64,
    /// At which it was true, or is.
    pub revision: i32,
    /// Its block's height.
    pub block_number: i64,
    /// Its block.
    pub block_hash: String,
}

/// A leased job and what it is about.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The lease.
    pub lease: Lease,
    /// The name of its trigger.
    pub trigger_name: String,
    /// The finality of the version that matched.
    pub finality: Finality,
    /// The name of the action's kind.
    pub action_type: String,
    /// The kind's own keys, or the reason why they cannot be read.
    pub config: Result<ConfigNode, String>,
    /// The event, as it was at the revision that matched.
    pub event: Event,
    /// When it was inserted; the epoch if that is no time between it and the year 9999.
    pub event_created_at: DateTime<Utc>,
    /// Topics of the raw log; none if they are not a list of texts.
    pub topics: Option<Vec<String>>,
    /// Data of the raw log.
    pub log_data: Option<String>,
    /// What the trigger's state said of the event: a JSON object.
    pub readings: Option<Box<RawValue>>,
    /// A retraction: what became of the event's block.
    pub reorg: Option<Reorg>,
    /// Of a match, what its transaction's event was in a block that was taken back; of a
    /// retraction, what it is in the block that includes it now. As far as it was known when the
    /// job was written.
    pub reincluded: Option<OtherInclusion>,
}

/// What was loaded for some leases.
#[derive(Debug, Default)]
pub struct Loaded {
    /// A lease whose event has changed or gone since has none, nor one for which there was no room
    /// beside the others.
    pub assignments: Vec<Assignment>,
    /// Leases whose rows do not read, and why.
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
    /// Who had it.
    pub holder: String,
    /// The kind of action, if its configuration is still there.
    pub action_type: Option<String>,
}

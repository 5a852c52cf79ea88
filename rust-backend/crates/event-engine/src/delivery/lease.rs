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
use crate::trigger::action::ActionConfig;

/// A job that is ours until its lease runs out. Its attempt has begun.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The job.
    pub id: JobId,
    /// The attempt that this lease is, from 1.
    pub attempt: i32,
    /// Attempts before the retry schedule began anew; 0: it has begun once.
    pub schedule_from: i32,
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

impl Lease {
    /// Attempts since the retry schedule began, this one included.
    pub fn attempts_of_schedule(&self) -> u32 {
        u32::try_from(self.attempt.saturating_sub(self.schedule_from)).unwrap_or(u32::MAX)
    }
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
    /// The kind of action, as it is stored.
    pub action_type: String,
    /// Where it goes, and how; or why the stored configuration does not read.
    pub action: Result<ActionConfig, String>,
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

/// What comes after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it: the job is delivered.
    Delivered,
    /// It failed: the job is due again after this time.
    Retry(Duration),
    /// It failed for the last time, for this reason: the job is dead.
    Dead(String),
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The lease it was made under.
    pub lease: Lease,
    /// The kind of action.
    pub action_type: String,
    /// `delivered`, `failed` or `lost`.
    pub status: AttemptStatus,
    /// What comes next.
    pub outcome: Outcome,
    /// How long it took.
    pub duration: Option<Duration>,
    /// The receiver's HTTP status.
    pub http_status: Option<u16>,
    /// What went wrong, in a sentence.
    pub error: Option<String>,
    /// The beginning of what the receiver answered.
    pub response: Option<String>,
}

/// How an attempt ended, as `action_results.status` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptStatus {
    /// The receiver took it.
    Delivered,
    /// It did not.
    Failed,
    /// The worker ended before it could say.
    Lost,
}

impl AttemptStatus {
    /// As it is stored.
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
    /// Who had it.
    pub holder: String,
    /// The kind of action, if its configuration is still there.
    pub action_type: Option<String>,
}

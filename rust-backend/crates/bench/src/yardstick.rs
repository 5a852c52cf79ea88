//! The yardstick: the design that ours grew from, built as it was written down. A connection that
//! listens, a task for each notification, a look at the event and at the triggers of its agent and
//! registry, and what matches is pushed into a Redis list. Neither helped nor hindered: its
//! look-ups have their indexes, its connections are pooled, its statements are prepared.

mod evaluate;
mod process;
mod schema;

use event_engine::event::EventName;
use event_engine::job::JobId;
use event_engine::trigger::TriggerId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) use self::process::main;
pub(crate) use self::schema::prepare;
use crate::load::ACTION;

/// The list in Redis.
pub(crate) const QUEUE: &str = "yardstick:jobs";

/// What is pushed for an action.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    trigger_id: Uuid,
    event_id: String,
    timestamp: i64,
    action: serde_json::Value,
    event: serde_json::Value,
}

/// The job as our own would be called, so that both are booked alike.
pub(crate) fn job_id(payload: &str) -> Option<JobId> {
    let job: Job = serde_json::from_str(payload).ok()?;
    let event = EventName { id: job.event_id, timestamp: job.timestamp };
    Some(JobId::of(TriggerId(job.trigger_id), ACTION, &event, 0))
}

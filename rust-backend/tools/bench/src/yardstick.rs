//! The yardstick: the design that ours grew from, built as it was written down. A connection that
//! listens, a task for each notification, a look at the event and at the triggers in force, and
//! what matches is pushed into a Redis list. Neither helped nor hindered: its look-ups have their
//! indexes, its connections are pooled, its statements are prepared.
//!
//! The design leaves open how triggers are found; [`Reading`] says in which two ways it is read.

mod by_agent;
mod by_registry;
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

/// How an event's triggers are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As it stands there, and as its authors built it: all triggers of the event's chain and
    /// registry are loaded with their conditions and actions, and each is evaluated. The agent is
    /// one of the conditions.
    Design,
    /// The kindest reading of it: the triggers of the event's agent and those of every agent, by
    /// one look-up through an index.
    ByAgent,
}

impl std::fmt::Display for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Design => "yardstick",
            Self::ByAgent => "yardstick, by agent",
        })
    }
}

/// What is pushed for an action.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    trigger_id: Uuid,
    event_id: String,
    timestamp: i64,
    action: serde_json::Value,
}

/// The job as our own would be called, so that both are booked alike.
pub(crate) fn job_id(payload: &str) -> Option<JobId> {
    let job: Job = serde_json::from_str(payload).ok()?;
    let event = EventName { id: job.event_id, timestamp: job.timestamp };
    Some(JobId::of(TriggerId(job.trigger_id), ACTION, &event, 0))
}

#[cfg(test)]
mod tests;

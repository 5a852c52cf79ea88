//! The yardstick: the seed document's design, built as it was written down. A connection listens, a
//! task for each notification reads the event and the triggers in force, and pushes matches into a
//! Redis list. Neither favoured nor handicapped: its lookups are indexed, its connections pooled,
//! its statements prepared.
//!
//! The design leaves open how triggers are found; [`Reading`] has two interpretations.

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

/// The way to find an event's triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The literal one, and that of its authors' code: loads all triggers of the event's chain and
    /// registry with their conditions and actions, and evaluates each. The agent is one of the
    /// conditions.
    Design,
    /// The most favourable one: a single indexed lookup finds the triggers of the event's agent and
    /// those of every agent.
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

/// The payload for an action.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    trigger_id: Uuid,
    event_id: String,
    timestamp: i64,
    action: serde_json::Value,
}

/// The id that our own job would have, so that both are recorded alike.
pub(crate) fn job_id(payload: &str) -> Option<JobId> {
    let job: Job = serde_json::from_str(payload).ok()?;
    let event = EventName { id: job.event_id, timestamp: job.timestamp };
    Some(JobId::of(TriggerId(job.trigger_id), ACTION, &event, 0))
}

#[cfg(test)]
mod tests;

//! A job: one action to take for one match.

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::event::EventName;
use crate::trigger::TriggerId;

/// The name of a job everywhere, and the `webhook-id` that its receiver sees.
///
/// It is a function of (trigger, action, event, revision): deciding twice gives the same id, and
/// every attempt carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub Uuid);

impl JobId {
    /// Names the job of `action` for one revision of an event.
    pub fn of(trigger: TriggerId, action: &str, event: &EventName, revision: i32) -> Self {
        let parts: [&[u8]; 5] = [
            trigger.0.as_bytes(),
            action.as_bytes(),
            event.id.as_bytes(),
            &event.timestamp.to_be_bytes(),
            &revision.to_be_bytes(),
        ];
        Self(stable_id("agentauri job", &parts))
    }

    /// Names the retraction of a job. A job has one, found due by any process.
    pub fn of_retraction(retracted: Self) -> Self {
        Self(stable_id("agentauri retraction", &[retracted.0.as_bytes()]))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A UUID of version 8 (RFC 9562) from a SHA-256 over length-prefixed parts: strangers choose the
/// ids of events, so neither a weak hash nor an ambiguous concatenation will do.
pub(crate) fn stable_id(kind: &str, parts: &[&[u8]]) -> Uuid {
    let mut hash = Sha256::new();
    for part in std::iter::once(&kind.as_bytes()).chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    Uuid::new_v8(bytes)
}

/// A job that a plan adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// The trigger that matched, and its version.
    pub trigger: (TriggerId, i32),
    /// The action to take, and the version of its configuration.
    pub action: (String, i32),
    /// The event that matched.
    pub event: EventName,
    /// The revision of the event that was judged.
    pub revision: i32,
    /// The event's transaction: an orphaned block may have included it before.
    pub transaction_hash: String,
    /// The readings of the trigger's state at the event: a JSON object. `None` where it has no
    /// state.
    pub readings: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str) -> EventName {
        EventName { id: id.to_owned(), timestamp: 1_700_000_000 }
    }

    #[test]
    fn a_jobs_id_is_the_same_on_every_machine_and_in_every_release() {
        let trigger = TriggerId::of("default", "low-score");
        let job = JobId::of(trigger, "hook", &event("1-0xaa-0"), 0);
        assert_eq!(trigger.to_string(), "bdfa27db-cb53-8cb0-bd44-79882abd2a57");
        assert_eq!(job.to_string(), "0b30b630-7616-8768-90e3-380429d0799e");
        let retraction = JobId::of_retraction(job);
        assert_eq!(retraction.to_string(), "74c1ccd0-764e-8dbe-a7d1-8e911862797b");
    }

    #[test]
    fn each_part_of_the_name_makes_another_job() {
        let trigger = TriggerId::of("default", "low-score");
        let ids = [
            JobId::of(trigger, "hook", &event("a"), 0),
            JobId::of(TriggerId::of("default", "other"), "hook", &event("a"), 0),
            JobId::of(trigger, "other", &event("a"), 0),
            JobId::of(trigger, "hook", &event("b"), 0),
            JobId::of(trigger, "hook", &EventName { timestamp: 1, ..event("a") }, 0),
            JobId::of(trigger, "hook", &event("a"), 1),
            JobId::of(trigger, "hooka", &event(""), 0),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.into_iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }
}

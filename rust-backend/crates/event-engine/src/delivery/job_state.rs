//! The state of a job.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The state of a job, as `jobs.state` has it. Ordered by name, as lists of counts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It is no longer wanted.
    Cancelled,
    /// Its receiver did not take it, and no attempt is left.
    Dead,
    /// Its receiver took it.
    Delivered,
    /// It was stale before its receiver took it.
    Expired,
    /// Its destination is held or its trigger disabled: it waits, and is not lost.
    Held,
    /// A worker holds its lease.
    Leased,
    /// Its next attempt is due, or will be.
    Pending,
}

impl JobState {
    /// All of them, in the order of a job's life.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Held,
        Self::Leased,
        Self::Delivered,
        Self::Cancelled,
        Self::Expired,
        Self::Dead,
    ];

    /// Its name in the store and in lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Expired => "expired",
            Self::Held => "held",
            Self::Leased => "leased",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
            Self::Dead => "dead",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text names no state of a job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a state of a job: pending, held, leased, delivered, cancelled, expired or dead"
)]
pub struct UnknownJobState(pub String);

impl FromStr for JobState {
    type Err = UnknownJobState;

    fn from_str(text: &str) -> Result<Self, UnknownJobState> {
        let named = Self::ALL.into_iter().find(|state| state.as_str() == text);
        named.ok_or_else(|| UnknownJobState(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_one_name_everywhere() {
        for state in JobState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            let json = serde_json::to_string(&state).expect("JSON");
            assert_eq!(json, format!("\"{state}\""));
        }
        assert_eq!("done".parse::<JobState>(), Err(UnknownJobState("done".to_owned())));
    }
}

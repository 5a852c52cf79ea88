//! The terms of an action's delivery, as its account wrote them: the pauses before its attempts,
//! and the time for which a message is worth an attempt.

use std::str::FromStr;
use std::time::Duration;

use crate::delivery::retry::{DELAY_MAX, RetrySchedule, parse_delay, written};

/// The least time after which a message may be stale: attempts begin within a second.
const EXPIRES_MIN: Duration = Duration::from_secs(1);

/// The terms of an action. `None`: as for all actions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryTerms {
    /// The pauses before its attempts.
    pub retry: Option<RetrySchedule>,
    /// The time from the decision after which no attempt of a match begins. A retraction never
    /// expires.
    pub expires: Option<Expiry>,
}

/// A time after which a message is stale: from 1 s to 7 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry(Duration);

/// A text is no such time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time from 1s to 7d, a whole number with ms, s, m, h or d")]
pub struct ExpiryError(String);

impl Expiry {
    /// The time.
    pub fn get(self) -> Duration {
        self.0
    }

    /// The same in milliseconds, as it is stored.
    pub fn millis(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }

    /// Reads a stored one.
    pub fn from_millis(stored: i64) -> Option<Self> {
        let time = Duration::from_millis(u64::try_from(stored).ok()?);
        (EXPIRES_MIN..=DELAY_MAX).contains(&time).then_some(Self(time))
    }
}

impl FromStr for Expiry {
    type Err = ExpiryError;

    fn from_str(text: &str) -> Result<Self, ExpiryError> {
        parse_delay(text)
            .filter(|time| (EXPIRES_MIN..=DELAY_MAX).contains(time))
            .map(Self)
            .ok_or_else(|| ExpiryError(text.to_owned()))
    }
}

impl std::fmt::Display for Expiry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&written(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_reads_what_it_writes_and_refuses_the_rest() {
        for text in ["1s", "1500ms", "10m", "7d"] {
            let expiry: Expiry = text.parse().expect(text);
            assert_eq!(expiry.to_string(), text);
            assert_eq!(Expiry::from_millis(expiry.millis()), Some(expiry));
        }
        for text in ["", "0s", "999ms", "8d", "10", "m", "-1s", "1.5h", "10 m"] {
            let refused = text.parse::<Expiry>().expect_err(text).to_string();
            assert!(refused.contains("from 1s to 7d"), "{refused}");
        }
        assert_eq!(Expiry::from_millis(-1), None);
    }
}

//! The goals, shown beside the figures. For two cores that run everything.

use serde::Serialize;

/// The bound of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

impl Goal {
    /// True if `value` is within the bound.
    pub fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "≤ {most}"),
            Self::AtLeast(least) => write!(f, "≥ {least}"),
        }
    }
}

use Goal::{AtLeast, AtMost};

/// (scenario, beginning of the case, figure, goal); the first match counts.
const GOALS: [(&str, &str, &str, Goal); 25] = [
    ("sustained", "row", "events_per_second", AtLeast(12_000.0)),
    ("sustained", "gated", "events_per_second", AtLeast(15_000.0)),
    ("sustained", "", "cpu_us_per_event", AtMost(60.0)),
    ("sustained", "", "times_the_yardstick", AtLeast(10.0)),
    ("sustained", "", "cpu_times_less_than_yardstick", AtLeast(6.0)),
    ("latency", "1000/s", "p50_ms", AtMost(2.0)),
    ("latency", "1000/s", "p99_ms", AtMost(10.0)),
    ("latency", "5000/s", "p50_ms", AtMost(4.0)),
    ("latency", "5000/s", "p99_ms", AtMost(20.0)),
    ("hypertable", "1000/s", "p50_ms", AtMost(4.0)),
    ("hypertable", "1000/s", "p99_ms", AtMost(15.0)),
    ("hypertable", "drain", "events_per_second", AtLeast(50_000.0)),
    ("drain", "", "events_per_second", AtLeast(50_000.0)),
    ("writers", "gated", "times_slower_than_none", AtMost(1.5)),
    ("writers", "gated", "times_slower_than_off", AtMost(1.25)),
    ("delivery", "", "webhooks_per_second", AtLeast(3_000.0)),
    ("matching", "1000000 ", "match_ns_per_event", AtMost(1_000.0)),
    ("matching", "1000000 ", "bytes_per_trigger", AtMost(200.0)),
    ("matching", "1000000 ", "ready_seconds", AtMost(10.0)),
    ("scale", "4 processes", "takeover_after_kill_ms", AtMost(2_000.0)),
    ("scale", "4 processes", "takeover_after_stop_ms", AtMost(2_000.0)),
    ("backfill", "", "events_per_second", AtLeast(10_000.0)),
    ("chain", "websocket", "p50_ms", AtMost(25.0)),
    ("chain", "websocket", "p99_ms", AtMost(100.0)),
    ("memory", "", "resident_mb_max", AtMost(150.0)),
];

/// The goal of a figure, if it has one. Cases to compare with have no goal: the yardstick, the
/// floor, Ponder, and a history from anvil.
pub(crate) fn of(scenario: &str, case: &str, figure: &str) -> Option<Goal> {
    if ["yardstick", "alone", "Ponder", "anvil"].iter().any(|other| case.contains(other)) {
        return None;
    }
    GOALS
        .iter()
        .find(|(of, begins, name, _)| {
            *of == scenario && case.starts_with(begins) && *name == figure
        })
        .map(|(_, _, _, goal)| *goal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_that_of_its_case_and_never_the_yardsticks() {
        assert_eq!(of("sustained", "gated", "events_per_second"), Some(AtLeast(15_000.0)));
        assert_eq!(of("latency", "1000/s row", "p99_ms"), Some(AtMost(10.0)));
        assert_eq!(of("latency", "100/s row", "p99_ms"), None);
        assert_eq!(of("sustained", "yardstick", "cpu_us_per_event"), None);
        assert_eq!(of("chain", "Ponder, websocket", "p50_ms"), None);
        assert_eq!(of("backfill", "anvil, chain-indexer", "events_per_second"), None);
        assert!(AtMost(2.0).is_met_by(2.0) && !AtLeast(2.0).is_met_by(1.9));
    }
}

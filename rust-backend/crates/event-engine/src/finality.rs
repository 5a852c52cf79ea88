//! The depth at which a trigger judges an event.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::event::ChainId;

/// The most confirmations that can be asked for: days of the fastest chain's blocks, deeper than
/// any reorg.
pub const CONFIRMATIONS_MAX: u32 = 1_000_000;

/// The moment at which a trigger judges an event.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(into = "String", try_from = "String")]
pub enum Finality {
    /// At once.
    #[default]
    Instant,
    /// When so many blocks stand on top of its own.
    Confirmations(u32),
    /// When its block is safe, as the chain's nodes say.
    Safe,
    /// When its block is finalized, as the chain's nodes say.
    Finalized,
}

/// A text that is no finality.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is unknown; it is `instant`, a number of confirmations from 1 to {CONFIRMATIONS_MAX}, \
     `safe` or `finalized`"
)]
pub struct UnknownFinality(String);

impl fmt::Display for Finality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instant => f.write_str("instant"),
            Self::Confirmations(count) => count.fmt(f),
            Self::Safe => f.write_str("safe"),
            Self::Finalized => f.write_str("finalized"),
        }
    }
}

impl FromStr for Finality {
    type Err = UnknownFinality;

    fn from_str(text: &str) -> Result<Self, UnknownFinality> {
        match text {
            "instant" => Ok(Self::Instant),
            "safe" => Ok(Self::Safe),
            "finalized" => Ok(Self::Finalized),
            _ => match text.parse() {
                Ok(count @ 1..=CONFIRMATIONS_MAX) if count.to_string() == text => {
                    Ok(Self::Confirmations(count))
                }
                _ => Err(UnknownFinality(text.to_owned())),
            },
        }
    }
}

impl From<Finality> for String {
    fn from(finality: Finality) -> Self {
        finality.to_string()
    }
}

impl TryFrom<String> for Finality {
    type Error = UnknownFinality;

    fn try_from(text: String) -> Result<Self, UnknownFinality> {
        text.parse()
    }
}

/// Heights of a chain, as its shard's log reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heights {
    /// The checkpoint. Without one only `instant` triggers judge.
    pub head: Option<i64>,
    /// The highest safe block, if a writer reports it.
    pub safe: Option<i64>,
    /// The highest finalized block, if a writer reports it.
    pub finalized: Option<i64>,
}

impl Heights {
    /// Applies a report. A checkpoint moves both ways. A negative height withdraws the reported
    /// one.
    pub fn report(&mut self, reported: Self) {
        let said = |before: Option<i64>, now: Option<i64>| {
            now.map_or(before, |height| (height >= 0).then_some(height))
        };
        self.head = said(self.head, reported.head);
        self.safe = said(self.safe, reported.safe);
        self.finalized = said(self.finalized, reported.finalized);
    }

    /// The higher of both, height by height.
    #[must_use]
    pub fn highest(self, other: Self) -> Self {
        Self {
            head: self.head.max(other.head),
            safe: self.safe.max(other.safe),
            finalized: self.finalized.max(other.finalized),
        }
    }

    /// The same heights, with safe and finalized as [`Heights::reached`] gives them.
    #[must_use]
    pub fn by_report(self, chain: ChainId) -> Self {
        Self {
            head: self.head,
            safe: self.reached(Finality::Safe, chain),
            finalized: self.reached(Finality::Finalized, chain),
        }
    }

    /// The highest block that is deep enough for `finality`. Where no writer reports a safe or
    /// finalized block, depth stands for the report; a report above the checkpoint counts only up
    /// to it.
    pub fn reached(&self, finality: Finality, chain: ChainId) -> Option<i64> {
        let deep = |depth: u32| self.head.map(|head| head.saturating_sub(i64::from(depth)));
        let reported = |height: Option<i64>| Some(height?.min(self.head?));
        let (safe, finalized) = depths(chain);
        match finality {
            Finality::Instant => Some(i64::MAX),
            Finality::Confirmations(count) => deep(count),
            Finality::Safe => reported(self.safe.max(self.finalized)).or_else(|| deep(safe)),
            Finality::Finalized => reported(self.finalized).or_else(|| deep(finalized)),
        }
    }
}

/// Depths from which a block counts as safe and as finalized on a chain where no writer reports it.
/// One and three epochs of 32 slots on Ethereum and its test networks. Elsewhere, with blocks every
/// two seconds or less, the time until a rollup's batch is on Ethereum and final there: about ten
/// minutes and an hour.
fn depths(chain: ChainId) -> (u32, u32) {
    match chain.0 {
        1 | 17_000 | 560_048 | 11_155_111 => (32, 96),
        // Arbitrum: four blocks a second.
        42_161 | 421_614 => (2_400, 14_400),
        _ => (300, 1_800),
    }
}

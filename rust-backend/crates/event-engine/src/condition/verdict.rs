//! What a condition says about an event.

use std::ops::Not;

/// The answer of a condition, in Kleene's three-valued logic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The condition holds.
    Match,
    /// The condition does not hold.
    NoMatch,
    /// An operand was missing, NULL or of a type that does not compare, and nothing else decided:
    /// no match, and counted.
    Incomparable,
}

impl Verdict {
    /// Both: [`Verdict::NoMatch`] decides whatever the other says.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::NoMatch, _) | (_, Self::NoMatch) => Self::NoMatch,
            (Self::Match, Self::Match) => Self::Match,
            _ => Self::Incomparable,
        }
    }

    /// Either: [`Verdict::Match`] decides whatever the other says.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Match, _) | (_, Self::Match) => Self::Match,
            (Self::NoMatch, Self::NoMatch) => Self::NoMatch,
            _ => Self::Incomparable,
        }
    }
}

impl Not for Verdict {
    type Output = Self;

    /// The opposite; what does not compare does not begin to match by a `!`.
    fn not(self) -> Self {
        match self {
            Self::Match => Self::NoMatch,
            Self::NoMatch => Self::Match,
            Self::Incomparable => Self::Incomparable,
        }
    }
}

impl From<bool> for Verdict {
    fn from(holds: bool) -> Self {
        if holds { Self::Match } else { Self::NoMatch }
    }
}

//! Stateful functions: what each takes of an event, and what it gives back.

use std::fmt;

use crate::argument::number::Number;
use crate::event::Event;

use super::window::Window;
use crate::condition::expression::Expression;
use crate::condition::operand::Operand;
use crate::condition::verdict::Verdict;

/// A stateful function of a condition: what it takes of each event, and what it gives back.
///
/// Whoever keeps the state feeds it the [`Sample`] of every event that passes the trigger's
/// selectors, and hands what the state then says, a [`Reading`], to
/// [`Condition::verdict`](crate::condition::Condition::verdict). Two are equal where they have the
/// same state, however they are spelled: `count(60s)` and `count(1m)`.
/// [`Display`](fmt::Display) writes the canonical source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Function {
    /// How many events stand in a window of block time.
    Count(Count),
    /// The exponential moving average of a value.
    Ema(Ema),
}

/// `count(window)` or `count(window, condition)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    pub(crate) window: Window,
    /// What an event must say to be counted; stateless.
    pub(in crate::condition) condition: Option<Expression>,
}

/// `ema(value, n)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ema {
    /// A name of the event's that may be a number.
    pub(crate) value: Operand,
    pub(crate) periods: u32,
}

/// What an event contributes to a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sample {
    /// To a count: whether it is counted.
    Counted(bool),
    /// To an average: its value, if it has one that is a number.
    Value(Option<Number>),
}

/// What a function says for one event, the event itself included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The events counted in the window that ends with this event's block time.
    Count(u64),
    /// An average.
    Ema {
        /// The average, including this event's value.
        value: Number,
        /// How many values it has seen.
        seen: u64,
    },
}

impl Function {
    /// What one event contributes.
    pub fn sample(&self, event: &Event) -> Sample {
        match self {
            Self::Count(count) => Sample::Counted(count.condition.as_ref().is_none_or(|inner| {
                // An inner condition is stateless: there is nothing to read.
                inner.verdict(event, &[]) == Verdict::Match
            })),
            Self::Ema(ema) => Sample::Value(ema.value.number(event)),
        }
    }
}

impl Count {
    /// The window's length in seconds of block time.
    pub fn window_s(&self) -> i64 {
        self.window.seconds()
    }
}

impl Ema {
    /// The `n` of `ema(value, n)`: a new value weighs 2/(n+1).
    pub fn periods(&self) -> u32 {
        self.periods
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(Count { window, condition: None }) => write!(f, "count({window})"),
            Self::Count(Count { window, condition: Some(inner) }) => {
                write!(f, "count({window}, {inner})")
            }
            Self::Ema(Ema { value, periods }) => write!(f, "ema({value}, {periods})"),
        }
    }
}

/// A count of events as a number: no chain has 2^63 of them.
pub(crate) fn counted(events: u64) -> Number {
    Number::from(i64::try_from(events).unwrap_or(i64::MAX))
}

/// A function where a condition uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) function: Function,
    /// Its place among the condition's functions.
    pub(crate) place: usize,
}

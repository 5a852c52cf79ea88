//! The condition language: what a trigger's `when` says about one event.
//!
//! ```text
//! condition  = all { "||" all }
//! all        = term { "&&" term }
//! term       = "!" term | "(" condition ")" | comparison | flag
//! comparison = value ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) value
//! value      = name | number | text | flag | function | "ema_count"
//! function   = "count" "(" window [ "," condition ] ")" | "ema" "(" name "," digits ")"
//! window     = digits ( "s" | "m" | "h" | "d" )
//! flag       = "true" | "false" | name of a boolean argument
//! number     = [ "-" ] digits [ "." digits ]
//! text       = '"' … '"' | "'" … "'"     with the escapes of JSON
//! name       = [ "args." ] ( letter | "_" ) { letter | digit | "_" }
//! ```
//!
//! `!` takes what stands directly behind it, so a comparison is negated in parentheses:
//! `!(score < 60)`. Comparisons do not chain.
//!
//! # Names
//!
//! A name is the first of these that fits; `args.` before it always means the argument.
//!
//! 1. A column of the event: `id`, `chain_id`, `block_number`, `block_hash`, `transaction_hash`,
//!    `log_index`, `event_type`, `registry`, `timestamp` (block time, unix seconds), `agent_id`,
//!    `address`.
//! 2. `score`: the arguments `value` × 10^-`valueDecimals`, exact, with `valueDecimals` in 0..=18.
//! 3. An argument of the event. One that is called like a word of this or another language needs
//!    its `args.`: `true`, `false`, `args`, `ema_count`, and in any case `and`, `or`, `not`,
//!    `null`, `nil`, `none`.
//!
//! # Stateful functions
//!
//! A name followed by `(` is a function: a number that events before this one have a part in. Each
//! event that passes the trigger's selectors, this one included, gives it a [`Sample`]; whoever
//! keeps the state says what comes of it, a [`Reading`].
//!
//! - `count(10m)`: the events of the last ten minutes of block time, this one's included.
//!   `count(10m, score < 60)`: those of which the inner condition is true; where it does not
//!   compare, the event is not counted. A window is 1s to 30d, in one unit. A count ends at
//!   [`COUNT_MAX`], so that a literal beyond it is refused.
//! - `ema(score, 10)`: the exponential moving average of a name that can be a number, over the
//!   events where it is one; alpha is 2/(n+1), `n` is 1 to 10,000.
//! - `ema_count`: how many values the average has seen. It needs an `ema(…)` in the condition, and
//!   averages of one value only. An argument of that name is `args.ema_count`.
//!
//! Functions do not nest. A comparison with a function of which the state says nothing does not
//! compare.
//!
//! # What compares
//!
//! - **Numbers** by value, exactly: `1.0 == 1`. `chain_id`, `block_number`, `log_index`,
//!   `timestamp`, `agent_id`, `score` and functions are numbers whatever they are compared with.
//! - **A number and a text** as numbers where the text spells a plain decimal, because integers
//!   wider than 32 bits arrive as texts: `value > 100`, `agent_id == "42"`. Other texts do not
//!   compare with a number.
//! - **Two texts** by their bytes. Quotes and columns mean text: `tag1 == "100"` is not true of
//!   `100.0`. Two `0x…` texts compare whatever the case of their digits, because stored addresses
//!   are lower-case and pasted ones are not.
//! - **Two arguments** that are texts and both spell plain decimals compare as numbers, with every
//!   operator: they are wide integers far more often than tags, and so exactly one of `a < b`,
//!   `a == b` and `a > b` holds of them.
//! - **Booleans** with booleans, by `==` and `!=`.
//!
//! A number is a plain decimal within 78 digits before and 78 behind the point; only an argument
//! that is a JSON number may have an exponent. What exceeds that is no number.
//!
//! Everything else is [`Verdict::Incomparable`], as is a comparison with a missing or NULL operand:
//! `x != 1` is not true where there is no `x`, and neither is `!(x == 1)`. It gives way only where
//! the other side of `&&` is false or that of `||` is true.
//!
//! What the text alone shows never to compare is refused: `score == "good"`, `approved < true`.
//! So is the order of a quoted number and something that may be text, `value < "60"`: by their
//! bytes, "100" would come before "60".
//!
//! Of a trigger whose events are known (`selected.rs`), names and types that no such event has are
//! refused, too.

mod comparison;
mod error;
mod expression;
mod field;
mod functions;
mod lexer;
mod operand;
mod operator;
mod parser;
mod quoted;
mod selected;
mod verdict;
mod word;

#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::event::Event;

pub use self::error::{ConditionError, ConditionFault};
pub use self::functions::function::{Count, Ema, Function, Reading, Sample};
pub use self::verdict::Verdict;

pub(crate) use self::comparison::is_hex;
pub(crate) use self::functions::window::Window;
pub(crate) use self::operand::{Operand, Value};
pub(crate) use self::selected::SelectedEvents;

use self::expression::Expression;

/// Bytes of a condition's text: more than anybody writes by hand, little enough for an index of
/// many triggers to keep.
pub const SOURCE_BYTES_MAX: usize = 4_096;

/// Parentheses and `!` within each other: reading and judging recurse, on a stack of any size.
pub const DEPTH_MAX: usize = 32;

/// Comparisons and booleans of a condition: bounds what one event costs in one trigger.
pub const COMPARISONS_MAX: usize = 64;

/// Different stateful functions of a condition: each keeps state for every group.
pub const FUNCTIONS_MAX: usize = 8;

/// The longest window, in seconds: state is kept that long for every group.
pub const WINDOW_S_MAX: i64 = 30 * 86_400;

/// The most events that a count counts: those of a window may be remembered one by one.
pub const COUNT_MAX: u64 = 65_536;

/// The largest `n` of an average: a new value still weighs a five-thousandth.
pub const EMA_PERIODS_MAX: u32 = 10_000;

/// A condition, ready to judge events: names are resolved and literals read.
///
/// ```
/// use event_engine::condition::Condition;
///
/// let condition = Condition::parse("score<60 && (tag1 == 'uptime')")?;
/// assert_eq!(condition.to_string(), r#"score < 60 && tag1 == "uptime""#);
///
/// let error = Condition::parse("score < ").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"column 9: expected a value after "<", found end of condition"#
/// );
/// # Ok::<(), event_engine::condition::ConditionError>(())
/// ```
///
/// Two are equal where they have the same source. A clone shares what was read.
/// [`Display`](fmt::Display) writes the condition in one canonical form, with no more parentheses
/// than it needs; it may be longer than the source.
#[derive(Clone, Debug)]
pub struct Condition(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    source: Box<str>,
    expression: Expression,
    functions: Box<[Function]>,
}

impl Condition {
    /// Reads a condition. The error says what is wrong and where.
    pub fn parse(source: &str) -> Result<Self, ConditionError> {
        Self::parse_for(source, None)
    }

    /// Reads a condition for the events that a trigger selects, where they are known: a name or a
    /// type that no such event has is refused.
    pub(crate) fn parse_for(
        source: &str,
        selected: Option<&SelectedEvents>,
    ) -> Result<Self, ConditionError> {
        check_length("condition", source)?;
        let (expression, functions) = parser::parse(source, selected)?;
        Ok(Self(Arc::new(Parsed { source: source.into(), expression, functions })))
    }

    /// The text as it was given.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The distinct stateful functions, in the order in which they are first written.
    pub fn functions(&self) -> &[Function] {
        &self.0.functions
    }

    /// The names of those selected events for which the condition is never true.
    pub(crate) fn silent(&self, selected: &SelectedEvents) -> Vec<&'static str> {
        selected.silent(&self.0.expression)
    }

    /// The first function that counts no selected event.
    pub(crate) fn idle(&self, selected: &SelectedEvents) -> Option<&Function> {
        self.functions().iter().find(|function| selected.never_counts(function))
    }

    /// Judges one event. It costs at most [`COMPARISONS_MAX`] comparisons and never fails.
    ///
    /// `readings` has one place for each of [`functions`](Self::functions); `None` where the state
    /// cannot tell, and then comparisons with it are [`Verdict::Incomparable`].
    pub fn verdict(&self, event: &Event, readings: &[Option<Reading>]) -> Verdict {
        self.0.expression.verdict(event, readings)
    }
}

/// Reads a text that is one name of an event's: a column, what derives from one, or an argument.
pub(crate) fn parse_name(
    source: &str,
    selected: Option<&SelectedEvents>,
) -> Result<Operand, ConditionError> {
    check_length("name", source)?;
    parser::name(source, selected)
}

fn check_length(what: &str, source: &str) -> Result<(), ConditionError> {
    if source.len() <= SOURCE_BYTES_MAX {
        return Ok(());
    }
    let offset = source.floor_char_boundary(SOURCE_BYTES_MAX);
    let message = format!("a {what} has at most {SOURCE_BYTES_MAX} bytes");
    Err(ConditionError::at(source, offset, ConditionFault::limit(message)))
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expression.fmt(f)
    }
}

/// What is read is a function of the source.
impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.source() == other.source()
    }
}

impl Eq for Condition {}

impl Hash for Condition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source().hash(state);
    }
}

//! The condition language: what a trigger's `when` says about one event.
//!
//! ```text
//! condition  = all { "||" all }
//! all        = term { "&&" term }
//! term       = "!" term | "(" condition ")" | comparison | flag
//! comparison = value ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) value
//! value      = name | number | text | flag
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
//!    its `args.`: `true`, `false`, `args`, and in any case `and`, `or`, `not`, `null`, `nil`,
//!    `none`.
//!
//! A name followed by `(` is a function. There is none yet: `count` and `ema` are refused as not
//! built, others as unknown.
//!
//! # What compares
//!
//! - **Numbers** by value, exactly: `1.0 == 1`. `chain_id`, `block_number`, `log_index`,
//!   `timestamp`, `agent_id` and `score` are numbers whatever they are compared with.
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

mod comparison;
mod error;
mod expression;
mod field;
mod kinds;
mod lexer;
mod operand;
mod operator;
mod parser;
mod quoted;
mod verdict;
mod word;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::event::Event;

pub use self::error::{ConditionError, ConditionFault};
pub use self::verdict::Verdict;

use self::expression::Expression;

/// Bytes of a condition's text: more than anybody writes by hand, little enough for an index of
/// many triggers to keep.
pub const SOURCE_BYTES_MAX: usize = 4_096;

/// Parentheses and `!` within each other: reading and judging recurse, on a stack of any size.
pub const DEPTH_MAX: usize = 32;

/// Comparisons and booleans of a condition: bounds what one event costs in one trigger.
pub const COMPARISONS_MAX: usize = 64;

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
/// Two are equal where they have the same source. [`Display`](fmt::Display) writes the condition in
/// one canonical form, with no more parentheses than it needs; it may be longer than the source.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    source: Box<str>,
    expression: Expression,
}

impl Condition {
    /// Reads a condition. The error says what is wrong and where.
    pub fn parse(source: &str) -> Result<Self, ConditionError> {
        if source.len() > SOURCE_BYTES_MAX {
            let offset = source.floor_char_boundary(SOURCE_BYTES_MAX);
            let message = format!("a condition has at most {SOURCE_BYTES_MAX} bytes");
            return Err(ConditionError::at(source, offset, ConditionFault::limit(message)));
        }
        Ok(Self { source: source.into(), expression: parser::parse(source)? })
    }

    /// The text as it was given.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Judges one event. It costs at most [`COMPARISONS_MAX`] comparisons and never fails.
    pub fn verdict(&self, event: &Event) -> Verdict {
        self.expression.verdict(event)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(f)
    }
}

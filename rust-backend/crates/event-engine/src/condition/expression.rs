//! A parsed condition as a tree.

use std::fmt;

use crate::event::Event;

use super::comparison::Comparison;
use super::operand::{Operand, Value};
use super::verdict::Verdict;
use crate::condition::functions::function::Reading;

/// `All` and `Any` hold two parts or more and never one of their own kind: `a && (b && c)` and
/// `a && b && c` are the same tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    All(Box<[Expression]>),
    Any(Box<[Expression]>),
    Not(Box<Expression>),
    Comparison(Box<Comparison>),
    /// A boolean by itself: a literal or an argument.
    Flag(Operand),
}

impl Expression {
    /// Parts joined by `&&`.
    pub(super) fn all(parts: Vec<Self>) -> Self {
        let unpack = |part| match part {
            Self::All(inner) => inner.into_vec(),
            other => vec![other],
        };
        Self::join(parts, unpack, Self::All)
    }

    /// Parts joined by `||`.
    pub(super) fn any(parts: Vec<Self>) -> Self {
        let unpack = |part| match part {
            Self::Any(inner) => inner.into_vec(),
            other => vec![other],
        };
        Self::join(parts, unpack, Self::Any)
    }

    fn join(
        parts: Vec<Self>,
        unpack: impl FnMut(Self) -> Vec<Self>,
        pack: impl FnOnce(Box<[Self]>) -> Self,
    ) -> Self {
        let mut parts: Vec<Self> = parts.into_iter().flat_map(unpack).collect();
        if parts.len() == 1 { parts.remove(0) } else { pack(parts.into()) }
    }

    pub(super) fn verdict(&self, event: &Event, readings: &[Option<Reading>]) -> Verdict {
        match self {
            Self::All(parts) => all_hold(parts, event, readings),
            Self::Any(parts) => any_holds(parts, event, readings),
            Self::Not(inner) => !inner.verdict(event, readings),
            Self::Comparison(comparison) => comparison.verdict(event, readings),
            Self::Flag(operand) => match operand.value(event, readings) {
                Some(Value::Flag(flag)) => flag.into(),
                _ => Verdict::Incomparable,
            },
        }
    }
}

fn all_hold(parts: &[Expression], event: &Event, readings: &[Option<Reading>]) -> Verdict {
    let mut verdict = Verdict::Match;
    for part in parts {
        verdict = verdict.and(part.verdict(event, readings));
        if verdict == Verdict::NoMatch {
            break;
        }
    }
    verdict
}

fn any_holds(parts: &[Expression], event: &Event, readings: &[Option<Reading>]) -> Verdict {
    let mut verdict = Verdict::NoMatch;
    for part in parts {
        verdict = verdict.or(part.verdict(event, readings));
        if verdict == Verdict::Match {
            break;
        }
    }
    verdict
}

/// With no more parentheses than it takes to read it back as the same tree.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => join(f, parts, " && ", |part| matches!(part, Self::Any(_))),
            Self::Any(parts) => join(f, parts, " || ", |_| false),
            Self::Not(inner) => match **inner {
                Self::Not(_) | Self::Flag(_) => write!(f, "!{inner}"),
                _ => write!(f, "!({inner})"),
            },
            Self::Comparison(comparison) => comparison.fmt(f),
            Self::Flag(operand) => operand.fmt(f),
        }
    }
}

fn join(
    f: &mut fmt::Formatter<'_>,
    parts: &[Expression],
    separator: &str,
    needs_parentheses: impl Fn(&Expression) -> bool,
) -> fmt::Result {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            f.write_str(separator)?;
        }
        if needs_parentheses(part) { write!(f, "({part})")? } else { write!(f, "{part}")? }
    }
    Ok(())
}

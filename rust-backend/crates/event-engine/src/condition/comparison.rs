//! Two operands and an operator: what compares, and how.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use crate::argument::number::Number;
use crate::event::Event;

use super::operand::{Operand, Value};
use super::operator::Operator;
use super::verdict::Verdict;
use crate::condition::functions::function::Reading;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) left: Operand,
    pub(super) operator: Operator,
    pub(super) right: Operand,
}

impl Comparison {
    pub(super) fn verdict(&self, event: &Event, readings: &[Option<Reading>]) -> Verdict {
        self.holds(event, readings).map_or(Verdict::Incomparable, Verdict::from)
    }

    /// `None` where the operands do not compare.
    fn holds(&self, event: &Event, readings: &[Option<Reading>]) -> Option<bool> {
        let left = self.left.value(event, readings)?;
        let right = self.right.value(event, readings)?;
        if matches!(left, Value::Flag(_)) && self.operator.orders() {
            return None;
        }
        order(&left, &right).map(|ordering| self.operator.holds(ordering))
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.left, self.operator, self.right)
    }
}

fn order(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Flag(left), Value::Flag(right)) => Some(left.cmp(right)),
        (Value::Number(left), _) => Some((**left).cmp(&*right.as_number()?)),
        (_, Value::Number(right)) => Some((*left.as_number()?).cmp(right)),
        (Value::Open(_), Value::Open(_)) => match (left.as_number(), right.as_number()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => Some(order_texts(left.as_text()?, right.as_text()?)),
        },
        _ => Some(order_texts(left.as_text()?, right.as_text()?)),
    }
}

/// By bytes; hexadecimal texts whatever their case, because users paste checksummed addresses.
fn order_texts(left: &str, right: &str) -> Ordering {
    if is_hex(left) && is_hex(right) {
        let digits = |text| str::bytes(text).map(|digit| digit.to_ascii_lowercase());
        return digits(left).cmp(digits(right));
    }
    left.cmp(right)
}

pub(crate) fn is_hex(text: &str) -> bool {
    text.strip_prefix("0x").is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

impl Value<'_> {
    pub(super) fn as_number(&self) -> Option<Cow<'_, Number>> {
        match self {
            Self::Number(number) => Some(Cow::Borrowed(number)),
            Self::Text(text) | Self::Open(text) => Number::parse_plain(text).map(Cow::Owned),
            Self::Quoted(quoted) => quoted.number.as_ref().map(Cow::Borrowed),
            Self::Flag(_) => None,
        }
    }

    fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Open(text) => Some(text),
            Self::Quoted(quoted) => Some(&quoted.text),
            Self::Number(_) | Self::Flag(_) => None,
        }
    }
}

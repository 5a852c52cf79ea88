//! A span of block time: a whole number and its unit, as in `10m`.

use std::fmt;

use crate::condition::WINDOW_S_MAX;
use crate::condition::error::{ConditionError, ConditionFault};
use crate::condition::word;

/// The units, the longest first: what people call each, and its seconds.
const UNITS: [(&str, &[&str], i64); 4] = [
    ("d", &["day", "days"], 86_400),
    ("h", &["hr", "hrs", "hour", "hours"], 3_600),
    ("m", &["min", "mins", "minute", "minutes"], 60),
    ("s", &["sec", "secs", "second", "seconds"], 1),
];

/// At least a second, at most [`WINDOW_S_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    seconds: i64,
}

impl Window {
    pub(crate) fn seconds(self) -> i64 {
        self.seconds
    }

    /// Reads a text that is a window and nothing else.
    pub(crate) fn parse(source: &str) -> Result<Self, ConditionError> {
        let (window, end) = Self::read(source, 0)?;
        if end < source.len() {
            let message = format!("nothing may stand after {}", word::shortened(&source[..end]));
            return Err(ConditionError::at(source, end, ConditionFault::Syntax(message)));
        }
        Ok(window)
    }

    /// Reads the window that stands at `start`; returns where it ends.
    pub(crate) fn read(source: &str, start: usize) -> Result<(Self, usize), ConditionError> {
        let refuse = |offset, fault| Err(ConditionError::at(source, offset, fault));
        let unit_at = end_of(source, start, |character| character.is_ascii_digit());
        let end = end_of(source, unit_at, char::is_alphanumeric);
        let (number, unit) = (&source[start..unit_at], &source[unit_at..end]);
        if number.is_empty() {
            let message = "expected a whole number and its unit, as in 10m";
            return refuse(start, ConditionFault::syntax(message));
        }
        let Some((_, _, unit_s)) = UNITS.iter().find(|(symbol, ..)| *symbol == unit) else {
            let point = source[end..].starts_with('.');
            return refuse(unit_at, unknown(number, unit, point));
        };
        // Digits that no integer holds are too long as well.
        let seconds = number.parse().map_or(i64::MAX, |count: i64| count.saturating_mul(*unit_s));
        let shown = word::shortened(&source[start..end]);
        match seconds {
            0 => refuse(start, ConditionFault::Limit(format!("{shown} is less than 1s"))),
            1..=WINDOW_S_MAX => Ok((Self { seconds }, end)),
            _ => {
                let most = Self { seconds: WINDOW_S_MAX };
                refuse(start, ConditionFault::Limit(format!("{shown} is more than {most}")))
            }
        }
    }
}

/// In the longest unit that leaves no rest, so that a span has one spelling.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(.., unit_s): &&(&str, &[&str], i64)| self.seconds % unit_s == 0;
        let (symbol, _, unit_s) = UNITS.iter().find(whole).expect("a second leaves no rest");
        write!(f, "{}{symbol}", self.seconds / unit_s)
    }
}

/// Where the characters from `start` on are no longer `wanted`.
fn end_of(source: &str, start: usize, wanted: impl Fn(char) -> bool) -> usize {
    let rest = &source[start..];
    start + rest.find(|character| !wanted(character)).unwrap_or(rest.len())
}

/// What to say about a `number` that none of the units stands behind.
fn unknown(number: &str, unit: &str, point: bool) -> ConditionFault {
    let number = word::shortened(number);
    if point && unit.is_empty() {
        let message = "a span of time is a whole number: write 90m for an hour and a half";
        return ConditionFault::syntax(message);
    }
    if unit.is_empty() {
        return ConditionFault::Syntax(format!(
            "expected a unit directly after {number}: s, m, h or d"
        ));
    }
    if unit.contains(|character: char| character.is_ascii_digit()) {
        let message = "a span of time is one number and one unit, as in 90m";
        return ConditionFault::syntax(message);
    }
    let lower = unit.to_ascii_lowercase();
    let meant =
        UNITS.iter().find(|(symbol, names, _)| *symbol == lower || names.contains(&lower.as_str()));
    let advice = match meant {
        Some((symbol, ..)) => format!("write {number}{symbol}"),
        None => "there are s, m, h and d".to_owned(),
    };
    let unit = word::shortened(unit);
    ConditionFault::Syntax(format!("unknown unit \"{unit}\": {advice}"))
}

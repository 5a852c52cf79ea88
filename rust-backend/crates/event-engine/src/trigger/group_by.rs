//! `group_by`: assigns a trigger's events to groups.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use sha2::{Digest, Sha256};

use crate::argument::number::Number;
use crate::condition::{ConditionError, Operand, SelectedEvents, Value, is_hex, parse_name};
use crate::event::Event;

/// Bytes of a key: enough for every name and uint256 that the registries emit. Keys are stored in
/// rows, and writers choose the length of texts.
pub const KEY_BYTES_MAX: usize = 128;

/// The name whose values form the groups.
///
/// ```
/// use event_engine::trigger::group_by::GroupBy;
///
/// assert_eq!(GroupBy::parse(" args.tag1 ")?.to_string(), "tag1");
/// assert_eq!(
///     GroupBy::parse("42").unwrap_err().to_string(),
///     "column 1: expected a name such as `agent_id`, found 42"
/// );
/// # Ok::<(), event_engine::condition::ConditionError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupBy {
    name: Operand,
}

impl GroupBy {
    /// Parses the text of `group_by:`, any name that a condition knows. The error gives the problem
    /// and its column.
    pub fn parse(source: &str) -> Result<Self, ConditionError> {
        Self::parse_for(source, None)
    }

    /// The same for the events that a trigger selects, where they are known: one must have the
    /// name.
    pub(crate) fn parse_for(
        source: &str,
        selected: Option<&SelectedEvents>,
    ) -> Result<Self, ConditionError> {
        Ok(Self { name: parse_name(source, selected)? })
    }

    /// The event's group. `None` if the event has no such value.
    ///
    /// Values that a condition finds equal are in one group: numbers by value, also those spelled
    /// as texts in arguments; `0x…` texts regardless of case; other texts by their bytes. A key of
    /// more than [`KEY_BYTES_MAX`] is replaced by `sha256:` and its hash.
    pub fn key(&self, event: &Event) -> Option<Box<str>> {
        Some(bounded(match self.name.value(event, &[])? {
            Value::Number(number) => plain(&number).into(),
            Value::Flag(flag) => flag.to_string().into(),
            Value::Open(text) => match Number::parse_plain(text) {
                Some(number) => plain(&number).into(),
                None => folded(text),
            },
            Value::Text(text) => folded(text),
            Value::Quoted(_) => unreachable!("a name is no literal"),
        }))
    }
}

/// By the printed name: equal ones are printed alike.
impl Hash for GroupBy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_string().hash(state);
    }
}

/// The name, canonically.
impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// The shortest plain decimal.
fn plain(number: &Number) -> String {
    if let Some(integer) = number.to_i64() {
        return integer.to_string();
    }
    let mut text = number.to_string();
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    text
}

fn folded(text: &str) -> Cow<'_, str> {
    if is_hex(text) { text.to_ascii_lowercase().into() } else { text.into() }
}

fn bounded(key: Cow<'_, str>) -> Box<str> {
    if key.len() <= KEY_BYTES_MAX {
        return key.into();
    }
    format!("sha256:{:x}", Sha256::digest(key.as_bytes())).into()
}

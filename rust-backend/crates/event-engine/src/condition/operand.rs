//! One side of a comparison: how it is written, and its value for an event.

use std::borrow::Cow;
use std::fmt;

use crate::argument::Argument;
use crate::argument::number::Number;
use crate::event::Event;

use super::field::Field;
use super::quoted::Quoted;
use super::word;
use crate::condition::functions::function::{Call, Function, Reading, counted};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    Field(Field),
    Argument(Box<str>),
    Number(Number),
    Quoted(Box<Quoted>),
    Flag(bool),
    Call(Box<Call>),
    /// The number of values that the condition's averages have seen.
    EmaCount,
}

/// What an operand is for one event.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    Number(Cow<'a, Number>),
    /// The text of a column: never a number unless it is compared with one.
    Text(&'a str),
    /// The text of an argument: perhaps an integer too wide for a JSON number.
    Open(&'a str),
    /// A literal text.
    Quoted(&'a Quoted),
    Flag(bool),
}

impl Operand {
    /// `None` where the event has no such value, or one that does not compare, and where no
    /// reading says what the state has.
    pub(crate) fn value<'a>(
        &'a self,
        event: &'a Event,
        readings: &'a [Option<Reading>],
    ) -> Option<Value<'a>> {
        Some(match self {
            Self::Field(field) => return field.value(event),
            Self::Argument(name) => match event.arguments.get(name)? {
                Argument::Text(text) => Value::Open(text),
                Argument::Number(text) => Value::number(Number::parse_json(text)?),
                Argument::Flag(flag) => Value::Flag(flag),
                Argument::Opaque => return None,
            },
            Self::Number(number) => Value::Number(Cow::Borrowed(number)),
            Self::Quoted(quoted) => Value::Quoted(quoted),
            Self::Flag(flag) => Value::Flag(*flag),
            Self::Call(call) => readings.get(call.place)?.as_ref()?.value(&call.function)?,
            // Averages of one value have all seen the same number of it.
            Self::EmaCount => {
                Value::number(counted(readings.iter().flatten().find_map(Reading::seen)?))
            }
        })
    }

    /// The number that a name of the event's is or spells.
    pub(super) fn number(&self, event: &Event) -> Option<Number> {
        Some(self.value(event, &[])?.as_number()?.into_owned())
    }
}

impl Reading {
    fn value(&self, of: &Function) -> Option<Value<'_>> {
        match (self, of) {
            (Self::Count(count), Function::Count(_)) => Some(Value::number(counted(*count))),
            (Self::Ema { value, .. }, Function::Ema(_)) => {
                Some(Value::Number(Cow::Borrowed(value)))
            }
            _ => None,
        }
    }

    fn seen(&self) -> Option<u64> {
        match self {
            Self::Ema { seen, .. } => Some(*seen),
            Self::Count(_) => None,
        }
    }
}

impl Value<'_> {
    pub(super) fn number(number: impl Into<Number>) -> Self {
        Self::Number(Cow::Owned(number.into()))
    }
}

/// As it is written in a condition.
impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => f.write_str(field.name()),
            Self::Argument(name) if Field::named(name).is_some() || word::is_taken(name) => {
                write!(f, "args.{name}")
            }
            Self::Argument(name) => f.write_str(name),
            Self::Number(number) => number.fmt(f),
            Self::Quoted(quoted) => quoted.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Call(call) => call.function.fmt(f),
            Self::EmaCount => f.write_str(word::EMA_COUNT),
        }
    }
}

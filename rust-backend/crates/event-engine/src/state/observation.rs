//! An event as a trigger remembers it.

use serde::{Deserialize, Serialize};

use super::average::Average;
use crate::argument::number::Number;
use crate::condition::Sample;
use crate::event::{Event, EventName};
use crate::trigger::TriggerId;

/// What names a group on its shard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName {
    /// The trigger.
    pub trigger: TriggerId,
    /// The version at which its state began.
    pub lineage: i32,
    /// The value of its `group_by`; empty where it has none.
    pub key: Box<str>,
}

/// What names an observation on its shard: a trigger observes an event once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObservationName {
    /// The event.
    pub event: EventName,
    /// The trigger.
    pub trigger: TriggerId,
    /// The version at which its state began.
    pub lineage: i32,
}

/// An event's place on its chain. What stands in one block has one time; the name makes it unique.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The block time that counts, unix seconds: [`Event::counted_at`].
    pub counted_at: i64,
    /// The block.
    pub block_number: i64,
    /// The place within the block.
    pub log_index: i32,
    /// The event's id.
    pub id: Box<str>,
    /// The block time that the event's row says.
    pub timestamp: i64,
}

impl Place {
    /// Where the event stands.
    pub fn of(event: &Event) -> Self {
        Self {
            counted_at: event.counted_at(),
            block_number: event.block_number,
            log_index: event.log_index,
            id: event.name.id.as_str().into(),
            timestamp: event.name.timestamp,
        }
    }

    /// Before everything that counts at that time.
    pub(super) fn before(counted_at: i64) -> Self {
        let (block_number, log_index) = (i64::MIN, i32::MIN);
        Self { counted_at, block_number, log_index, id: Box::default(), timestamp: i64::MIN }
    }

    /// Whether the event counts earlier than its row says.
    pub(super) fn is_ahead(&self) -> bool {
        self.counted_at < self.timestamp
    }

    /// Whether it is this event's.
    pub(super) fn is_of(&self, event: &EventName) -> bool {
        *self.id == *event.id && self.timestamp == event.timestamp
    }

    /// The event.
    pub fn event(&self) -> EventName {
        EventName { id: self.id.to_string(), timestamp: self.timestamp }
    }
}

/// An event as one trigger remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The event, and where it stands.
    pub place: Place,
    /// The event's revision.
    pub revision: i32,
    /// What each stateful function took of it, in the order of the condition.
    pub samples: Vec<Sampled>,
    /// Whether the trigger fired.
    pub fired: bool,
    /// What stood before it has been dropped: averages go on from it, and it is not counted.
    pub base: bool,
}

/// What a function took of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Sampled {
    /// Whether `count` counts it.
    Count(bool),
    /// What `ema` made of it.
    Ema {
        /// Its value, if it has one.
        #[serde(with = "plain", default, skip_serializing_if = "Option::is_none")]
        value: Option<Number>,
        /// The average after it, once there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Average>,
    },
}

impl From<Sample> for Sampled {
    fn from(sample: Sample) -> Self {
        match sample {
            Sample::Counted(counted) => Self::Count(counted),
            Sample::Value(value) => Self::Ema { value, after: None },
        }
    }
}

/// Numbers as plain decimals in quotes.
mod plain {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::argument::number::Number;

    #[expect(clippy::ref_option, reason = "serde's `with` hands over a reference to the field")]
    pub(super) fn serialize<S: Serializer>(
        number: &Option<Number>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        number.as_ref().map(Number::shortest).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Number>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| {
            Number::parse_plain(&text).ok_or_else(|| serde::de::Error::custom("not a number"))
        })
        .transpose()
    }
}

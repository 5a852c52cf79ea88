//! Observations: events in a trigger's memory.

use serde::{Deserialize, Serialize};

use super::average::Average;
use crate::argument::number::Number;
use crate::condition::Sample;
use crate::event::{Event, EventName};
use crate::trigger::TriggerId;

/// The name of a group on its shard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName {
    /// The trigger.
    pub trigger: TriggerId,
    /// The version at which its state began.
    pub lineage: i32,
    /// The value of its `group_by`; empty without one.
    pub key: Box<str>,
}

/// The name of an observation on its shard: a trigger observes an event once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObservationName {
    /// The event.
    pub event: EventName,
    /// The trigger.
    pub trigger: TriggerId,
    /// The version at which its state began.
    pub lineage: i32,
}

/// An event's position on its chain. All events of one block have one time; the name makes it
/// unique.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPosition {
    /// The bounded block time, unix seconds: [`Event::counted_at`].
    pub counted_at: i64,
    /// The block.
    pub block_number: i64,
    /// The log index within the block.
    pub log_index: i32,
    /// The event's id.
    pub id: Box<str>,
    /// The block time in the event's row.
    pub timestamp: i64,
}

impl EventPosition {
    /// The position of an event.
    pub fn of(event: &Event) -> Self {
        Self {
            counted_at: event.counted_at(),
            block_number: event.block_number,
            log_index: event.log_index,
            id: event.name.id.as_str().into(),
            timestamp: event.name.timestamp,
        }
    }

    /// The position before all events of that time.
    pub(super) fn before(counted_at: i64) -> Self {
        let (block_number, log_index) = (i64::MIN, i32::MIN);
        Self { counted_at, block_number, log_index, id: Box::default(), timestamp: i64::MIN }
    }

    /// True if the event counts earlier than its row says.
    pub(super) fn is_ahead(&self) -> bool {
        self.counted_at < self.timestamp
    }

    /// True if it is this event's position.
    pub(super) fn is_of(&self, event: &EventName) -> bool {
        *self.id == *event.id && self.timestamp == event.timestamp
    }

    /// The event.
    pub fn event(&self) -> EventName {
        EventName { id: self.id.to_string(), timestamp: self.timestamp }
    }
}

/// An event in one trigger's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The event and its position.
    pub place: EventPosition,
    /// The event's revision.
    pub revision: i32,
    /// The sample of each stateful function, in the order of the condition.
    pub samples: Vec<Sampled>,
    /// True if the trigger fired.
    pub fired: bool,
    /// True if all earlier observations have been dropped: averages continue from this one, and it
    /// is not counted.
    pub base: bool,
}

/// A function's sample of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Sampled {
    /// True if `count` counts it.
    Count(bool),
    /// The sample of `ema`.
    Ema {
        /// Its value, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
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

//! What a condition can name beside the arguments: the event's columns, and what derives from them.

use crate::argument::Argument;
use crate::argument::number::Number;
use crate::event::{Arguments, Event};

use super::operand::Value;

/// Decimals of a score: the registry refuses more.
const SCORE_DECIMALS_MAX: u8 = 18;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Id,
    ChainId,
    BlockNumber,
    BlockHash,
    TransactionHash,
    LogIndex,
    EventType,
    Registry,
    Timestamp,
    AgentId,
    Address,
    /// `value` × 10^-`valueDecimals` of the arguments.
    Score,
}

const NAMES: [(&str, Field); 12] = [
    ("id", Field::Id),
    ("chain_id", Field::ChainId),
    ("block_number", Field::BlockNumber),
    ("block_hash", Field::BlockHash),
    ("transaction_hash", Field::TransactionHash),
    ("log_index", Field::LogIndex),
    ("event_type", Field::EventType),
    ("registry", Field::Registry),
    ("timestamp", Field::Timestamp),
    ("agent_id", Field::AgentId),
    ("address", Field::Address),
    ("score", Field::Score),
];

/// The names of all fields.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    NAMES.iter().map(|(name, _)| *name)
}

impl Field {
    pub(super) fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
    }

    pub(super) fn name(self) -> &'static str {
        let named = NAMES.iter().find(|(_, field)| *field == self);
        named.expect("NAMES lists every field").0
    }

    /// True for what is a number whatever its writer says, and never compares as text.
    pub(super) fn is_number(self) -> bool {
        match self {
            Self::ChainId
            | Self::BlockNumber
            | Self::LogIndex
            | Self::Timestamp
            | Self::AgentId
            | Self::Score => true,
            Self::Id
            | Self::BlockHash
            | Self::TransactionHash
            | Self::EventType
            | Self::Registry
            | Self::Address => false,
        }
    }

    /// `None` where the event has none, or one that is not of the field's type.
    pub(super) fn value(self, event: &Event) -> Option<Value<'_>> {
        Some(match self {
            Self::Id => Value::Text(&event.name.id),
            Self::ChainId => Value::number(event.chain_id.0),
            Self::BlockNumber => Value::number(event.block_number),
            Self::BlockHash => Value::Text(&event.block_hash),
            Self::TransactionHash => Value::Text(&event.transaction_hash),
            Self::LogIndex => Value::number(i64::from(event.log_index)),
            Self::EventType => Value::Text(&event.event_type),
            Self::Registry => Value::Text(&event.registry),
            Self::Timestamp => Value::number(event.name.timestamp),
            Self::AgentId => Value::number(Number::parse_plain(event.agent_id.as_deref()?)?),
            Self::Address => Value::Text(event.address.as_deref()?),
            Self::Score => Value::number(score(&event.arguments)?),
        })
    }
}

fn score(arguments: &Arguments) -> Option<Number> {
    let value = number(arguments.get("value")?).filter(Number::is_integer)?;
    let decimals = u8::try_from(number(arguments.get("valueDecimals")?)?.to_i64()?).ok()?;
    (decimals <= SCORE_DECIMALS_MAX).then(|| Number::scaled(value, decimals))
}

/// The number an argument holds or spells.
fn number(argument: Argument<'_>) -> Option<Number> {
    match argument {
        Argument::Text(text) => Number::parse_plain(text),
        Argument::Number(text) => Number::parse_json(text),
        Argument::Flag(_) | Argument::Opaque => None,
    }
}

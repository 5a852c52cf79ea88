//! Decoding of a registry's log to the name, agent and arguments of its row in `events`.
//!
//! The decoder is chosen by topic0 among those of the registry whose address emitted the log
//! (contract ABI: <https://docs.soliditylang.org/en/latest/abi-spec.html#events>). A log that no
//! decoder reads is no error: it is stored as it came, see [`NotDecoded`].

mod argument;
mod common;
mod identity;
pub(crate) mod raw_log;
mod reputation;
#[cfg(test)]
mod tests;
pub(crate) mod unknown_logs;
mod validation;
mod word;

use alloy_primitives::{B256, U256};
use alloy_sol_types::SolEvent;
use alloy_sol_types::abi::{self, AbiDecoderConfig};
use serde_json::{Map, Value};

use crate::Registry;
use word::Words;

/// Bytes of log data that are decoded. Strings of an agent card are kilobytes; a megabyte of data
/// costs its sender 8 million gas for the log alone, and decoded it may grow sixfold (a control
/// character is `\u0001` in JSON), in each trigger's and receiver's hands. Beyond it the log is
/// stored raw.
pub(crate) const DECODED_BYTES_MAX: usize = 1 << 20;
/// Bytes that decoding may allocate: offsets that overlap let one string be read several times.
const DECODER_MEMORY_BYTES_MAX: usize = 8 * DECODED_BYTES_MAX;

/// Bytes of JSON that the arguments may be. A megabyte of control characters is below it; strings
/// that are read several times need not be, and `events` takes what `arguments_text()` reads.
pub(crate) const JSON_BYTES_MAX: usize = 7 << 20;
/// Data of this length never has arguments that long: a dozen strings, each no longer than the
/// data, with six bytes for a character.
pub(crate) const SHORT_BYTES: usize = 1 << 16;

/// The content of a log.
#[derive(Debug, PartialEq)]
pub(crate) struct Decoded {
    /// The event's name on chain.
    pub(crate) event_type: &'static str,
    /// The agent it is about: its `agentId`, `tokenId` or `_tokenId`.
    pub(crate) agent_id: Option<U256>,
    /// Its arguments by their names on chain, in their order there.
    pub(crate) arguments: Map<String, Value>,
}

impl NotDecoded {
    /// True if it would be decoded if it were shorter.
    pub(crate) fn is_by_length(&self) -> bool {
        matches!(self, Self::TooLong(_) | Self::TooLongInJson(_))
    }
}

/// The reason why a log is stored raw, as `unknown`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotDecoded {
    /// An anonymous event: it does not say which one it is.
    #[error("it has no topics")]
    NoTopics,
    /// An event that this version does not know.
    #[error("no event of this registry has its topic0")]
    UnknownTopic,
    /// Its data is beyond [`DECODED_BYTES_MAX`].
    #[error("its data of {0} bytes is longer than {DECODED_BYTES_MAX}")]
    TooLong(usize),
    /// Its data is longer than an answer may be, and was not read.
    #[error("it is longer than an answer may be, and was not read")]
    Unread,
    /// Its arguments are beyond [`JSON_BYTES_MAX`].
    #[error("its arguments are {0} bytes of JSON, which is longer than {JSON_BYTES_MAX}")]
    TooLongInJson(usize),
    /// Topics or data do not fit the event's signature.
    #[error("it does not fit the signature of {0}")]
    Malformed(&'static str),
}

/// Decodes a log that an address of `registry` emitted.
pub(crate) fn decode(
    registry: Registry,
    topics: &[B256],
    data: &[u8],
) -> Result<Decoded, NotDecoded> {
    let signature_hash = topics.first().ok_or(NotDecoded::NoTopics)?;
    let decoder = decoder(registry, signature_hash).ok_or(NotDecoded::UnknownTopic)?;
    if data.len() > DECODED_BYTES_MAX {
        return Err(NotDecoded::TooLong(data.len()));
    }
    let read = (decoder.read)(topics, data);
    let read = read.ok_or(NotDecoded::Malformed(decoder.event_type))?;
    if data.len() > SHORT_BYTES {
        let json = serde_json::to_string(&read.arguments);
        let length = json.map_or(usize::MAX, |json| json.len());
        if length > JSON_BYTES_MAX {
            return Err(NotDecoded::TooLongInJson(length));
        }
    }
    Ok(read)
}

/// The agent of a log that is stored as it came, where its topic0 tells which topic holds it.
pub(crate) fn agent_of_raw(registry: Registry, topics: &[B256]) -> Option<U256> {
    let signature_hash = topics.first()?;
    let index = match registry {
        Registry::Reputation if reputation::is_earlier_feedback(signature_hash) => 1,
        _ => decoder(registry, signature_hash)?.agent_topic?,
    };
    topics.get(index).map(|found| U256::from_be_bytes(found.0))
}

/// The topics of the events that are known of a registry.
pub(crate) fn topics(registry: Registry) -> impl Iterator<Item = B256> {
    decoders(registry).iter().chain(common::DECODERS).map(|decoder| decoder.topic0)
}

fn decoders(registry: Registry) -> &'static [Decoder] {
    match registry {
        Registry::Identity => identity::DECODERS,
        Registry::Reputation => reputation::DECODERS,
        Registry::Validation => validation::DECODERS,
    }
}

fn decoder(registry: Registry, topic0: &B256) -> Option<&'static Decoder> {
    decoders(registry).iter().chain(common::DECODERS).find(|decoder| decoder.topic0 == *topic0)
}

/// The decoder of one event.
struct Decoder {
    topic0: B256,
    event_type: &'static str,
    /// The place among the topics of the agent's id, where it is indexed.
    agent_topic: Option<usize>,
    read: fn(&[B256], &[u8]) -> Option<Decoded>,
}

impl Decoder {
    const fn of<E>() -> Self
    where
        E: Arguments + 'static,
        for<'d> E::DataToken<'d>: Words,
    {
        Self {
            topic0: E::SIGNATURE_HASH,
            event_type: E::NAME,
            agent_topic: E::AGENT_TOPIC,
            read: read::<E>,
        }
    }
}

/// An event whose arguments can be listed; implemented by [`arguments!`].
trait Arguments: SolEvent {
    /// Its name on chain.
    const NAME: &'static str;

    /// The place among its topics of the agent's id, if it is indexed.
    const AGENT_TOPIC: Option<usize>;

    /// The agent it is about.
    fn agent_id(&self) -> Option<U256>;

    /// All its arguments by name.
    fn by_name(&self) -> Map<String, Value>;
}

fn read<E>(topics: &[B256], data: &[u8]) -> Option<Decoded>
where
    E: Arguments + 'static,
    for<'d> E::DataToken<'d>: Words,
{
    let lenient = AbiDecoderConfig::new().memory_limit(DECODER_MEMORY_BYTES_MAX);
    // Topics are single words: each must be a clean value of its type. A string in the data may
    // be no UTF-8 (alloy then reads U+FFFD), so there only the words are checked.
    let topics = E::decode_topics_with_config(topics, lenient.validate(true)).ok()?;
    let body = E::abi_decode_data_with_config(data, lenient).ok()?;
    let event = E::new_checked(topics, body).ok()?;
    if !has_clean_words(data, lenient, &event) {
        return None;
    }
    Some(Decoded { event_type: E::NAME, agent_id: event.agent_id(), arguments: event.by_name() })
}

/// True if each word of `data` is the encoding of the value read from it: 0x…02 is no bool, and 256
/// no uint8.
fn has_clean_words<'d, E>(data: &'d [u8], config: AbiDecoderConfig, event: &'d E) -> bool
where
    E: SolEvent,
    E::DataToken<'d>: Words,
{
    abi::decode_sequence_with_config::<E::DataToken<'d>>(data, config)
        .is_ok_and(|found| found.same_words(&event.tokenize_body()))
}

/// Implements [`Arguments`] for an event of `sol!`, from the names of its arguments in their order.
/// `about NAME` is the argument that holds the agent's id, `= topic PLACE` its topic if it is
/// indexed.
macro_rules! arguments {
    ($event:ident($($name:ident),*) $(about $agent:ident $(= topic $place:literal)?)?) => {
        impl crate::decode::Arguments for $event {
            const NAME: &'static str = stringify!($event);

            const AGENT_TOPIC: Option<usize> = [$($(Some($place),)?)? None][0];

            fn agent_id(&self) -> Option<alloy_primitives::U256> {
                [$(self.$agent)?].first().copied()
            }

            fn by_name(&self) -> serde_json::Map<String, serde_json::Value> {
                let mut arguments = serde_json::Map::new();
                $(
                    let value = crate::decode::argument::Argument::to_json(&self.$name);
                    arguments.insert(stringify!($name).to_owned(), value);
                )*
                arguments
            }
        }
    };
}
use arguments;

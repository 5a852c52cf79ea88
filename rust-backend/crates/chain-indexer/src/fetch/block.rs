//! A block of the node, checked against what was asked, as rows of the store.

use std::borrow::Borrow;
use std::collections::HashMap;

use alloy_primitives::{Address, B256, hex};
use event_engine::event::{ChainId, EventName};
use event_store::chain::observed_blocks::ObservedBlock;
use event_store::events::new_events::NewEvent;

use crate::decode::raw_log;
use crate::decode::{self, NotDecoded};
use crate::rpc::answer::{HeaderRef, NodeHeader, NodeLog};
use crate::settings::RegistryAddresses as _;
use crate::{ChainSettings, Registry};

/// The name of a log that no decoder reads.
const UNKNOWN: &str = "unknown";
/// Bytes of an event's row beside the log's data: hashes, ids and names as text.
const ROW_BYTES: usize = 600;
/// The last block time that `events` takes, unix seconds: the beginning of the year 2100.
const TIMESTAMP_MAX: i64 = 4_102_444_800;

/// A block, ready to be stored.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) header: HeaderRef,
    pub(crate) row: ObservedBlock,
    /// In the order of their transactions and log indexes.
    pub(crate) events: Vec<NewEvent>,
    /// The logs that are stored raw.
    pub(crate) unknown: Vec<UnknownLog>,
    /// What its events take in memory, roughly.
    pub(crate) bytes: usize,
}

/// Why a log is stored as `unknown`.
#[derive(Debug)]
pub(crate) struct UnknownLog {
    pub(crate) event_id: String,
    pub(crate) registry: Registry,
    pub(crate) topic0: Option<B256>,
    pub(crate) reason: NotDecoded,
    /// Whether it would be decoded if it were shorter, or is stored in part.
    pub(crate) is_too_long: bool,
}

/// Makes a header that was asked for by `number`, and the logs asked for by its hash, into a block.
/// The error says what the node got wrong.
pub(crate) fn block(
    settings: &ChainSettings,
    number: u64,
    header: &NodeHeader,
    logs: &[impl Borrow<NodeLog>],
) -> Result<Block, String> {
    let link = header.header_ref()?;
    let row = chain_block(settings.id, number, header, link)?;
    let mut events = Vec::with_capacity(logs.len());
    let mut unknown = Vec::new();
    for (place, log) in in_order(logs)? {
        let registry = check_log(settings, link, log)?;
        let mut event = raw_event(&row, place, registry, log);
        let decoded = match log.unread {
            Some(_) => Err(NotDecoded::Unread),
            None => decode::decode(registry, &log.topics, &log.data),
        };
        match decoded {
            Ok(decoded) => {
                decoded.event_type.clone_into(&mut event.event_type);
                event.agent_id = decoded.agent_id.map(|agent| agent.to_string());
                event.data = Some(serde_json::Value::Object(decoded.arguments));
            }
            Err(reason) => {
                let is_shortened = raw_log::store(&mut event, log);
                unknown.push(UnknownLog {
                    is_too_long: is_shortened || reason.is_by_length(),
                    event_id: event.name.id.clone(),
                    registry,
                    topic0: log.topics.first().copied(),
                    reason,
                });
            }
        }
        events.push(event);
    }
    let data_bytes: usize = logs.iter().map(|log| log.borrow().data.len()).sum();
    let bytes = data_bytes + ROW_BYTES * events.len();
    Ok(Block { header: link, row, events, unknown, bytes })
}

/// Checks that logs belong to the block and to us, each at its place. The error says what the node
/// got wrong.
pub(crate) fn check_logs(
    settings: &ChainSettings,
    header: &NodeHeader,
    logs: &[NodeLog],
) -> Result<(), String> {
    let link = header.header_ref()?;
    in_order(logs)?.into_iter().try_for_each(|(_, log)| check_log(settings, link, log).map(drop))
}

fn chain_block(
    chain_id: ChainId,
    number: u64,
    header: &NodeHeader,
    link: HeaderRef,
) -> Result<ObservedBlock, String> {
    if u64::try_from(link.number) != Ok(number) {
        let found = link.number;
        return Err(format!("asked for block {number}, it answered with block {found}"));
    }
    let timestamp = i64::try_from(header.timestamp.to::<u64>())
        .ok()
        .filter(|timestamp| *timestamp <= TIMESTAMP_MAX)
        .ok_or_else(|| {
            let found = header.timestamp;
            format!("the time of block {number} is {found}, which is no time in unix seconds")
        })?;
    Ok(ObservedBlock {
        chain_id,
        block_number: link.number,
        block_hash: link.name().hash,
        parent_hash: link.parent().hash,
        timestamp,
    })
}

/// Which registry emitted the log, if it belongs to the block and to us.
fn check_log(settings: &ChainSettings, link: HeaderRef, log: &NodeLog) -> Result<Registry, String> {
    let HeaderRef { number, hash: block, .. } = link;
    if log.block_hash != block {
        let found = log.block_hash;
        return Err(format!("asked for the logs of block {block}, it sent one of block {found}"));
    }
    if i64::try_from(log.block_number.to::<u64>()) != Ok(number) {
        let found = log.block_number;
        return Err(format!("it sent a log of block {block} with the block number {found}"));
    }
    if log.removed {
        return Err(format!("it sent a log of block {block} that a reorganisation removed"));
    }
    settings.registries.at(log.address).ok_or_else(|| {
        let address: Address = log.address;
        format!("it sent a log of {address}, which is none of the registries asked for")
    })
}

/// The place of a log in its block.
#[derive(Clone, Copy)]
struct Place {
    log_index: i32,
    /// Counts from 1 the logs that the node gives the same index.
    nth: u32,
}

/// The logs in their order, each once. Some nodes send them in another order or twice, and some
/// chains number them anew in each transaction.
fn in_order(logs: &[impl Borrow<NodeLog>]) -> Result<Vec<(Place, &NodeLog)>, String> {
    let key = |log: &NodeLog| (log.transaction_index, log.log_index, log.transaction_hash);
    let content = |log: &NodeLog| (log.address, log.topics.clone(), log.data.clone());
    let mut sorted: Vec<&NodeLog> = logs.iter().map(Borrow::borrow).collect();
    sorted.sort_by(|one, other| {
        key(one).cmp(&key(other)).then_with(|| content(one).cmp(&content(other)))
    });
    sorted.dedup_by(|one, other| {
        key(one) == key(other) && one.unread == other.unread && content(one) == content(other)
    });
    let mut placed: Vec<(Place, &NodeLog)> = Vec::with_capacity(sorted.len());
    let mut times: HashMap<i32, u32> = HashMap::new();
    for log in sorted {
        let found = log.log_index.to::<u64>();
        let log_index = i32::try_from(found).map_err(|_| format!("no block has a log {found}"))?;
        let nth = times.entry(log_index).or_insert(0);
        *nth += 1;
        placed.push((Place { log_index, nth: *nth }, log));
    }
    Ok(placed)
}

fn raw_event(block: &ObservedBlock, place: Place, registry: Registry, log: &NodeLog) -> NewEvent {
    let Place { log_index, nth } = place;
    let nth = if nth > 1 { format!(".{nth}") } else { String::new() };
    let id = format!("{}-{}-{log_index}{nth}", block.chain_id, block.block_hash);
    NewEvent {
        name: EventName { id, timestamp: block.timestamp },
        chain_id: block.chain_id,
        block_number: block.block_number,
        block_hash: block.block_hash.clone(),
        transaction_hash: hex::encode_prefixed(log.transaction_hash),
        log_index,
        event_type: UNKNOWN.to_owned(),
        registry: registry.as_str().to_owned(),
        agent_id: None,
        data: None,
        address: Some(hex::encode_prefixed(log.address)),
        topics: None,
        log_data: None,
    }
}

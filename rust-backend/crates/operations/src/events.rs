//! Events, as they are stored. They are everybody's.

use event_engine::event::Event;
use event_store::PgPool;
use event_store::views::events;
pub use event_store::views::events::EventFilter;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::page::page;
use crate::{InputProblem, ListRequest, OperationError, Page, Result};

const LIST: &str = "events";
/// Digits of a uint256.
const AGENT_DIGITS_MAX: usize = 78;

/// An event, as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct EventView {
    /// With `timestamp` its name.
    pub id: String,
    /// The chain.
    pub chain_id: i64,
    /// Its block's height.
    pub block_number: i64,
    /// Its block.
    pub block_hash: String,
    /// Its transaction.
    pub transaction_hash: String,
    /// Its place in the block.
    pub log_index: i32,
    /// Its name on chain.
    pub event_type: String,
    /// The registry.
    pub registry: String,
    /// Its block's time, unix seconds.
    pub timestamp: i64,
    /// The agent that it is about, in decimal.
    pub agent_id: Option<String>,
    /// Its arguments, as they are stored.
    pub args: Option<Box<RawValue>>,
    /// The contract.
    pub address: Option<String>,
    /// Topics of a raw log.
    pub topics: Option<Vec<String>>,
    /// The chain took it back.
    pub invalidated: bool,
    /// The number of times the chain changed its mind about it.
    pub revision: i32,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self {
            args: event.arguments.json().map(ToOwned::to_owned),
            id: event.name.id,
            chain_id: event.chain_id.0,
            block_number: event.block_number,
            block_hash: event.block_hash,
            transaction_hash: event.transaction_hash,
            log_index: event.log_index,
            event_type: event.event_type,
            registry: event.registry,
            timestamp: event.name.timestamp,
            agent_id: event.agent_id,
            address: event.address,
            topics: event.topics,
            invalidated: event.invalidated,
            revision: event.revision,
        }
    }
}

/// Lists the latest events by block time, newest first; of one chain by height.
pub async fn list(
    pool: &PgPool,
    filter: &EventFilter,
    request: &ListRequest,
) -> Result<Page<EventView>> {
    if let Some(agent) = &filter.agent_id
        && (agent.is_empty()
            || agent.len() > AGENT_DIGITS_MAX
            || !agent.bytes().all(|b| b.is_ascii_digit()))
    {
        let problem = format!("{agent:?} is not a decimal number");
        return Err(InputProblem::of_key("agent", problem).into());
    }
    let (limit, after) = request.read(LIST, filter)?;
    let slice = events::list(pool, filter, after.as_ref(), limit).await?;
    let Page { items, next } = page(slice, LIST, filter);
    Ok(Page { items: items.into_iter().map(EventView::from).collect(), next })
}

/// Shows an event. An id that stands for events of several block times needs one of these.
pub async fn show(pool: &PgPool, id: &str, timestamp: Option<i64>) -> Result<EventView> {
    let mut events = events::of_id(pool, id).await?;
    events.retain(|event| timestamp.is_none_or(|time| event.name.timestamp == time));
    if let [first, second, ..] = &events[..] {
        return Err(OperationError::Conflict(format!(
            "{} events have the id {id:?}, with the block times {}, {} …; add the timestamp of one",
            events.len(),
            first.name.timestamp,
            second.name.timestamp
        )));
    }
    let found = events.pop().map(EventView::from);
    found.ok_or_else(|| OperationError::NotFound { kind: "event", name: format!("{id:?}") })
}

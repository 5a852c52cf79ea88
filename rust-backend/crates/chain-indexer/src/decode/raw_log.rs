//! The row of a log that no decoder reads: `ponder-indexers/src/event-row.ts` does the same.

use alloy_primitives::hex;
use event_store::events::new_events::NewEvent;
use serde_json::json;

use crate::Registry;
use crate::decode::{SHORT_BYTES, agent_of_raw};
use crate::rpc::answer::{NodeLog, UnreadLog};

/// Bytes of data that `events` takes: as much as a block of 60 million gas holds. Of a longer log
/// the beginning is stored.
pub(crate) const RAW_BYTES_MAX: usize = 4 << 20;
/// The argument with the data's length, if that may be why it was not decoded.
const LENGTH: &str = "log_data_bytes";

/// Leaves the log raw in its row, with its agent where its topics tell it. Returns true if it is
/// stored only in part.
pub(crate) fn store(event: &mut NewEvent, registry: Registry, log: &NodeLog) -> bool {
    event.agent_id = agent_of_raw(registry, &log.topics).map(|agent| agent.to_string());
    if let Some(unread) = log.unread {
        event.topics = (!log.topics.is_empty()).then(|| topics(log));
        event.data = Some(unread_mark(unread));
        return false;
    }
    let length = log.data.len();
    let kept = &log.data[..length.min(RAW_BYTES_MAX)];
    event.topics = Some(topics(log));
    event.log_data = Some(hex::encode_prefixed(kept));
    if length > SHORT_BYTES {
        event.data = Some(json!({ LENGTH: length }));
    }
    kept.len() < length
}

fn topics(log: &NodeLog) -> Vec<String> {
    log.topics.iter().map(hex::encode_prefixed).collect()
}

/// The `data` of a log that was not read.
fn unread_mark(unread: UnreadLog) -> serde_json::Value {
    let bytes = unread.hex_bytes.map(|hex| hex.saturating_sub(2) / 2);
    json!({"unread": {"reason": "longer than an answer may be", "bytes": bytes}})
}

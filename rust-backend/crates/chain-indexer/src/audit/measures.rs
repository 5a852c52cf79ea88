//! What the auditor measures of each chain.

use event_engine::event::ChainId;
use metrics::{counter, describe_counter, describe_gauge, gauge};

const BLOCK: &str = "agentauri_audit_block";
const UNPROVED: &str = "agentauri_audit_blocks_unproved";
const FAILING: &str = "agentauri_audit_failing";
const STOPPED: &str = "agentauri_audit_stopped";
const REORGS: &str = "agentauri_audit_reorgs_total";
const INVALIDATED: &str = "agentauri_audit_events_invalidated_total";
const RESTORED: &str = "agentauri_audit_events_restored_total";

/// Says what the series are.
pub(super) fn describe() {
    describe_gauge!(
        BLOCK,
        "The block up to which a chain was compared whose writer is the auditor"
    );
    describe_gauge!(UNPROVED, "Blocks that events name and of which nothing is proved");
    describe_gauge!(FAILING, "1 while the node or the store fails and is tried again");
    describe_gauge!(STOPPED, "1 where auditing the chain has stopped for good");
    describe_counter!(REORGS, "Reorganisations that the auditor followed");
    describe_counter!(INVALIDATED, "Events that the auditor took back");
    describe_counter!(RESTORED, "Events that the auditor made valid again");
}

/// Shows a chain with nothing done yet.
pub(super) fn begin(chain: ChainId) {
    failing(chain, false);
    stopped(chain, false);
    unproved(chain, 0);
    for name in [REORGS, INVALIDATED, RESTORED] {
        counter!(name, "chain_id" => chain.to_string()).increment(0);
    }
}

pub(super) fn audited(chain: ChainId, block: i64) {
    #[expect(clippy::cast_precision_loss, reason = "no chain is 2^52 blocks high")]
    gauge!(BLOCK, "chain_id" => chain.to_string()).set(block as f64);
}

pub(super) fn unproved(chain: ChainId, blocks: i64) {
    #[expect(clippy::cast_precision_loss, reason = "so many rows fit nowhere")]
    gauge!(UNPROVED, "chain_id" => chain.to_string()).set(blocks as f64);
}

pub(super) fn failing(chain: ChainId, failing: bool) {
    gauge!(FAILING, "chain_id" => chain.to_string()).set(i32::from(failing));
}

pub(super) fn stopped(chain: ChainId, stopped: bool) {
    gauge!(STOPPED, "chain_id" => chain.to_string()).set(i32::from(stopped));
}

pub(super) fn followed(chain: ChainId, events_invalidated: u64) {
    counter!(REORGS, "chain_id" => chain.to_string()).increment(1);
    taken_back(chain, events_invalidated);
}

pub(super) fn taken_back(chain: ChainId, events: u64) {
    counter!(INVALIDATED, "chain_id" => chain.to_string()).increment(events);
}

pub(super) fn restored(chain: ChainId, events: u64) {
    counter!(RESTORED, "chain_id" => chain.to_string()).increment(events);
}

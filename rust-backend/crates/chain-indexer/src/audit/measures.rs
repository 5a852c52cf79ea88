//! The auditor's series, by chain.

use event_engine::event::ChainId;
use metrics::{counter, describe_counter, describe_gauge, gauge};

pub(super) const BLOCK: &str = "agentauri_audit_block";
pub(super) const UNPROVED: &str = "agentauri_audit_blocks_unproved";
pub(super) const FAILING: &str = "agentauri_audit_failing";
pub(super) const STOPPED: &str = "agentauri_audit_stopped";
pub(super) const REORGS: &str = "agentauri_audit_reorgs_total";
pub(super) const INVALIDATED: &str = "agentauri_audit_events_invalidated_total";
pub(super) const RESTORED: &str = "agentauri_audit_events_restored_total";

/// Registers the series' help texts.
pub(super) fn describe() {
    describe_gauge!(
        BLOCK,
        "The block up to which the auditor, as the writer, has compared a chain"
    );
    describe_gauge!(UNPROVED, "Blocks that events name and of which nothing is proved");
    describe_gauge!(FAILING, "1 while the node or PostgreSQL fails and is retried");
    describe_gauge!(STOPPED, "1 where auditing the chain has stopped for good");
    describe_counter!(REORGS, "Reorganisations that the auditor followed");
    describe_counter!(INVALIDATED, "Events that the auditor invalidated");
    describe_counter!(RESTORED, "Events that the auditor made valid again");
}

/// Shows a chain whose audit begins.
pub(super) fn begin(chain: ChainId) {
    for gauge in [FAILING, STOPPED, UNPROVED] {
        set(gauge, chain, 0);
    }
    for counter in [REORGS, INVALIDATED, RESTORED] {
        add(counter, chain, 0);
    }
}

pub(super) fn set(series: &'static str, chain: ChainId, value: i64) {
    #[expect(clippy::cast_precision_loss, reason = "no chain is 2^52 blocks high")]
    gauge!(series, "chain_id" => chain.to_string()).set(value as f64);
}

pub(super) fn add(series: &'static str, chain: ChainId, count: u64) {
    counter!(series, "chain_id" => chain.to_string()).increment(count);
}

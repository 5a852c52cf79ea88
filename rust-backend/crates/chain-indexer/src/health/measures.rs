//! The indexer's series, by chain: its progress, and its state.

use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::health::status::{ChainState, ChainStatus};

/// Registers the series' help texts.
pub(crate) fn describe() {
    let gauges = [
        ("agentauri_chain_head_block", "The head that the chain's node last showed"),
        ("agentauri_chain_last_block", "The last block that is stored"),
        ("agentauri_chain_finalized_block", "The last block that is stored and finalized"),
        ("agentauri_chain_failing", "1 while the node or PostgreSQL fails and is retried"),
        ("agentauri_chain_stopped", "1 where the chain has stopped until an operator acts"),
    ];
    for (name, text) in gauges {
        describe_gauge!(name, text);
    }
    let counters = [
        ("agentauri_chain_blocks_stored_total", "Blocks stored"),
        ("agentauri_chain_events_stored_total", "Events stored, or made valid again"),
        ("agentauri_chain_logs_unknown_total", "Logs stored raw: no decoder read them"),
        ("agentauri_chain_logs_unread_total", "Logs longer than an answer may be, not read"),
        ("agentauri_chain_logs_too_long_total", "Logs too long to be decoded, or stored in part"),
        ("agentauri_chain_reorgs_total", "Reorganisations followed"),
    ];
    for (name, text) in counters {
        describe_counter!(name, text);
    }
}

/// Shows the chains as they are now.
pub(crate) fn show(chains: &[ChainStatus]) {
    for chain in chains {
        let id = chain.chain_id.to_string();
        let heights = [
            ("agentauri_chain_head_block", chain.head),
            ("agentauri_chain_last_block", chain.last_block),
            ("agentauri_chain_finalized_block", chain.finalized),
        ];
        for (name, height) in heights {
            if let Some(height) = height {
                gauge!(name, "chain_id" => id.clone()).set(float(height));
            }
        }
        let states = [
            ("agentauri_chain_failing", matches!(chain.state, ChainState::Failing { .. })),
            ("agentauri_chain_stopped", matches!(chain.state, ChainState::Stopped { .. })),
        ];
        for (name, is_so) in states {
            gauge!(name, "chain_id" => id.clone()).set(i32::from(is_so));
        }
        let counts = [
            ("agentauri_chain_blocks_stored_total", chain.blocks_stored),
            ("agentauri_chain_events_stored_total", chain.events_stored),
            ("agentauri_chain_logs_unknown_total", chain.logs_unknown),
            ("agentauri_chain_logs_unread_total", chain.logs_unread),
            ("agentauri_chain_logs_too_long_total", chain.logs_too_long),
            ("agentauri_chain_reorgs_total", chain.reorgs),
        ];
        for (name, count) in counts {
            counter!(name, "chain_id" => id.clone()).absolute(count);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; no chain is 2^52 blocks high")]
fn float(height: u64) -> f64 {
    height as f64
}

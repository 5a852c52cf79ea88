//! The nodes of the chains beside each other, and beside the stored blocks.

use chrono::{DateTime, Utc};
use event_store::views::node_heads::{ReadingProgress, SeenHead};

use super::{Problem, problem};

/// A head that is behind another one and has not moved for so long stands still.
const STANDS_STILL_SECONDS: i64 = 15;
/// A chain whose heads have all stood still for longer is not read now, or rests.
const MOVES_SECONDS: i64 = 60;
/// Nodes and chains that are named.
const NAMED_MAX: usize = 10;

pub(super) fn behind(
    heads: &[SeenHead],
    progress: &[ReadingProgress],
    now: DateTime<Utc>,
) -> Problem {
    let seconds = |head: &SeenHead| (now - head.seen_at).num_seconds();
    let moves = |chain: i64| {
        let newest = heads.iter().filter(|head| head.chain_id == chain).map(seconds).min();
        newest.is_some_and(|seconds| seconds <= MOVES_SECONDS)
    };
    let is_behind = |head: &&SeenHead| {
        let stands_still = head.blocks_behind > 1 && seconds(head) >= STANDS_STILL_SECONDS;
        stands_still && moves(head.chain_id)
    };
    let says: Vec<String> = heads
        .iter()
        .filter(is_behind)
        .map(|SeenHead { chain_id, node, block_number, blocks_behind, .. }| {
            format!(
                "{node} of chain {chain_id} is at block {block_number}, {blocks_behind} behind \
                 another node"
            )
        })
        .collect();
    let ok = says.is_empty();
    let says = if ok {
        let read: Vec<String> = progress.iter().map(|it| read(it, heads)).collect();
        joined(&read).unwrap_or_else(|| "our indexer reads none".to_owned())
    } else {
        joined(&says).unwrap_or_default()
    };
    let remedy = "the others are asked meanwhile: ask the node's operator, or take it out of \
                  rpc_urls";
    problem("nodes_behind", "Nodes", (ok, says), remedy, "a-node-stands-still")
}

/// The progress with a chain, as a clause.
fn read(progress: &ReadingProgress, heads: &[SeenHead]) -> String {
    let ReadingProgress { chain_id, stored_to, logs_compared_to, wrong_filter_at } = progress;
    let of_chain = heads.iter().filter(|head| head.chain_id == *chain_id);
    let head = of_chain.map(|head| head.block_number).max();
    let left = head.map_or_else(String::new, |head| {
        format!(" of {head} ({} left)", head.saturating_sub(*stored_to).max(0))
    });
    let compared = logs_compared_to
        .map_or_else(|| "not compared yet".to_owned(), |to| format!("compared up to {to}"));
    let filters = wrong_filter_at
        .map_or_else(String::new, |block| format!(", the bloom filter of block {block} was wrong"));
    format!("chain {chain_id} is stored up to block {stored_to}{left}, logs {compared}{filters}")
}

fn joined(sentences: &[String]) -> Option<String> {
    let (named, others) = sentences.split_at(sentences.len().min(NAMED_MAX));
    let more = match others.len() {
        0 => String::new(),
        others => format!("; and {others} more"),
    };
    (!named.is_empty()).then(|| named.join("; ") + &more)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn head(node: &str, number: i64, behind: i64, seconds: i64, now: DateTime<Utc>) -> SeenHead {
        SeenHead {
            chain_id: 1,
            reader: "indexer".to_owned(),
            node: node.to_owned(),
            block_number: number,
            blocks_behind: behind,
            seen_at: now - TimeDelta::seconds(seconds),
        }
    }

    #[test]
    fn a_node_that_stands_still_beside_another_is_a_problem() {
        let now = Utc::now();
        let progress = [ReadingProgress {
            chain_id: 1,
            stored_to: 700,
            logs_compared_to: Some(684),
            wrong_filter_at: None,
        }];
        let of = |heads: &[SeenHead]| behind(heads, &progress, now);
        let good = head("rpc_urls[1]", 700, 0, 1, now);
        let found = of(&[head("rpc_urls[0]", 617, 83, 90, now), good.clone()]);
        assert!(!found.ok);
        assert_eq!(found.says, "rpc_urls[0] of chain 1 is at block 617, 83 behind another node");
        // A little behind, as any two nodes are.
        let found = of(&[head("rpc_urls[0]", 698, 2, 1, now), good]);
        let says = "chain 1 is stored up to block 700 of 700 (0 left), logs compared up to 684";
        assert_eq!((found.ok, found.says.as_str()), (true, says));
        // Nobody reads the chain now: these are old.
        let stale = [head("rpc_urls[0]", 617, 83, 900, now), head("rpc_urls[1]", 700, 0, 600, now)];
        assert!(of(&stale).ok);
    }
}

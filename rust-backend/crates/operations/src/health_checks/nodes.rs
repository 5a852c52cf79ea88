//! The nodes of the chains beside each other, and beside the stored blocks.

use chrono::{DateTime, Utc};
use event_store::views::node_heads::{ReadingProgress, SeenHead};

use super::{Problem, problem};

/// A head that is behind another one and has not moved for so long stands still.
const STANDS_STILL_SECONDS: i64 = 15;
/// A chain whose heads have all stood still for longer is not read now, or rests.
const MOVES_SECONDS: i64 = 60;
/// Blocks that are left from which on it is told how long they take.
const CATCHING_UP_BLOCKS: i64 = 100;
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
    let ReadingProgress { chain_id, stored_to, logs_compared_to, wrong_filter_at, .. } = progress;
    let of_chain = heads.iter().filter(|head| head.chain_id == *chain_id);
    let head = of_chain.map(|head| head.block_number).max();
    let left = head.map_or_else(String::new, |head| {
        let left = head.saturating_sub(*stored_to).max(0);
        format!(" of {head} ({left} left{})", estimate(left, progress.blocks_per_second))
    });
    let compared = logs_compared_to
        .map_or_else(|| "not compared yet".to_owned(), |to| format!("compared up to {to}"));
    let filters = wrong_filter_at
        .map_or_else(String::new, |block| format!(", the bloom filter of block {block} was wrong"));
    format!("chain {chain_id} is stored up to block {stored_to}{left}, logs {compared}{filters}")
}

/// The rate and the time that is left, where blocks are caught up with.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn estimate(left: i64, blocks_per_second: Option<f64>) -> String {
    match blocks_per_second {
        Some(rate) if left >= CATCHING_UP_BLOCKS && rate > 0.0 => {
            let seconds = left as f64 / rate;
            let time = match seconds {
                ..120.0 => format!("{seconds:.0} s"),
                ..7_200.0 => format!("{:.0} min", seconds / 60.0),
                _ => format!("{:.0} h", seconds / 3_600.0),
            };
            format!(" at {rate:.0} blocks/s, about {time}")
        }
        None if left >= CATCHING_UP_BLOCKS => ", none within a minute".to_owned(),
        _ => String::new(),
    }
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
            blocks_per_second: Some(0.5),
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
        for (left, rate, told) in [
            (99, Some(50.0), ""),
            (6_000, Some(100.0), " at 100 blocks/s, about 60 s"),
            (600_000, Some(100.0), " at 100 blocks/s, about 100 min"),
            (6_000_000, Some(100.0), " at 100 blocks/s, about 17 h"),
            (6_000, None, ", none within a minute"),
            (6_000, Some(0.0), ""),
        ] {
            assert_eq!(estimate(left, rate), told);
        }
        // Nobody reads the chain now: these are old.
        let stale = [head("rpc_urls[0]", 617, 83, 900, now), head("rpc_urls[1]", 700, 0, 600, now)];
        assert!(of(&stale).ok);
    }
}

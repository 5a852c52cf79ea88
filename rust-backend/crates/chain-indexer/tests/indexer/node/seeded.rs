//! Nodes with limits and manners that are drawn from a seed: whenever some way of asking brings the
//! logs, the indexer gets to the head with exactly them.

use std::time::Duration;

use chain_indexer::{ChainState, ChainStatus};
use event_engine::event::ChainId;
use futures::{StreamExt, stream};

use crate::branch::branches::registries;
use crate::world::{Database, Indexing, LimitedNode, settings};

/// Blocks of a node at first, most of which are final; and those that it mines afterwards.
const BLOCKS: u32 = 160;
const MINED: u32 = 12;
/// Questions for a block, and to find a limit.
const QUESTIONS_PER_BLOCK: f64 = 4.0;
const QUESTIONS_PER_LIMIT: f64 = 20.0;
/// Questions for the blocks at the head, once all limits are found: better ways are tried again.
const QUESTIONS_TO_TRY_AGAIN: f64 = 40.0;
/// Seeds of a run of `scripts/run-tests.sh`, and those that have found faults;
/// `AGENTAURI_NODE_SEEDS` asks for others: `FIRST-LAST`.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=24;
const FOUND: [u64; 7] = [117, 217, 228, 331, 408, 426, 468];
/// Seeds at once, the fewer the fewer there are. They mostly wait.
const TOGETHER: std::ops::RangeInclusive<usize> = 6..=30;

fn seeds() -> Vec<u64> {
    let Ok(asked) = std::env::var("AGENTAURI_NODE_SEEDS") else {
        return SEEDS.chain(FOUND).collect();
    };
    let (first, last) = asked.split_once('-').unwrap_or((&asked, &asked));
    let number = |text: &str| text.parse().expect("AGENTAURI_NODE_SEEDS is FIRST-LAST");
    (number(first)..=number(last)).collect()
}

/// Waits until the head is stored; the error says where the chain stays instead.
async fn at_head(node: &LimitedNode, indexing: &Indexing, name: &str) -> Result<(), String> {
    let head = node.head();
    let is_there = |status: &ChainStatus| {
        status.last_block == Some(head) && status.state == ChainState::AtHead
    };
    let reached = indexing.reaches(name, is_there).await;
    reached.map_err(|status| format!("{name} stays at {status:?}; {:?}", node.nature))
}

/// Stores all that the node has, and what it mines then; the questions for the former.
async fn follow(node: &LimitedNode, indexing: &Indexing, name: &str) -> Result<u32, String> {
    at_head(node, indexing, name).await?;
    let asked = node.asked();
    for _ in 0..MINED {
        node.mine();
        at_head(node, indexing, name).await?;
    }
    Ok(asked)
}

/// Compares the stored rows of the node's chain with its logs.
async fn compare(database: &Database, node: &LimitedNode) -> Result<(), String> {
    let of_node = |id: i64| u64::try_from(id) == Ok(node.chain_id);
    let events = database.events().await.into_iter();
    let (whole, unread): (Vec<_>, Vec<_>) = events
        .filter(|event| of_node(event.chain_id) && !event.invalidated)
        .partition(|event| event.event_type == "MetadataUpdate");
    if let Some(event) = unread.first() {
        return Err(format!("{} is stored as {}", event.id, event.event_type));
    }
    let mut ids: Vec<String> = whole.into_iter().map(|event| event.id).collect();
    ids.sort();
    let expected = node.ids();
    let stored = ids.len();
    (ids == expected).then_some(()).ok_or(format!("{stored} of {} events", expected.len()))
}

/// Indexes a node; the error says how that went wrong.
async fn index(database: &Database, seed: u64) -> Result<(), String> {
    let node = LimitedNode::start(seed, BLOCKS.into()).await;
    let mut chain = settings(&[&node.url], registries(), 1);
    chain.name = format!("seed {seed}");
    chain.id = ChainId(i64::try_from(node.chain_id).expect("a small number"));
    chain.poll_interval = Duration::from_millis(200);
    let name = chain.name.clone();
    let indexing = Indexing::start(&database.pool, vec![chain]);
    let nature = format!("{:?}", node.nature);
    let followed = follow(&node, &indexing, &name).await;
    let asked = node.asked();
    indexing.stop().await;
    let asked_first = followed?;
    compare(database, &node).await.map_err(|problem| format!("{name}: {problem}; {nature}"))?;
    let limits = QUESTIONS_PER_LIMIT * f64::from(node.nature.limits());
    let (first, mined) = (f64::from(asked_first), f64::from(asked - asked_first));
    for (asked, blocks, more) in [(first, BLOCKS, limits), (mined, MINED, QUESTIONS_TO_TRY_AGAIN)] {
        let most = QUESTIONS_PER_BLOCK * f64::from(blocks) + more;
        let most = most / (1.0 - node.nature.lapses()).powi(4);
        if asked > most {
            return Err(format!("{name}: {asked} questions, at most {most}; {nature}"));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_some_way_of_asking_brings_the_logs_they_are_stored() {
    let database = Database::start().await;
    let seeds = seeds();
    let together = (seeds.len() / 16).clamp(*TOGETHER.start(), *TOGETHER.end());
    let outcomes: Vec<_> = stream::iter(seeds)
        .map(|seed| index(&database, seed))
        .buffer_unordered(together)
        .filter_map(async |outcome| outcome.inspect_err(|problem| eprintln!("{problem}")).err())
        .collect()
        .await;
    assert!(outcomes.is_empty(), "{} went wrong\n{}", outcomes.len(), outcomes.join("\n"));
}

//! Far below the head, where blocks are fetched many at once: what nodes refuse, and what they say
//! that is not so. Nothing of a lie is stored, and nothing is left out.

use chain_indexer::ChainState;
use serde_json::{Value, json};

use crate::branch::branches::{assert_follows, indexed, until_head, world};
use crate::world::{Database, Indexing, Said, Script, ScriptedNode, quantity};

/// Blocks of a node, most of which are final.
const BLOCKS: u64 = 300;
/// First and last block of a question for a range's logs.
fn range_of(asked: &str, params: &Value) -> Option<(u64, u64)> {
    let filter = &params[0];
    let is_range = asked == "eth_getLogs" && filter["fromBlock"].is_string();
    is_range.then(|| (quantity(&filter["fromBlock"]), quantity(&filter["toBlock"])))
}

/// Everything of the node is stored once, and covered.
async fn assert_complete(database: &Database, node: &ScriptedNode) {
    assert_follows(database, node).await;
    let head = node.script().headers.len() as u64 - 1;
    let head = i64::try_from(head).expect("a small number");
    assert_eq!(database.covered(31_337).await, [(1, head)]);
    assert_eq!(database.log_entries().await.0, head);
    let checkpoints = database.checkpoint_entries().await;
    assert!(checkpoints.is_sorted_by(|one, next| one < next), "{checkpoints:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_without_a_log_are_covered_without_header_and_row() {
    let (database, node, chain) = world(2_000).await;
    {
        let mut script = node.script();
        script.one_log_each = false;
        for block in [7, 8, 900, 1_999] {
            let log = Script::log(block, 0, &json!([]), "0x");
            script.set_logs(block, vec![log]);
        }
    }
    let indexing = indexed(&database, &node, &chain).await;
    indexing.stop().await;
    let heights: Vec<_> = database.events().await.iter().map(|row| row.block_number).collect();
    assert_eq!(heights, [7, 8, 900, 1_999]);
    assert_eq!(database.covered(31_337).await, [(1, 1_999)]);
    let rows: Vec<_> = database.blocks(31_337).await.iter().map(|block| block.0).collect();
    assert!(rows.len() < 200, "{} rows", rows.len());
    assert!([1, 7, 8, 900, 1_935].iter().all(|block| rows.contains(block)), "{rows:?}");
    assert!(node.script().times_asked("eth_getBlockByNumber") < 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_refuses_is_asked_for_in_parts_whatever_it_says() {
    let refusals = [
        Said::Error(-32_005, "query returned more than 10000 results"),
        Said::Error(
            -32_602,
            "Log response size exceeded. this block range should work: [0x1, 0x2]",
        ),
        Said::Error(-32_000, "exceed maximum block range: 10"),
        Said::Http(413, None, "too large"),
        Said::Http(400, None, r#"{"error": {"code": -32602, "message": "range too wide"}}"#),
        Said::Http(500, None, r#"{"error": {"code": -32603, "message": "timeout"}}"#),
        Said::Http(504, None, "upstream timed out"),
        Said::Error(-32_005, "limit exceeded"),
        Said::Http(429, None, "too many requests"),
        Said::Result(json!({"error": "too wide"})),
        Said::Half,
    ];
    for (refusal, widest) in refusals.into_iter().zip([1, 2, 10, 100, 10, 3, 20, 50, 7, 5, 4]) {
        let (database, node, chain) = world(BLOCKS).await;
        let said = refusal.clone();
        node.script().instead = Some(Box::new(move |asked, params| {
            let (first, last) = range_of(asked, params)?;
            (last - first >= widest).then(|| said.clone())
        }));
        let indexing = indexed(&database, &node, &chain).await;
        indexing.stop().await;
        assert_complete(&database, &node).await;
        assert!(node.script().times_asked("eth_getLogs") < 600, "{refusal:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_gives_no_ranges_at_all_is_asked_block_by_block() {
    let (database, node, chain) = world(BLOCKS).await;
    node.script().instead = Some(Box::new(|asked, params| {
        range_of(asked, params).map(|_| Said::Error(-32_601, "not supported"))
    }));
    let indexing = indexed(&database, &node, &chain).await;
    indexing.stop().await;
    assert_complete(&database, &node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_refuses_batches_is_asked_one_by_one() {
    for refusal in [
        Said::Error(-32_600, "batches are not supported"),
        Said::Http(400, None, "an array"),
        Said::Http(403, None, r#"{"error": {"code": -32600, "message": "no batches"}}"#),
    ] {
        let (database, node, chain) = world(BLOCKS).await;
        node.script().instead =
            Some(Box::new(move |asked, _| (asked == "batch").then(|| refusal.clone())));
        let indexing = indexed(&database, &node, &chain).await;
        indexing.stop().await;
        assert_complete(&database, &node).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_of_a_limited_size_are_found_and_kept_to() {
    let (database, node, chain) = world(BLOCKS).await;
    node.script().instead = Some(Box::new(|asked, questions| {
        let is_long = asked == "batch" && questions.as_array().is_some_and(|all| all.len() > 5);
        is_long.then_some(Said::Error(-32_600, "batch limit exceeded"))
    }));
    let indexing = indexed(&database, &node, &chain).await;
    indexing.stop().await;
    assert_complete(&database, &node).await;
    assert!(node.script().times_asked("batch") > 40);
}

/// What a node makes of a range's logs.
type Lie = fn(&mut Vec<Value>);

fn lies() -> [Lie; 5] {
    [
        |logs| logs[3]["blockNumber"] = json!("0x1000"),
        |logs| logs[3]["removed"] = json!(true),
        |logs| logs[3]["blockHash"] = json!(format!("0x{:064x}", 7)),
        |logs| logs[3]["address"] = json!(format!("0x{:040x}", 7)),
        |logs| logs[3] = json!({}),
    ]
}

/// Lets a node lie about every range of more than a few logs.
fn lying(node: &ScriptedNode, lie: Lie) {
    let logs = node.script().logs_from(1, BLOCKS);
    node.script().instead = Some(Box::new(move |asked, params| {
        let (first, last) = range_of(asked, params)?;
        let all = logs.as_array().expect("a list").iter();
        let within = |log: &&Value| (first..=last).contains(&quantity(&log["blockNumber"]));
        let mut logs: Vec<_> = all.filter(within).cloned().collect();
        if logs.len() > 4 {
            lie(&mut logs);
        }
        Some(Said::Result(Value::Array(logs)))
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_contradicts_itself_is_asked_for_in_parts() {
    for lie in lies() {
        let (database, node, chain) = world(BLOCKS).await;
        lying(&node, lie);
        let indexing = indexed(&database, &node, &chain).await;
        indexing.stop().await;
        assert_complete(&database, &node).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_a_range_in_any_order_and_twice_are_stored_once() {
    let manners: [Lie; 3] =
        [|logs| logs.reverse(), |logs| logs.swap(1, 2), |logs| logs.insert(3, logs[3].clone())];
    for manner in manners {
        let (database, node, chain) = world(BLOCKS).await;
        lying(&node, manner);
        let indexing = indexed(&database, &node, &chain).await;
        indexing.stop().await;
        assert_complete(&database, &node).await;
        assert!(node.script().times_asked("eth_getLogs") < 80, "as ranges");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lies_is_left_for_the_next() {
    let (database, node, mut chain) = world(BLOCKS).await;
    let liar = ScriptedNode::start(BLOCKS).await;
    liar.script().one_log_each = true;
    lying(&liar, |logs| logs[3] = json!({}));
    chain.rpc_urls.insert(0, service::config::RpcUrl::parse(&liar.url).expect("a URL"));
    let indexing = indexed(&database, &node, &chain).await;
    indexing.stop().await;
    assert_complete(&database, &node).await;
    // It was tried, and not over and over.
    let asked = liar.script().times_asked("eth_getLogs");
    assert!((1..50).contains(&asked), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lagging_node_behind_the_same_url_leaves_nothing_out() {
    let (database, node, chain) = world(BLOCKS).await;
    // It has blocks up to 150, and gives the logs up to there as if that were all.
    let logs = node.script().logs_from(1, 150);
    node.script().instead = Some(Box::new(move |asked, params| {
        if asked == "eth_getBlockByNumber" {
            return (quantity(&params[0]) > 150).then_some(Said::Result(Value::Null));
        }
        range_of(asked, params).map(|(first, last)| {
            let all = logs.as_array().expect("a list").iter();
            let within = |log: &&Value| (first..=last).contains(&quantity(&log["blockNumber"]));
            Said::Result(all.filter(within).cloned().collect())
        })
    }));
    let indexing = Indexing::start(&database.pool, vec![chain]);
    let failing = |state: &ChainState| match state {
        ChainState::Failing { problem } => problem.contains("does not have block 151"),
        _ => false,
    };
    indexing.until("devnet", |status| failing(&status.state)).await;
    assert!(database.events().await.iter().map(|event| event.block_number).eq(1..=150));
    node.script().instead = None;
    until_head(&indexing, &node, 0).await;
    indexing.stop().await;
    assert_complete(&database, &node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_no_larger_than_what_a_node_takes_in_a_second() {
    let (database, node, mut chain) = world(BLOCKS).await;
    chain.requests_per_second = std::num::NonZeroU32::new(100);
    node.script().instead = Some(Box::new(|asked, questions| {
        let is_long = asked == "batch" && questions.as_array().is_some_and(|all| all.len() > 25);
        is_long.then_some(Said::Http(429, None, "too many requests"))
    }));
    let indexing = indexed(&database, &node, &chain).await;
    indexing.stop().await;
    assert_complete(&database, &node).await;
    // Refused ones and all: some forty hold the headers of all blocks.
    assert!(node.script().times_asked("batch") < 80, "{}", node.script().times_asked("batch"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_block_with_another_parent_is_not_stored() {
    let (database, node, chain) = world(100).await;
    let indexing = indexed(&database, &node, &chain).await;
    indexing.stop().await;
    database.execute("DELETE FROM chain_heights").await;
    // Another chain from block 50 on, far below the head by now.
    let branch = node.script().branched(50, 1, BLOCKS);
    node.script().headers = branch;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &node, 1).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
    let head = i64::try_from(BLOCKS).expect("a small number");
    assert_eq!(database.covered(31_337).await, [(1, head)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_among_blocks_without_a_row_invalidates_what_it_must() {
    let (database, node, chain) = world(BLOCKS).await;
    {
        let mut script = node.script();
        script.one_log_each = false;
        for block in [20, 60, 90, 200, 290] {
            script.set_logs(block, vec![Script::log(block, 0, &json!([]), "0x")]);
        }
    }
    let indexing = indexed(&database, &node, &chain).await;
    indexing.stop().await;
    // Only an operator's word lets it go that deep.
    database.execute("DELETE FROM chain_heights").await;
    let branch = node.script().branched(75, 1, BLOCKS + 10);
    node.script().headers = branch;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &node, 1).await;
    indexing.stop().await;
    let events = database.events().await;
    let valid = events.iter().filter(|event| !event.invalidated).map(|event| event.block_number);
    assert_eq!(valid.collect::<Vec<_>>(), [20, 60]);
    let head = i64::try_from(BLOCKS + 10).expect("a small number");
    assert_eq!(database.covered(31_337).await, [(1, head)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn crashed_among_ranges_it_loses_and_doubles_nothing() {
    let (database, node, chain) = world(3_000).await;
    for stored in (200..2_800).step_by(400) {
        let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
        indexing.until_stored(stored).await;
        indexing.crash().await;
    }
    let indexing = indexed(&database, &node, &chain).await;
    indexing.stop().await;
    assert_complete(&database, &node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn near_the_head_many_missing_blocks_are_stored_together() {
    let (database, node, chain) = world(60).await;
    let indexing = indexed(&database, &node, &chain).await;
    indexing.stop().await;
    assert_complete(&database, &node).await;
    assert!(database.checkpoint_entries().await.len() < 59);
    // No range was asked for so near the head.
    assert_eq!(node.script().times_asked("batch"), 0);
}

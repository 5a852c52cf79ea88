//! What no reorganisation takes back, whoever says what is final.

use chain_indexer::{ChainSettings, ChainState, IndexerError};
use event_engine::event::ChainId;
use service::config::{ChainWriter, StartBlock};

use crate::branch::branches::{assert_follows, indexed, registries, until_head, world};
use crate::world::{Database, Indexing, Said, ScriptedNode, audit, settings};

/// Indexes a moment: up to the head, and until it has looked at what is final.
async fn finalized_after_a_start(
    database: &Database,
    node: &ScriptedNode,
    chain: &ChainSettings,
) -> Option<i64> {
    let indexing = indexed(database, node, chain).await;
    let asked = |node: &ScriptedNode| node.script().times_asked("latest");
    let asked_before = asked(node);
    // It looks in the round that reaches the head.
    indexing.until("devnet", |_| asked(node) > asked_before + 1).await;
    indexing.stop().await;
    database.finalized(31_337).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nodes_head_is_kept_as_each_reader_saw_it_last() {
    let (database, node, chain) = world(21).await;
    let (number, hash) = node.script().blocks(0).pop().expect("a head");
    let seen = async |reader: &str| {
        let heads: Vec<(i64, String)> = sqlx::query_as(
            "SELECT block_number, block_hash FROM node_heads
             WHERE chain_id = 31337 AND reader = $1 AND block_time > 0
               AND (node LIKE 'rpc_urls[0]%' OR node LIKE '%removed%')",
        )
        .bind(reader)
        .fetch_all(&database.pool)
        .await
        .expect("heads");
        heads == [(number, hash.clone())]
    };
    let of_before = "INSERT INTO node_heads (
                         chain_id, reader, node, block_number, block_hash, block_time)
                     SELECT 31337, reader, 'rpc_urls[1] (removed)', 1, '0x', 1
                     FROM (VALUES ('indexer'), ('auditor')) AS r (reader)";
    database.execute(of_before).await;
    let indexing = indexed(&database, &node, &chain).await;
    database.until("our indexer's is kept", async || seen("indexer").await).await;
    indexing.stop().await;
    let chain = ChainSettings { writer: ChainWriter::Auditor, ..chain };
    let auditing = audit(&database.pool, vec![chain]);
    database.until("the auditor's is kept", async || seen("auditor").await).await;
    auditing.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_below_the_finalized_block_stops_its_chain_alone() {
    let (database, node, chain) = world(21).await;
    node.script().finalize(12);
    let other_node = ScriptedNode::start(5).await;
    other_node.script().chain_id = 8_453;
    let mut other = settings(&[&other_node.url], registries(), 1);
    (other.name, other.id) = ("elsewhere".to_owned(), ChainId(8_453));
    let indexing = Indexing::start(&database.pool, vec![chain.clone(), other]);
    indexing.until("devnet", |status| status.finalized == Some(12)).await;
    let (events, blocks) = (database.events().await, database.blocks(31_337).await);

    let branch = node.script().branched(11, 1, 25);
    node.script().headers = branch;
    let says_so = |state: &ChainState| match state {
        ChainState::Stopped { problem } => problem.contains("block 12 is final"),
        _ => false,
    };
    indexing.until("devnet", |status| says_so(&status.state)).await;
    let longer = other_node.script().branched(4, 0, 9);
    other_node.script().headers = longer;
    indexing.until("elsewhere", |status| status.last_block == Some(9)).await;
    indexing.stop().await;
    assert_eq!(database.events().await, events);
    assert_eq!(database.blocks(31_337).await, blocks);
    assert_eq!(database.orphans().await, []);
    assert_eq!(database.problem(8_453).await, None);
    let (state, problem) = database.problem(31_337).await.expect("an alarm for operators");
    assert!(state == "stopped" && problem.contains("block 12 is final"), "{state}: {problem}");

    let still = Indexing::start(&database.pool, vec![chain]);
    let error = still.ended().await.expect_err("a chain that stops again");
    let IndexerError::BelowFinalized { chain, fork, finalized, .. } = &error else {
        panic!("another error: {error}")
    };
    assert_eq!((chain.as_str(), *fork, *finalized), ("devnet", 11, 12));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_finalized_row_a_replacing_branch_is_followed() {
    let (database, node, chain) = world(21).await;
    node.script().finalize(12);
    assert_eq!(finalized_after_a_start(&database, &node, &chain).await, Some(12));
    let branch = node.script().branched(5, 1, 25);
    node.script().headers = branch;
    let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
    indexing.ended().await.expect_err("a chain that stops");

    database.execute("DELETE FROM chain_heights WHERE kind = 'finalized'").await;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &node, 1).await;
    assert_eq!(database.problem(31_337).await, None);
    indexing.stop().await;
    assert_follows(&database, &node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_at_the_finalized_block_itself_is_followed() {
    let (database, node, chain) = world(21).await;
    node.script().finalize(12);
    assert_eq!(finalized_after_a_start(&database, &node, &chain).await, Some(12));
    let branch = node.script().branched(12, 1, 25);
    node.script().headers = branch;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &node, 1).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_that_became_final_while_it_was_down_is_followed() {
    let (database, node, chain) = world(21).await;
    node.script().finalize(10);
    assert_eq!(finalized_after_a_start(&database, &node, &chain).await, Some(10));
    let branch = node.script().branched(15, 1, 40);
    node.script().headers = branch;
    node.script().finalize(30);
    assert_eq!(finalized_after_a_start(&database, &node, &chain).await, Some(30));
    assert_follows(&database, &node).await;
}

/// Another reader saw this block become final.
async fn another_sees_final(database: &Database, (number, hash): (i64, String)) {
    sqlx::query(
        "UPDATE chain_heights SET block_number = $1, block_hash = $2 WHERE kind = 'finalized'",
    )
    .bind(number)
    .bind(hash)
    .execute(&database.pool)
    .await
    .expect("raised");
}

/// Somebody else reads the chain, too, and saw the reorganisation become final meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_branch_with_the_finalized_block_is_followed_from_below_it() {
    let (database, node, chain) = world(21).await;
    node.script().finalize(10);
    assert_eq!(finalized_after_a_start(&database, &node, &chain).await, Some(10));
    let branch = node.script().branched(15, 1, 40);
    node.script().headers = branch;
    let block = node.script().blocks(1).swap_remove(29);
    another_sees_final(&database, block).await;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &node, 1).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
}

/// The same, and our node is still on the old branch, below what is final: it lags.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lags_below_the_finalized_block_stops_no_chain() {
    let (database, node, chain) = world(21).await;
    node.script().finalize(10);
    assert_eq!(finalized_after_a_start(&database, &node, &chain).await, Some(10));
    let (new, old) = {
        let script = node.script();
        (script.branched(15, 1, 40), script.branched(18, 2, 20))
    };
    node.script().headers = new.clone();
    let block = node.script().blocks(1).swap_remove(29);
    another_sees_final(&database, block).await;
    node.script().headers = old;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    let failing = async || database.problem(31_337).await.is_some();
    database.until("it is told that it fails", failing).await;
    node.script().headers = new;
    until_head(&indexing, &node, 1).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
}

/// Two backends behind one URL: the one that is asked for the head stands on an old branch.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_another_branch_than_the_blocks_replaces_nothing() {
    let (database, node, chain) = world(21).await;
    node.script().finalize(10);
    assert_eq!(finalized_after_a_start(&database, &node, &chain).await, Some(10));
    let before = database.events().await;
    let uncle = node.script().branched(7, 1, 8).swap_remove(8);
    node.script().instead =
        Some(Box::new(move |asked, _| (asked == "latest").then(|| Said::Result(uncle.clone()))));
    let indexing = Indexing::start(&database.pool, vec![chain]);
    let failing = async || database.problem(31_337).await.is_some();
    database.until("it is told that it fails", failing).await;
    node.script().instead = None;
    until_head(&indexing, &node, 0).await;
    indexing.stop().await;
    assert_eq!(database.events().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_depth_holds_and_no_node_is_asked() {
    let (database, node, mut chain) = world(21).await;
    chain.finality_depth = Some(3);
    assert_eq!(finalized_after_a_start(&database, &node, &chain).await, Some(17));
    let (at_depth, deeper) = {
        let script = node.script();
        (script.branched(17, 1, 21), script.branched(16, 2, 22))
    };
    node.script().headers = at_depth;
    let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
    until_head(&indexing, &node, 1).await;
    assert_follows(&database, &node).await;
    node.script().headers = deeper;
    let error = indexing.ended().await.expect_err("a chain that stops");
    assert!(matches!(error, IndexerError::BelowFinalized { finalized: 17.., .. }), "{error}");
    assert_eq!(node.script().times_asked("finalized"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_tag_the_64th_block_below_the_highest_is_final() {
    for refuses in [false, true] {
        let (database, node, chain) = world(100).await;
        node.script().refuses_finalized = refuses;
        assert_eq!(finalized_after_a_start(&database, &node, &chain).await, Some(99 - 64));
        assert!(node.script().times_asked("finalized") > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_final_moves_up_only_and_only_to_what_is_stored() {
    let (database, node, mut chain) = world(41).await;
    chain.start_block = StartBlock::At(10);
    // Below what is stored; a step; a step back; a block of another branch; a step on.
    for (said, branch, now) in
        [(9, 0, None), (20, 0, Some(20)), (15, 0, Some(20)), (30, 1, Some(20)), (30, 0, Some(30))]
    {
        let header = node.script().branched(said - 1, branch, said).pop();
        node.script().finalized = header.expect("a header");
        let finalized = finalized_after_a_start(&database, &node, &chain).await;
        assert_eq!(finalized, now, "{said} of branch {branch}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_nodes_call_safe_is_told_and_a_reorg_sets_it_back() {
    let (database, node, chain) = world(21).await;
    let header = node.script().at(15).expect("a block");
    node.script().safe = header;
    finalized_after_a_start(&database, &node, &chain).await;
    let told = "SELECT safe_block FROM event_log WHERE safe_block IS NOT NULL ORDER BY xid, seq";
    let told = async || -> Vec<i64> {
        sqlx::query_scalar(told).fetch_all(&database.pool).await.expect("entries")
    };
    assert_eq!(told().await, [15]);

    let branch = node.script().branched(11, 1, 25);
    node.script().headers = branch;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &node, 1).await;
    indexing.stop().await;
    assert_eq!(told().await, [15, 11]);
}

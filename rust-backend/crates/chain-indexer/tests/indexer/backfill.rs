//! History, filled in beside the indexer or without one.

use chain_indexer::{Backfill, BackfillProgress, ChainSettings, ChainState, IndexerError};
use serde_json::json;
use service::config::{ChainWriter, StartBlock};
use tokio_util::sync::CancellationToken;

use crate::branch::branches::{assert_follows, indexed, until_head, world};
use crate::world::{Database, Indexing, Said, ScriptedNode, settings};

/// Fills a chain's history, to the end or until it is told to stop.
async fn fill(
    database: &Database,
    chain: &ChainSettings,
    (from, to): (Option<u64>, Option<u64>),
) -> Result<BackfillProgress, IndexerError> {
    let (pool, settings) = (database.pool.clone(), chain.clone());
    Backfill { pool, settings, from, to }.run(&CancellationToken::new(), |_| {}).await
}

/// A chain that is indexed from `start` on, with all its history on the node.
async fn indexed_from(start: u64, blocks: u64) -> (Database, ScriptedNode, ChainSettings) {
    let (database, node, mut chain) = world(blocks).await;
    let start_block = std::mem::replace(&mut chain.start_block, StartBlock::At(start));
    let indexing = indexed(&database, &node, &chain).await;
    indexing.stop().await;
    chain.start_block = start_block;
    (database, node, chain)
}

#[tokio::test(flavor = "multi_thread")]
async fn history_below_is_filled_and_the_checkpoint_stays() {
    let (database, node, chain) = indexed_from(500, 700).await;
    let (checkpoints, entries) = (database.checkpoints().await, database.log_entries().await);
    let filled = fill(&database, &chain, (None, None)).await.expect("filled");
    assert!(filled.is_complete, "{filled:?}");
    assert_eq!(filled.range, Some(1..=635));
    assert_eq!((filled.blocks_missing, filled.blocks_done, filled.events_stored), (499, 499, 499));
    assert_follows(&database, &node).await;
    assert_eq!(database.checkpoints().await, checkpoints);
    assert_eq!(database.log_entries().await, (entries.0 + 499, entries.1));
    assert_eq!(database.covered(31_337).await, [(1, 499), (500, 699)]);
    // Once more, there is nothing to do, and nothing is asked for.
    let asked = node.script().times_asked("eth_getLogs");
    let filled = fill(&database, &chain, (None, None)).await.expect("filled");
    assert_eq!((filled.is_complete, filled.blocks_missing), (true, 0));
    assert_eq!(node.script().times_asked("eth_getLogs"), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_its_own_is_filled_and_what_is_left_another_time() {
    let (database, node, chain) = indexed_from(500, 700).await;
    let filled = fill(&database, &chain, (Some(100), Some(199))).await.expect("filled");
    assert_eq!(filled.range, Some(100..=199));
    assert_eq!(database.covered(31_337).await, [(100, 199), (500, 699)]);
    // What the indexer has is not asked for again.
    let filled = fill(&database, &chain, (Some(150), Some(100_000))).await.expect("filled");
    assert_eq!((filled.range, filled.blocks_missing), (Some(150..=635), 300));
    let filled = fill(&database, &chain, (None, None)).await.expect("filled");
    assert_eq!(filled.blocks_missing, 99);
    assert_follows(&database, &node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_an_empty_store_it_begins_and_the_indexer_goes_on_above() {
    let (database, node, chain) = world(400).await;
    let filled = fill(&database, &chain, (None, Some(200))).await.expect("filled");
    assert_eq!((filled.range, filled.blocks_done), (Some(1..=200), 200));
    assert_eq!(database.checkpoints().await, []);
    // No indexer has begun: what is final is still history.
    let filled = fill(&database, &chain, (None, None)).await.expect("filled");
    assert_eq!((filled.range, filled.blocks_done), (Some(1..=335), 135));
    let asked = node.script().times_asked("eth_getBlockByNumber");
    let indexing = indexed(&database, &node, &chain).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
    assert_eq!(database.covered(31_337).await, [(1, 399)]);
    let asked = node.script().times_asked("eth_getBlockByNumber") - asked;
    assert!(asked < 100, "{asked}: it began again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_indexer_that_begins_waits_for_a_backfill() {
    let (database, node, chain) = world(400).await;
    fill(&database, &chain, (None, Some(200))).await.expect("filled");
    // A backfill is about to commit a block above.
    let mut backfill = database.pool.begin().await.expect("a transaction");
    let held = sqlx::query("SELECT lock_chain(31337)").execute(&mut *backfill).await;
    held.expect("the chain's lock");
    let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
    database.until_somebody_waits_for_a_lock().await;
    let blocks = node.script().blocks(200);
    let stored = sqlx::query(
        "INSERT INTO observed_blocks VALUES (31337, 'indexer', $1, $2, $3, 1700000000)",
    );
    let stored = stored.bind(blocks[1].0).bind(&blocks[1].1).bind(&blocks[0].1);
    stored.execute(&mut *backfill).await.expect("a block");
    backfill.commit().await.expect("committed");
    until_head(&indexing, &node, 0).await;
    indexing.stop().await;
    assert_eq!(database.blocks(31_337).await, node.script().blocks(1));
    // The backfill's block was its own to read.
    assert_eq!(database.covered(31_337).await, [(1, 200), (202, 399)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_indexers_first_block_all_final_blocks_are_filled() {
    let (database, node, mut chain) = world(400).await;
    chain.writer = ChainWriter::Ponder;
    // A checkpoint is the writer's, and says nothing of our indexer.
    database.execute("INSERT INTO checkpoints VALUES (31337, 399, '0xff')").await;
    let filled = fill(&database, &chain, (None, Some(200))).await.expect("filled");
    assert_eq!((filled.range, filled.blocks_done), (Some(1..=200), 200));
    // An indexer runs, and its node is away.
    let nobody = settings(&["http://127.0.0.1:9/"], chain.registries, 1);
    let waiting = ChainSettings { writer: chain.writer, ..nobody };
    let waiting = Indexing::start(&database.pool, vec![waiting]);
    waiting.until("devnet", |chain| matches!(chain.state, ChainState::Failing { .. })).await;
    let filled = fill(&database, &chain, (None, None)).await.expect("filled");
    assert_eq!((filled.range, filled.blocks_done), (Some(1..=335), 135));
    waiting.stop().await;
    indexed(&database, &node, &chain).await.stop().await;
    assert_eq!(database.covered(31_337).await, [(1, 399)]);
    assert_eq!(database.valid_blocks().await, node.script().blocks(1));
    // Now what is above is the indexer's.
    node.mine();
    node.script().finalize(400);
    let filled = fill(&database, &chain, (None, None)).await.expect("filled");
    assert_eq!((filled.range, filled.blocks_missing), (Some(1..=399), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_and_begun_again_it_loses_and_doubles_nothing() {
    let (database, node, chain) = indexed_from(3_000, 3_200).await;
    let mut rounds = 0;
    loop {
        let (shutdown, stop) = (CancellationToken::new(), CancellationToken::new());
        let (pool, settings) = (database.pool.clone(), chain.clone());
        let backfill = Backfill { pool, settings, from: None, to: None };
        let at = |progress: &BackfillProgress| {
            if progress.blocks_done >= 700 {
                stop.cancel();
            }
        };
        // By a signal, and as in a crash.
        let filled = if rounds % 2 == 0 {
            let both = async {
                stop.cancelled().await;
                shutdown.cancel();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                filled = backfill.run(&shutdown, at) => Some(filled.expect("an orderly end")),
                () = both => None,
            }
        } else {
            tokio::select! {
                filled = backfill.run(&shutdown, at) => Some(filled.expect("an orderly end")),
                () = stop.cancelled() => None,
            }
        };
        rounds += 1;
        if filled.is_some_and(|filled| filled.is_complete) {
            break;
        }
    }
    assert!(rounds > 2, "{rounds}");
    assert_follows(&database, &node).await;
    assert_eq!(database.log_entries().await.0, 3_199);
    assert_eq!(database.covered(31_337).await.first(), Some(&(1, 2_999)));
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_running_indexer_the_head_is_stored_at_once() {
    let (database, node, mut chain) = world(1_500).await;
    let history = chain.clone();
    chain.start_block = StartBlock::At(1_400);
    let indexing = indexed(&database, &node, &chain).await;
    let filling = fill(&database, &history, (None, None));
    let following = async {
        for head in 1_500..1_530 {
            node.mine();
            indexing.until_stored(head).await;
        }
    };
    let (filled, ()) = tokio::join!(filling, following);
    assert!(filled.expect("filled").is_complete);
    until_head(&indexing, &node, 0).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
    let checkpoints = database.checkpoint_entries().await;
    assert!(checkpoints.is_sorted_by(|one, next| one < next), "{checkpoints:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_indexer_that_begins_meanwhile_takes_over_without_a_gap() {
    let (database, node, chain) = world(1_500).await;
    let (filled, indexing) = tokio::join!(fill(&database, &chain, (None, None)), async {
        let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
        until_head(&indexing, &node, 0).await;
        indexing
    });
    indexing.stop().await;
    assert!(filled.expect("filled").is_complete);
    assert_follows(&database, &node).await;
    assert_eq!(database.log_entries().await.0, 1_499);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_was_configured_later_has_its_history_read() {
    let (database, _node, mut chain) = indexed_from(1, 300).await;
    let other = format!("0x{:040x}", 7);
    chain.registries.validation = Some(other.parse().expect("an address"));
    let filled = fill(&database, &chain, (None, None)).await.expect("filled");
    assert_eq!((filled.range, filled.blocks_done), (Some(1..=235), 235));
    // What is stored already stays as it is.
    assert_eq!(filled.events_stored, 0);
    assert_eq!(database.covered(31_337).await, [(1, 235), (1, 299)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_of_another_branch_than_the_stored_one_is_refused() {
    for at in [499, 199] {
        let (database, node, chain) = indexed_from(500, 700).await;
        fill(&database, &chain, (Some(200), Some(250))).await.expect("filled");
        let events = database.events().await;
        let mut headers = node.script().headers.clone();
        headers[at]["hash"] = json!(format!("0x{:064x}", 7));
        headers[at + 1]["parentHash"] = headers[at]["hash"].clone();
        node.script().headers = headers;
        // The whole of the gap's last part hangs on it.
        let error = fill(&database, &chain, (Some(150), None)).await.expect_err("a contradiction");
        assert!(matches!(error, IndexerError::OtherBlock { .. }), "{error}");
        let stored = database.events().await;
        let hash = format!("0x{:064x}", 7);
        assert!(events.iter().all(|event| stored.contains(event)));
        assert!(stored.iter().all(|event| event.block_hash != hash));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nodes_mistake_is_tried_again_and_shown_while_it_lasts() {
    let (database, node, chain) = indexed_from(500, 700).await;
    // For longer than a question is tried again.
    let mut left = 12;
    node.script().instead = Some(Box::new(move |asked, _| {
        left -= i32::from(asked != "eth_chainId" && left > 0);
        (asked != "eth_chainId" && left > 0).then_some(Said::Half)
    }));
    let (pool, settings) = (database.pool.clone(), chain.clone());
    let problems = std::sync::Mutex::new(0);
    let backfill = Backfill { pool, settings, from: None, to: None };
    let show = |progress: &BackfillProgress| {
        *problems.lock().expect("a number") += i32::from(progress.problem.is_some());
    };
    let filled = backfill.run(&CancellationToken::new(), show).await.expect("filled");
    assert!(filled.is_complete && filled.problem.is_none(), "{filled:?}");
    assert!(*problems.lock().expect("a number") > 0);
    assert_follows(&database, &node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_chain_ends_it() {
    let (database, node, chain) = world(10).await;
    node.script().chain_id = 1;
    let error = fill(&database, &chain, (None, None)).await.expect_err("a refusal");
    assert!(matches!(error, IndexerError::WrongChain { found: 1, .. }), "{error}");
    let nobody = settings(&["http://127.0.0.1:9/"], chain.registries, 0);
    let shutdown = CancellationToken::new();
    let backfill = Backfill { pool: database.pool.clone(), settings: nobody, from: None, to: None };
    let show = |progress: &BackfillProgress| {
        if progress.problem.is_some() {
            shutdown.cancel();
        }
    };
    let ended = backfill.run(&shutdown, show).await.expect("an orderly end");
    assert!(!ended.is_complete && ended.problem.is_some(), "{ended:?}");
}

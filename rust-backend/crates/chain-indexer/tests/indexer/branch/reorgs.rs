//! Reorganisations of a real node: what is valid in the end is what the node has, column by column.

use chain_indexer::ChainSettings;

use crate::every_log::expected_rows;
use crate::world::{Database, Devnet, Indexing, StoredEvent, settings};

/// A database, and a node with traffic that goes back further than any reorganisation of a test.
async fn world(seed: u32) -> (Database, Devnet, ChainSettings) {
    let (database, devnet) = tokio::join!(Database::start(), Devnet::start());
    devnet.traffic(seed, 100, 2).await;
    let chain = settings(&[&devnet.url], devnet.registries(), devnet.start_block());
    (database, devnet, chain)
}

/// Waits until so many reorganisations were followed and the node's head is stored.
async fn until_head(indexing: &Indexing, devnet: &Devnet, reorgs: u64) {
    let head = devnet.node.head().await;
    let is_there = |last_block| last_block == Some(head);
    indexing.until("devnet", |s| s.reorgs >= reorgs && is_there(s.last_block)).await;
}

/// The valid events of the indexer are the logs of the node, and the ancestry is its blocks.
async fn assert_follows(database: &Database, devnet: &Devnet) {
    let ours = database.events().await.into_iter().filter(|event| event.id.starts_with("31337-"));
    let valid = ours.filter(|event| !event.invalidated);
    let valid: Vec<_> = valid.map(|event| StoredEvent { revision: 0, ..event }).collect();
    assert_eq!(valid, expected_rows(devnet).await);
    let mut blocks = Vec::new();
    for number in devnet.start_block()..=devnet.node.head().await {
        let hash = devnet.node.block(number).await["hash"].as_str().expect("a hash").to_owned();
        blocks.push((i64::try_from(number).expect("a small number"), hash));
    }
    // Far below the head, a block without a log need not be there.
    let stored = database.blocks(31_337).await;
    let has_event = |block: &(i64, String)| valid.iter().any(|event| event.block_hash == block.1);
    assert!(stored.iter().all(|block| blocks.contains(block)));
    assert_eq!(database.heights_without_time().await, 0);
    let missing = blocks.iter().filter(|block| !stored.contains(block));
    assert!(!missing.into_iter().any(has_event));
    let first = blocks.first().expect("a block").0;
    let (number, hash) = blocks.pop().expect("a block");
    assert_eq!(database.covered(31_337).await, [(first, number)]);
    assert_eq!(database.checkpoints().await, [(31_337, number, hash)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_ends_with_the_events_of_the_new_branch_and_no_others() {
    let (database, devnet, chain) = world(21).await;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &devnet, 0).await;
    for (reorgs, depth) in [(1, 1), (2, 6)] {
        devnet.reorganise(depth).await;
        until_head(&indexing, &devnet, reorgs).await;
        assert_follows(&database, &devnet).await;
        devnet.traffic(22 + u32::try_from(depth).expect("a small number"), 30, 2).await;
        until_head(&indexing, &devnet, reorgs).await;
        assert_follows(&database, &devnet).await;
    }
    indexing.stop().await;
    let events = database.events().await;
    assert!(events.iter().filter(|event| event.invalidated).count() > 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_of_80_blocks_is_followed_if_the_operator_allows_it() {
    let (database, devnet, mut chain) = world(31).await;
    devnet.traffic(32, 500, 1).await;
    let head = devnet.node.head().await;
    assert!(head > devnet.start_block() + 100);
    chain.finality_depth = Some(200);
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &devnet, 0).await;
    devnet.reorganise(80).await;
    devnet.traffic(33, 60, 2).await;
    until_head(&indexing, &devnet, 1).await;
    indexing.stop().await;
    assert_follows(&database, &devnet).await;
    let orphans = database.orphans().await;
    assert_eq!(orphans.len(), 80);
    let fork = i64::try_from(head - 80).expect("a small number");
    assert!(orphans.iter().all(|orphan| orphan.3 == fork));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_reorgs_in_a_row_are_followed() {
    let (database, devnet, chain) = world(41).await;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &devnet, 0).await;
    devnet.reorganise(4).await;
    devnet.traffic(42, 20, 2).await;
    indexing.until("devnet", |status| status.reorgs == 1).await;
    devnet.reorganise(7).await;
    devnet.traffic(43, 20, 2).await;
    until_head(&indexing, &devnet, 2).await;
    indexing.stop().await;
    assert_follows(&database, &devnet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_while_the_process_is_down_is_followed() {
    let (database, devnet, chain) = world(51).await;
    let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
    until_head(&indexing, &devnet, 0).await;
    indexing.stop().await;
    devnet.reorganise(5).await;
    devnet.traffic(52, 60, 2).await;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &devnet, 1).await;
    indexing.stop().await;
    assert_follows(&database, &devnet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_shrinks_is_waited_for_or_followed_elsewhere() {
    let (database, devnet, chain) = world(61).await;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &devnet, 0).await;
    let (head, stored) = (devnet.node.head().await, database.events().await);
    devnet.roll_back(3).await;
    indexing.until("devnet", |status| status.head == Some(head - 3)).await;
    assert_eq!(indexing.status("devnet").reorgs, 0);
    assert_eq!(database.events().await, stored);
    devnet.traffic(62, 30, 2).await;
    until_head(&indexing, &devnet, 1).await;
    indexing.stop().await;
    assert_follows(&database, &devnet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_an_unknown_block_stays_and_of_an_orphaned_one_not() {
    let (database, devnet, chain) = world(71).await;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &devnet, 0).await;
    database
        .execute(
            r#"INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash,
                   log_index, event_type, registry, "timestamp")
               SELECT id, chain_id, block_number, hash, '0xbb', 0, 'Mine', 'mine', "timestamp"
               FROM (SELECT * FROM observed_blocks ORDER BY block_number DESC LIMIT 1) AS tip
               CROSS JOIN LATERAL (VALUES ('typed', '0xbeef'), ('second', tip.block_hash))
                   AS written (id, hash)"#,
        )
        .await;
    devnet.reorganise(2).await;
    until_head(&indexing, &devnet, 1).await;
    indexing.stop().await;
    assert_follows(&database, &devnet).await;
    let events = database.events().await;
    let of = |id: &str| {
        let event = events.iter().find(|event| event.id == id).expect("a row");
        (event.invalidated, event.revision)
    };
    assert_eq!(of("typed"), (false, 0));
    assert_eq!(of("second"), (true, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn crashed_within_a_reorg_it_invalidates_nothing_and_then_all() {
    let (database, devnet, chain) = world(81).await;
    let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
    until_head(&indexing, &devnet, 0).await;
    let stored = database.events().await;
    let mut gate = database.pool.begin().await.expect("a transaction");
    for sql in [
        "SET LOCAL idle_in_transaction_session_timeout = 0",
        "LOCK TABLE orphaned_blocks IN ACCESS EXCLUSIVE MODE",
    ] {
        sqlx::query(sql).execute(&mut *gate).await.expect(sql);
    }
    devnet.reorganise(6).await;
    database.until_somebody_waits_for_a_lock().await;
    indexing.crash().await;
    gate.rollback().await.expect("no lock");
    assert_eq!(database.events().await, stored);

    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &devnet, 1).await;
    indexing.stop().await;
    assert_follows(&database, &devnet).await;
    assert_eq!(database.orphans().await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn crashed_between_reorgs_it_ends_with_the_last_branch() {
    let (database, devnet, chain) = world(91).await;
    for round in 0..5 {
        let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
        indexing.until("devnet", |status| status.blocks_stored > 0).await;
        devnet.reorganise(3).await;
        devnet.traffic(92 + round, 15, 2).await;
        indexing.crash().await;
        devnet.reorganise(2).await;
    }
    let indexing = Indexing::start(&database.pool, vec![chain]);
    devnet.traffic(99, 15, 2).await;
    until_head(&indexing, &devnet, 0).await;
    indexing.stop().await;
    assert_follows(&database, &devnet).await;
}

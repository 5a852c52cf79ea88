//! Stopping, crashing and beginning again.

use std::collections::BTreeSet;

use crate::every_log::expected_rows;
use crate::world::{Database, Devnet, Indexing, settings};

/// All logs of the node, each with one entry in the shard's log.
async fn assert_complete(database: &Database, devnet: &Devnet) {
    let stored = database.events().await;
    assert_eq!(stored, expected_rows(devnet).await);
    let (entries, _) = database.log_entries().await;
    assert_eq!(entries, i64::try_from(stored.len()).expect("a small number"));
    let (start, head) = (devnet.start_block(), devnet.node.head().await);
    let checkpoints = database.checkpoint_entries().await;
    assert!(checkpoints.is_sorted_by(|one, next| one < next), "{checkpoints:?}");
    let small = |number: u64| i64::try_from(number).expect("a small number");
    assert_eq!(checkpoints.last(), Some(&small(head)));
    assert_eq!(database.covered(31_337).await, [(small(start), small(head))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_and_started_again_it_loses_and_doubles_nothing() {
    let (database, devnet) = tokio::join!(Database::start(), Devnet::start());
    devnet.traffic(2, 200, 4).await;
    let chain = settings(&[&devnet.url], devnet.registries(), devnet.start_block());

    let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
    indexing.until_stored(devnet.start_block() + 5).await;
    indexing.stop().await;
    let stored_before: BTreeSet<String> =
        database.events().await.into_iter().map(|row| row.id).collect();
    assert!(!stored_before.is_empty());

    devnet.traffic(3, 100, 4).await;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until_stored(devnet.node.head().await).await;
    indexing.stop().await;
    assert_complete(&database, &devnet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crashed_again_and_again_it_loses_and_doubles_nothing() {
    let (database, devnet) = tokio::join!(Database::start(), Devnet::start());
    devnet.traffic(4, 300, 3).await;
    let (start, head) = (devnet.start_block(), devnet.node.head().await);
    let chain = settings(&[&devnet.url], devnet.registries(), start);
    // Wherever it happens to be: one commit begins as another's end is seen.
    for number in (start..head).step_by(7) {
        let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
        indexing.until_stored(number).await;
        indexing.crash().await;
    }
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until_stored(head).await;
    indexing.stop().await;
    assert_complete(&database, &devnet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn begun_again_from_zero_it_stores_nothing_twice() {
    let (database, devnet) = tokio::join!(Database::start(), Devnet::start());
    devnet.traffic(5, 100, 4).await;
    let chain = settings(&[&devnet.url], devnet.registries(), devnet.start_block());
    let head = devnet.node.head().await;

    for _ in 0..2 {
        let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
        indexing.until_stored(head).await;
        indexing.stop().await;
        database.execute("DELETE FROM observed_blocks").await;
    }
    let stored = database.events().await;
    assert_eq!(stored, expected_rows(&devnet).await);
    let (entries, _) = database.log_entries().await;
    assert_eq!(entries, i64::try_from(stored.len()).expect("a small number"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidated_event_is_valid_again_with_its_log() {
    let (database, devnet) = tokio::join!(Database::start(), Devnet::start());
    let chain = settings(&[&devnet.url], devnet.registries(), devnet.start_block());
    let head = devnet.node.head().await;
    let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
    indexing.until_stored(head).await;
    indexing.stop().await;
    let count = database.events().await.len();
    assert!(count > 0);

    database.execute("UPDATE events SET invalidated = true").await;
    database.execute("DELETE FROM observed_blocks").await;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until_stored(head).await;
    indexing.stop().await;
    let stored = database.events().await;
    assert_eq!(stored.len(), count);
    assert!(stored.iter().all(|row| !row.invalidated && row.revision == 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_another_wrote_is_not_believed() {
    let (database, devnet) = tokio::join!(Database::start(), Devnet::start());
    database.execute("INSERT INTO checkpoints VALUES (31337, 1000000, '0xff', now())").await;
    let chain = settings(&[&devnet.url], devnet.registries(), devnet.start_block());
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until_stored(devnet.node.head().await).await;
    indexing.stop().await;
    assert_eq!(database.events().await, expected_rows(&devnet).await);
}

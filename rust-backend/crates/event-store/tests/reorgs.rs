//! Reorganisations and finalized blocks in a real PostgreSQL.

use event_engine::event::ChainId;
use event_store::PgPool;
use event_store::chain::chain_readers::{Reader, Rights};
use event_store::chain::observed_blocks::{self, BlockName, ObservedBlock};
use event_store::chain::reorgs::{self, NewBranch, ReorgOutcome, Returning};
use event_store::chain::{chain_heights, checkpoints};
use event_store::events::forgeries::Claims;
use private_servers::Postgres;

const CHAIN: ChainId = ChainId(31_337);
const WRITER: Rights =
    Rights { insert: true, set_checkpoint: true, invalidate: true, finalize: true };

#[tokio::test]
async fn only_events_of_orphaned_blocks_are_invalidated() {
    let (_postgres, pool) = database().await;
    store(&pool, 1..=5, "a").await;
    // Another writer's: of an orphaned block, of a block nobody knows, of an orphaned block's hash
    // at a height below the fork, and of another chain.
    for (id, chain, number, hash) in [
        ("second", CHAIN.0, 5, "0xa5"),
        ("typed", CHAIN.0, 5, "0xbeef"),
        ("low", CHAIN.0, 2, "0xa4"),
        ("elsewhere", 8_453, 5, "0xa5"),
    ] {
        event(&pool, id, chain, number, hash).await;
    }
    let outcome = reorgs::follow(&pool, &reorg("0xa5", 3, &["0xb4"]), Reader::Indexer, WRITER)
        .await
        .expect("an outcome");
    assert_eq!(outcome, ReorgOutcome::Followed { events_invalidated: 3 });
    assert_eq!(invalidated(&pool).await, "a4 a5 second");
    assert_eq!(
        lines(&pool, "SELECT format('%s %s', block_number, block_hash) FROM checkpoints").await,
        "3 0xa3"
    );
    assert_eq!(tip(&pool).await, Some(name(3, "0xa3")));
    let orphans = "SELECT format('%s %s %s %s', block_number, block_hash, replaced_by, fork_block)
                   FROM orphaned_blocks ORDER BY block_number";
    assert_eq!(lines(&pool, orphans).await, "4 0xa4 0xb4 3 5 0xa5  3");
}

#[tokio::test]
async fn our_indexer_follows_a_reorganisation_in_every_step() {
    every_step(Reader::Indexer).await;
}

#[tokio::test]
async fn the_auditor_follows_a_reorganisation_in_every_step() {
    every_step(Reader::Auditor).await;
}

/// Ponder's steps are tested where its triggers are: `test-ponder-schemas.sql`.
async fn every_step(reader: Reader) {
    let (_postgres, pool) = database().await;
    let blocks: Vec<ObservedBlock> = (1..=5).map(|number| block(number, "a")).collect();
    let mut connection = pool.acquire().await.expect("a connection");
    observed_blocks::insert(&mut connection, reader, None, &blocks).await.expect("blocks");
    checkpoints::set(&mut connection, CHAIN, &name(5, "0xa5"), 1_760_000_005)
        .await
        .expect("a checkpoint");
    for (id, number, hash) in [("a3", 3, "0xa3"), ("a4", 4, "0xa4"), ("a5", 5, "0xa5")] {
        event(&pool, id, CHAIN.0, number, hash).await;
    }
    let raised = chain_heights::raise_safe(&pool, CHAIN, reader, &name(4, "0xa4")).await;
    raised.expect("safe");
    let final_block = (2, Some("0xa2"));
    let raised = chain_heights::raise_finalized(&pool, CHAIN, reader, final_block, false).await;
    raised.expect("finalized");
    let follow = async |tip, fork, branch: &[&str]| {
        reorgs::follow(&pool, &reorg(tip, fork, branch), reader, WRITER).await.expect("an outcome")
    };
    assert_eq!(follow("0xa4", 3, &["0xb4"]).await, ReorgOutcome::TipMoved);
    assert_eq!(follow("0xa5", 1, &["0xb2"]).await, ReorgOutcome::BelowFinalized);
    assert_eq!(
        follow("0xa5", 3, &["0xb4"]).await,
        ReorgOutcome::Followed { events_invalidated: 2 }
    );
    assert_eq!(
        lines(&pool, "SELECT block_hash FROM observed_blocks ORDER BY block_number").await,
        "0xa1 0xa2 0xa3"
    );
    assert_eq!(
        lines(&pool, "SELECT block_hash FROM orphaned_blocks ORDER BY block_number").await,
        "0xa4 0xa5"
    );
    assert_eq!(invalidated(&pool).await, "a4 a5");
    assert_eq!(
        lines(&pool, "SELECT block_hash || ' ' || block_time FROM checkpoints").await,
        "0xa3 1760000003"
    );
    let heights = "SELECT concat_ws(' ', kind, block_hash, block_time) FROM chain_heights
                   ORDER BY block_number";
    assert_eq!(lines(&pool, heights).await, "finalized 0xa2 1760000002 safe 0xa3 1760000003");
}

#[tokio::test]
async fn a_writers_hash_is_the_blocks_in_whatever_case_it_is_written() {
    let (_postgres, pool) = database().await;
    store(&pool, 1..=5, "a").await;
    event(&pool, "second", CHAIN.0, 5, "0xA5").await;
    let reorg = reorg("0xa5", 4, &["0xb5"]);
    let outcome = reorgs::follow(&pool, &reorg, Reader::Indexer, WRITER).await.expect("an outcome");
    assert_eq!(outcome, ReorgOutcome::Followed { events_invalidated: 2 });
    let mut transaction = pool.begin().await.expect("a transaction");
    let back = [block(5, "a")];
    let returning = Returning::of(&mut transaction, CHAIN, &back, Some(5)).await.expect("held");
    let restored = returning.restore(&mut transaction, &Claims::default()).await;
    assert_eq!(restored.expect("restored"), 2);
    transaction.commit().await.expect("committed");
    // An upsert in another case takes nobody's name over.
    let upsert = "UPDATE events SET block_hash = '0xA5' WHERE id = 'a5'";
    sqlx::query(upsert).execute(&pool).await.expect("updated");
    let revisions = "SELECT format('%s@%s', id, revision) FROM events WHERE block_number = 5
                     ORDER BY id";
    assert_eq!(lines(&pool, revisions).await, "a5@2 second@2");
}

#[tokio::test]
async fn a_tip_that_has_moved_meanwhile_is_left_as_it_is() {
    let (_postgres, pool) = database().await;
    store(&pool, 1..=5, "a").await;
    let before = everything(&pool).await;
    for tip in ["0xa4", "0xb5"] {
        let outcome =
            reorgs::follow(&pool, &reorg(tip, 3, &["0xb4"]), Reader::Indexer, WRITER).await;
        assert_eq!(outcome.expect("an outcome"), ReorgOutcome::TipMoved);
    }
    assert_eq!(everything(&pool).await, before);
}

#[tokio::test]
async fn of_two_who_follow_one_reorg_one_does() {
    let (_postgres, pool) = database().await;
    store(&pool, 1..=200, "a").await;
    let reorg = reorg("0xa200", 3, &["0xb4"]);
    let both = tokio::join!(
        reorgs::follow(&pool, &reorg, Reader::Indexer, WRITER),
        reorgs::follow(&pool, &reorg, Reader::Indexer, WRITER)
    );
    let both = [both.0.expect("an outcome"), both.1.expect("an outcome")];
    assert!(both.contains(&ReorgOutcome::Followed { events_invalidated: 197 }), "{both:?}");
    assert!(both.contains(&ReorgOutcome::TipMoved), "{both:?}");
}

#[tokio::test]
async fn nothing_below_a_finalized_block_is_taken_back() {
    let (_postgres, pool) = database().await;
    store(&pool, 1..=5, "a").await;
    raise(&pool, 4, None).await;
    let before = everything(&pool).await;
    let outcome =
        reorgs::follow(&pool, &reorg("0xa5", 3, &["0xb4"]), Reader::Indexer, WRITER).await;
    assert_eq!(outcome.expect("an outcome"), ReorgOutcome::BelowFinalized);
    assert_eq!(everything(&pool).await, before);
    let outcome =
        reorgs::follow(&pool, &reorg("0xa5", 4, &["0xb5"]), Reader::Indexer, WRITER).await;
    assert_eq!(outcome.expect("an outcome"), ReorgOutcome::Followed { events_invalidated: 1 });
}

#[tokio::test]
async fn a_finalized_block_is_a_stored_one_and_moves_up_only() {
    let (_postgres, pool) = database().await;
    store(&pool, 3..=9, "a").await;
    for (number, hash, expected) in [
        (2, None, None),
        (5, Some("0xb5"), None),
        (5, Some("0xa5"), Some(5)),
        (4, None, Some(5)),
        (10, None, Some(5)),
        (8, None, Some(8)),
    ] {
        raise(&pool, number, hash).await;
        let block = chain_heights::finalized(&pool, CHAIN).await.expect("an answer");
        assert_eq!(block.map(|block| block.number), expected, "{number} {hash:?}");
    }
}

#[tokio::test]
async fn a_block_that_is_orphaned_twice_is_remembered_as_it_was_the_last_time() {
    let (_postgres, pool) = database().await;
    store(&pool, 1..=4, "a").await;
    reorgs::follow(&pool, &reorg("0xa4", 3, &["0xb4"]), Reader::Indexer, WRITER)
        .await
        .expect("an outcome");
    store(&pool, 4..=4, "a").await;
    reorgs::follow(&pool, &reorg("0xa4", 2, &["0xc3", "0xc4"]), Reader::Indexer, WRITER)
        .await
        .expect("an outcome");
    let orphans = "SELECT format('%s %s %s', block_hash, replaced_by, fork_block)
                   FROM orphaned_blocks ORDER BY block_number";
    assert_eq!(lines(&pool, orphans).await, "0xa3 0xc3 2 0xa4 0xc4 2");
}

async fn raise(pool: &PgPool, number: i64, hash: Option<&str>) {
    let (reader, block) = (Reader::Indexer, (number, hash));
    let raised = chain_heights::raise_finalized(pool, CHAIN, reader, block, false).await;
    raised.expect("raised or not");
}

async fn database() -> (Postgres, PgPool) {
    let server = Postgres::for_test().expect("a private PostgreSQL");
    let pool = event_store::open(&server.url(), "test", 4).await.expect("a schema");
    (server, pool)
}

/// Stores these blocks of `branch`, each with one event of that name.
async fn store(pool: &PgPool, numbers: std::ops::RangeInclusive<i64>, branch: &str) {
    for number in numbers {
        let block = block(number, branch);
        let mut connection = pool.acquire().await.expect("a connection");
        observed_blocks::insert(
            &mut connection,
            Reader::Indexer,
            None,
            std::slice::from_ref(&block),
        )
        .await
        .expect("a block");
        event(pool, &format!("{branch}{number}"), CHAIN.0, number, &block.block_hash).await;
        let set = checkpoints::set(&mut connection, CHAIN, &block.name(), block.timestamp).await;
        set.expect("a checkpoint");
    }
}

fn block(number: i64, branch: &str) -> ObservedBlock {
    ObservedBlock {
        chain_id: CHAIN,
        block_number: number,
        block_hash: format!("0x{branch}{number}"),
        parent_hash: format!("0x{branch}{}", number - 1),
        timestamp: 1_760_000_000 + number,
    }
}

async fn event(pool: &PgPool, id: &str, chain_id: i64, block_number: i64, block_hash: &str) {
    let insert = sqlx::query(
        r#"INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
               event_type, registry, "timestamp")
           VALUES ($1, $2, $3, $4, '0xbb', 0, 'NewFeedback', 'reputation', 1760000000)
           ON CONFLICT DO NOTHING"#,
    );
    let insert = insert.bind(id).bind(chain_id).bind(block_number).bind(block_hash);
    insert.execute(pool).await.expect("an event");
}

/// From the highest block, with the number at the end of its hash, to block `fork` of branch a.
fn reorg(tip: &str, fork: i64, branch: &[&str]) -> NewBranch {
    NewBranch {
        chain_id: CHAIN,
        tip: name(tip[3..].parse().expect("a number"), tip),
        fork: name(fork, &format!("0xa{fork}")),
        fork_time: None,
        branch: branch.iter().map(|&hash| hash.to_owned()).collect(),
    }
}

fn name(number: i64, hash: &str) -> BlockName {
    BlockName { number, hash: hash.to_owned() }
}

async fn tip(pool: &PgPool) -> Option<BlockName> {
    observed_blocks::latest(pool, CHAIN, Reader::Indexer).await.expect("the tip")
}

async fn invalidated(pool: &PgPool) -> String {
    lines(pool, "SELECT id FROM events WHERE invalidated ORDER BY id").await
}

/// What a reorganisation changes.
async fn everything(pool: &PgPool) -> [String; 4] {
    [
        invalidated(pool).await,
        lines(pool, "SELECT block_hash FROM observed_blocks ORDER BY block_number").await,
        lines(pool, "SELECT block_hash FROM orphaned_blocks ORDER BY block_hash").await,
        lines(pool, "SELECT block_hash FROM checkpoints").await,
    ]
}

/// The rows of a query, with a blank between them.
async fn lines(pool: &PgPool, query: &'static str) -> String {
    let rows: Vec<String> = sqlx::query_scalar(query).fetch_all(pool).await.expect("rows");
    rows.join(" ")
}

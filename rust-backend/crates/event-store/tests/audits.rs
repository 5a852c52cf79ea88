//! What the auditor keeps, in a real PostgreSQL: against itself, against another auditor, and
//! against whoever changes the same events.

use std::time::Duration;

use event_engine::event::ChainId;
use event_store::PgPool;
use event_store::chain::audit_suspects::{self, Proof, Settled};
use event_store::chain::chain_readers::{Reader, Rights};
use event_store::chain::observed_blocks::{self, BlockName, ObservedBlock};
use event_store::chain::reorgs::{self, NewBranch, ReorgOutcome, Returning};
use event_store::chain::{audit_cursors, audited_branch, chain_heights, checkpoints};
use event_store::events::forgeries::Claims;
use private_servers::Postgres;
use sqlx::PgTransaction;
use tokio::task::JoinHandle;

const CHAIN: ChainId = ChainId(31_337);
const WRITER: Rights =
    Rights { insert: false, set_checkpoint: true, invalidate: true, finalize: true };

#[tokio::test]
async fn what_was_read_before_a_reorganisation_ended_is_read_again() {
    let (_postgres, pool) = database().await;
    event(&pool, "0xa5", 5).await;
    let read = next(&pool).await.expect("an arrival");
    let outcome =
        reorgs::follow(&pool, &reorg(5, 3), Reader::Auditor, WRITER).await.expect("an outcome");
    assert_eq!(outcome, ReorgOutcome::Followed { events_invalidated: 1 });
    // Compared with blocks that are gone: a row that came while they went would be missed.
    assert!(!audit_cursors::advance(&pool, CHAIN, &read).await.expect("an answer"));
    let read = next(&pool).await.expect("the same arrival");
    assert!(audit_cursors::advance(&pool, CHAIN, &read).await.expect("an answer"));
    // Another auditor has read them, too.
    assert!(!audit_cursors::advance(&pool, CHAIN, &read).await.expect("an answer"));
}

#[tokio::test]
async fn a_slower_auditor_sets_no_checkpoint_back_and_overrules_one_that_is_not_of_the_chain() {
    let (_postgres, pool) = database().await;
    let checkpoint = async || {
        let all = checkpoints::all(&pool).await.expect("checkpoints");
        all.first().map(|checkpoint| checkpoint.block_number)
    };
    for (set, now) in [(4, 4), (5, 5), (4, 5)] {
        audited_branch::set_checkpoint(&pool, CHAIN, &name(set)).await.expect("set or not");
        assert_eq!(checkpoint().await, Some(now));
    }
    // A block of another branch is none.
    let other = BlockName { number: 5, hash: "0xb5".to_owned() };
    run(&pool, "UPDATE checkpoints SET block_number = 1000000, block_hash = '0xff'").await;
    audited_branch::set_checkpoint(&pool, CHAIN, &other).await.expect("not set");
    assert_eq!(checkpoint().await, Some(1_000_000));
    audited_branch::set_checkpoint(&pool, CHAIN, &name(4)).await.expect("set");
    assert_eq!(checkpoint().await, Some(4));
    reorgs::follow(&pool, &reorg(5, 2), Reader::Auditor, WRITER).await.expect("followed");
    assert_eq!(checkpoint().await, Some(2));
}

#[tokio::test]
async fn a_slower_auditor_logs_no_head_behind_the_reorganisation_that_took_it_back() {
    let (_postgres, pool) = database().await;
    audited_branch::set_checkpoint(&pool, CHAIN, &name(2)).await.expect("set");
    // The faster one has begun to follow the chain to another branch, and comes no further.
    let mut orphans = pool.begin().await.expect("a transaction");
    let held = sqlx::query("LOCK TABLE orphaned_blocks IN SHARE MODE").execute(&mut *orphans).await;
    held.expect("held");
    let faster = tokio::spawn({
        let pool = pool.clone();
        async move {
            reorgs::follow(&pool, &reorg(5, 3), Reader::Auditor, WRITER).await.expect("followed")
        }
    });
    until_waiting_or_ended(&pool, 1, &faster).await;
    let slower = tokio::spawn({
        let pool = pool.clone();
        async move {
            audited_branch::set_checkpoint(&pool, CHAIN, &name(4)).await.expect("set or not");
            chain_heights::raise_safe(&pool, CHAIN, Reader::Auditor, &name(4))
                .await
                .expect("raised or not");
        }
    });
    until_waiting_or_ended(&pool, 2, &slower).await;
    orphans.rollback().await.expect("let go");
    assert_eq!(faster.await.expect("no panic"), ReorgOutcome::Followed { events_invalidated: 0 });
    slower.await.expect("no panic");
    let heights: Vec<(Option<i64>, Option<i64>)> =
        sqlx::query_as("SELECT checkpoint_block, safe_block FROM event_log ORDER BY xid, seq")
            .fetch_all(&pool)
            .await
            .expect("the log");
    assert_eq!(heights, [(Some(2), None)]);
}

#[tokio::test]
async fn below_a_finalized_block_nothing_is_taken_back() {
    let (_postgres, pool) = database().await;
    event(&pool, "0xa5", 5).await;
    let block = (4, Some("0xa4"));
    let raised = chain_heights::raise_finalized(&pool, CHAIN, Reader::Auditor, block, false).await;
    raised.expect("finalized");
    let outcome =
        reorgs::follow(&pool, &reorg(5, 3), Reader::Auditor, WRITER).await.expect("an outcome");
    assert_eq!(outcome, ReorgOutcome::BelowFinalized);
    assert_eq!(
        observed_blocks::latest(&pool, CHAIN, Reader::Auditor).await.expect("a block"),
        Some(name(5))
    );
    assert_eq!(revision(&pool).await, (false, 0));
    observed_blocks::trim(&pool, CHAIN).await.expect("trimmed");
    let left =
        observed_blocks::downwards(&pool, CHAIN, Reader::Auditor, 9, 9).await.expect("blocks");
    assert_eq!(left, [name(5), name(4)]);
}

#[tokio::test]
async fn what_somebody_has_revised_since_is_not_given_back_with_its_block() {
    for by_hand in [false, true] {
        let (_postgres, pool) = database().await;
        event(&pool, "0xA5", 5).await;
        reorgs::follow(&pool, &reorg(5, 3), Reader::Auditor, WRITER).await.expect("followed");
        assert_eq!(revision(&pool).await, (true, 1));
        if by_hand {
            run(&pool, "UPDATE events SET invalidated = false").await;
            run(&pool, "UPDATE events SET invalidated = true").await;
        }
        let (fork, back) = (name(3), [block(4), block(5)]);
        let restored = audited_branch::append(&pool, CHAIN, Some(&fork), &back).await;
        assert_eq!(restored.expect("appended"), Some(u64::from(!by_hand)));
        assert_eq!(revision(&pool).await, if by_hand { (true, 3) } else { (false, 2) });
    }
}

#[tokio::test]
async fn blocks_are_put_only_on_the_highest_one() {
    let (_postgres, pool) = database().await;
    for below in [None, Some(name(4)), Some(BlockName { hash: "0xb5".to_owned(), ..name(5) })] {
        let appended = audited_branch::append(&pool, CHAIN, below.as_ref(), &[block(6)]).await;
        assert_eq!(appended.expect("an answer"), None, "{below:?}");
    }
    let (one, other) = ([block(6)], [block(6), block(7)]);
    let on = name(5);
    let both = tokio::join!(
        audited_branch::append(&pool, CHAIN, Some(&on), &one),
        audited_branch::append(&pool, CHAIN, Some(&on), &other),
    );
    let both = [both.0.expect("an answer"), both.1.expect("an answer")];
    assert_eq!(both.iter().filter(|appended| appended.is_some()).count(), 1, "{both:?}");
}

#[tokio::test]
async fn a_log_that_was_renumbered_is_read_again_from_its_beginning() {
    let (_postgres, pool) = database().await;
    event(&pool, "0xa5", 5).await;
    let read = next(&pool).await.expect("an arrival");
    assert!(audit_cursors::advance(&pool, CHAIN, &read).await.expect("an answer"));
    assert!(next(&pool).await.is_none());
    // As a restore leaves it.
    run(&pool, "UPDATE log_origin SET xid = '999999999'").await;
    event(&pool, "0xdead", 4).await;
    assert!(next(&pool).await.is_none(), "before it is renumbered nothing is read");
    run(&pool, "SELECT renumber_restored_log()").await;
    let read = next(&pool).await.expect("all arrivals");
    assert!(audit_cursors::advance(&pool, CHAIN, &read).await.expect("an answer"));
    assert!(next(&pool).await.is_none());
    let suspects = audit_suspects::due(&pool, CHAIN, 9).await.expect("suspects");
    assert_eq!(suspects, [BlockName { number: 4, hash: "0xdead".to_owned() }]);
}

/// A late row of block 5, which our indexer has orphaned, and about to be taken back.
async fn late_row(pool: &PgPool) {
    let mut connection = pool.acquire().await.expect("a connection");
    let blocks: Vec<ObservedBlock> = (1..=5).map(block).collect();
    observed_blocks::insert(&mut connection, Reader::Indexer, None, &blocks).await.expect("blocks");
    reorgs::follow(pool, &reorg(5, 3), Reader::Indexer, WRITER).await.expect("followed");
    event(pool, "0xA5", 5).await;
    run(pool, "INSERT INTO audit_suspects VALUES (31337, 5, '0xa5')").await;
}

async fn take_back(pool: PgPool) -> Settled {
    let proof = Proof::Remembered;
    let settled = audit_suspects::take_back(&pool, CHAIN, Reader::Indexer, &name(5), &proof).await;
    settled.expect("settled")
}

/// The indexer's transaction that puts blocks 4 and 5 back on the chain, about to be committed.
async fn restoring(pool: &PgPool) -> PgTransaction<'static> {
    let blocks = [block(4), block(5)];
    let mut transaction = pool.begin().await.expect("a transaction");
    let returning = Returning::of(&mut transaction, CHAIN, &blocks, Some(5)).await.expect("held");
    observed_blocks::insert(&mut transaction, Reader::Indexer, None, &blocks)
        .await
        .expect("blocks");
    returning.restore(&mut transaction, &Claims::default()).await.expect("restored");
    transaction
}

#[tokio::test]
async fn a_block_that_is_coming_back_is_waited_for_before_a_late_row_of_it_is_taken_back() {
    let (_postgres, pool) = database().await;
    late_row(&pool).await;
    let restoring = restoring(&pool).await;
    let auditor = tokio::spawn(take_back(pool.clone()));
    until_waiting_or_ended(&pool, 1, &auditor).await;
    restoring.commit().await.expect("committed");
    assert_eq!(auditor.await.expect("no panic"), Settled::OnTheChain);
    assert_eq!(revision(&pool).await, (false, 0));
}

#[tokio::test]
async fn a_late_row_that_is_being_taken_back_is_waited_for_and_comes_back_with_its_block() {
    let (_postgres, pool) = database().await;
    late_row(&pool).await;
    // The auditor comes as far as its last statement.
    let mut suspects = pool.begin().await.expect("a transaction");
    let held = sqlx::query("SELECT FROM audit_suspects FOR UPDATE").execute(&mut *suspects).await;
    held.expect("held");
    let auditor = tokio::spawn(take_back(pool.clone()));
    until_waiting_or_ended(&pool, 1, &auditor).await;
    let indexer = tokio::spawn({
        let pool = pool.clone();
        async move { restoring(&pool).await.commit().await.expect("committed") }
    });
    until_waiting_or_ended(&pool, 2, &indexer).await;
    suspects.rollback().await.expect("let go");
    assert_eq!(auditor.await.expect("no panic"), Settled::TakenBack(1));
    indexer.await.expect("no panic");
    assert_eq!(revision(&pool).await, (false, 2));
}

/// Waits until so many sessions wait for a lock, or the task has ended without.
async fn until_waiting_or_ended<T>(pool: &PgPool, sessions: i64, task: &JoinHandle<T>) {
    let waiting = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted";
    for _ in 0..6_000 {
        let found: i64 = sqlx::query_scalar(waiting).fetch_one(pool).await.expect("the locks");
        if found >= sessions || task.is_finished() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("nobody waits, and nothing ends");
}

/// With blocks 1 to 5 of branch a, audited.
async fn database() -> (Postgres, PgPool) {
    let server = Postgres::for_test().expect("a private PostgreSQL");
    let pool = event_store::open(&server.url(), "test", 6).await.expect("a schema");
    audit_cursors::begin(&pool, CHAIN, 1).await.expect("begun");
    let blocks: Vec<ObservedBlock> = (1..=5).map(block).collect();
    audited_branch::append(&pool, CHAIN, None, &blocks).await.expect("blocks");
    (server, pool)
}

async fn next(pool: &PgPool) -> Option<audit_cursors::Arrivals> {
    let next = audit_cursors::next(pool, CHAIN, Reader::Auditor, &Claims::default()).await;
    next.expect("an answer")
}

async fn event(pool: &PgPool, block_hash: &str, block_number: i64) {
    let insert = sqlx::query(
        r#"INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
               event_type, registry, "timestamp")
           VALUES ($1, $2, $3, $1, '0xbb', 0, 'NewFeedback', 'reputation', 1760000000)"#,
    );
    let insert = insert.bind(block_hash).bind(CHAIN.0).bind(block_number);
    insert.execute(pool).await.expect("an event");
}

async fn revision(pool: &PgPool) -> (bool, i32) {
    let row = sqlx::query_as("SELECT invalidated, revision FROM events").fetch_one(pool).await;
    row.expect("one event")
}

async fn run(pool: &PgPool, sql: &'static str) {
    sqlx::query(sql).execute(pool).await.expect(sql);
}

fn reorg(tip: i64, fork: i64) -> NewBranch {
    let branch = vec![format!("0xb{}", fork + 1)];
    NewBranch { chain_id: CHAIN, tip: name(tip), fork: name(fork), fork_time: None, branch }
}

fn name(number: i64) -> BlockName {
    BlockName { number, hash: format!("0xa{number}") }
}

fn block(number: i64) -> ObservedBlock {
    ObservedBlock {
        chain_id: CHAIN,
        block_number: number,
        block_hash: format!("0xa{number}"),
        parent_hash: format!("0xa{}", number - 1),
        timestamp: 1_760_000_000 + number,
    }
}

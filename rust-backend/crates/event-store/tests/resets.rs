//! The reset of a chain in a real PostgreSQL: in parts, beside a writer of blocks, and killed.

use std::time::Duration;

use event_engine::event::ChainId;
use event_store::PgPool;
use event_store::chain::chain_readers::{self, Reader};
use event_store::chain::observed_blocks::{self, BlockName, ObservedBlock};
use event_store::chain::resets::{self, Finished, Invalidated, JobsOfEvents};
use event_store::chain::{chain_heights, chain_locks, checkpoints};
use private_servers::Postgres;
use sqlx::AssertSqlSafe;

const CHAIN: ChainId = ChainId(31_337);

#[tokio::test]
async fn a_reset_forgets_all_of_one_chain_and_nothing_of_another() {
    let (_postgres, pool) = database().await;
    for chain in [CHAIN.0, 8_453] {
        stored(&pool, chain, 5).await;
    }
    let part = resets::invalidate(&pool, CHAIN, i64::MAX, false).await.expect("a part");
    assert_eq!(part, Invalidated { events: 5, below: None });
    let finished = resets::finish(&pool, CHAIN, false).await.expect("the end");
    assert_eq!(finished, Finished::Done { events: 0, blocks: 5 });
    assert_eq!(left(&pool, CHAIN.0).await, "0 0 0 0 0 0 0 0");
    assert_eq!(left(&pool, 8_453).await, "5 5 1 1 1 1 1 1");
    assert!(!chain_readers::has_begun(&pool, CHAIN).await.expect("an answer"));
    // No trigger takes what comes for a block below the old head.
    let heights = "SELECT concat_ws(' ', checkpoint_block, safe_block, finalized_block)
                   FROM event_log WHERE chain_id = 31337 AND event_id IS NULL ORDER BY xid, seq";
    assert_eq!(lines(&pool, heights).await, "5 3 -1 -1");
    assert_eq!(chain_locks::resets(&pool, CHAIN).await.expect("a number"), 1);
}

#[tokio::test]
async fn a_reset_of_many_events_is_done_in_parts_from_the_top() {
    let (_postgres, pool) = database().await;
    stored(&pool, CHAIN.0, 5).await;
    // As many again as a part, in blocks of three, and one block of more than a part.
    run(&pool, &many(CHAIN.0, "g / 3 + 10", 1..=1_500)).await;
    run(&pool, &many(CHAIN.0, "7", 2_001..=3_200)).await;
    let (mut below, mut parts) = (Some(i64::MAX), Vec::new());
    while let Some(height) = below {
        let part = resets::invalidate(&pool, CHAIN, height, false).await.expect("a part");
        let lowest = "SELECT coalesce(max(block_number), -1)::text FROM events
                      WHERE chain_id = 31337 AND NOT invalidated";
        parts.push((part.events, lines(&pool, lowest).await));
        below = part.below;
    }
    let parts: Vec<(u64, &str)> = parts.iter().map(|(n, left)| (*n, left.as_str())).collect();
    assert_eq!(parts, [(1_000, "176"), (1_700, "5"), (5, "-1")]);
    let log = "SELECT count(*)::text FROM event_log WHERE chain_id = 31337 AND invalidated";
    assert_eq!(lines(&pool, log).await, "2705", "each once");
}

#[tokio::test]
async fn a_block_under_way_is_waited_for_and_none_comes_after_it() {
    let (_postgres, pool) = database().await;
    stored(&pool, CHAIN.0, 5).await;
    let mut writer = pool.begin().await.expect("a transaction");
    let (tip, next) = (name(5), [block(CHAIN.0, 6)]);
    let is_stored = observed_blocks::insert(&mut writer, Reader::Indexer, Some(&tip), &next).await;
    assert!(is_stored.expect("an answer"));
    event(&mut writer, CHAIN.0, 6).await;
    let resetting = tokio::spawn({
        let pool = pool.clone();
        async move { resets::finish(&pool, CHAIN, false).await }
    });
    until_somebody_waits(&pool).await;
    writer.commit().await.expect("stored");
    let finished = resetting.await.expect("no panic").expect("the end");
    assert_eq!(finished, Finished::Done { events: 6, blocks: 6 });
    assert_eq!(left(&pool, CHAIN.0).await, "0 0 0 0 0 0 0 0");
    let mut late = pool.begin().await.expect("a transaction");
    let (tip, next) = (name(6), [block(CHAIN.0, 7)]);
    let is_stored = observed_blocks::insert(&mut late, Reader::Indexer, Some(&tip), &next).await;
    assert!(!is_stored.expect("an answer"), "its tip is gone");
}

#[tokio::test]
async fn a_reset_that_ends_anywhere_is_ended_by_the_next() {
    let (_postgres, pool) = database().await;
    stored(&pool, CHAIN.0, 5).await;
    run(&pool, &many(CHAIN.0, "g + 10", 1..=2_500)).await;
    resets::invalidate(&pool, CHAIN, i64::MAX, false).await.expect("a part");
    assert_eq!(resets::finish(&pool, CHAIN, false).await.expect("no end"), Finished::MoreEvents);
    // The old chain stands until the end, but nothing of it counts as read.
    assert_eq!(left(&pool, CHAIN.0).await, "1505 5 1 1 0 1 1 1");
    let mut below = Some(i64::MAX);
    while let Some(height) = below {
        below = resets::invalidate(&pool, CHAIN, height, false).await.expect("a part").below;
    }
    let finished = resets::finish(&pool, CHAIN, false).await.expect("the end");
    assert_eq!(finished, Finished::Done { events: 0, blocks: 5 });
    let log = "SELECT count(*)::text FROM event_log WHERE chain_id = 31337 AND invalidated";
    assert_eq!(lines(&pool, log).await, "2505", "each once");
}

#[tokio::test]
async fn a_schema_that_ponder_writes_to_is_not_reset() {
    let (_postgres, pool) = database().await;
    stored(&pool, CHAIN.0, 5).await;
    run(&pool, "SELECT ponder_start('ponder_test', 31337, true, 0)").await;
    run(&pool, "CREATE SCHEMA ponder_test").await;
    let mut process = pool.acquire().await.expect("a session");
    let lock = "SELECT pg_advisory_lock(hashtextextended('ponder:ponder_test', 0))";
    sqlx::query(lock).execute(&mut *process).await.expect("held");
    assert!(resets::ponder_schemas(&pool, CHAIN).await.expect("schemas")[0].is_running);
    let finished = resets::finish(&pool, CHAIN, false).await.expect("no end");
    assert_eq!(finished, Finished::PonderRuns("ponder_test".to_owned()));
    assert_eq!(left(&pool, CHAIN.0).await, "5 5 1 1 1 1 1 1");
    process.close().await.expect("ended");
    until_pondering_ends(&pool).await;
    let finished = resets::finish(&pool, CHAIN, false).await.expect("the end");
    assert_eq!(finished, Finished::Done { events: 5, blocks: 5 });
    let dropped = "SELECT coalesce(to_regnamespace('ponder_test')::text, 'none')";
    assert_eq!(lines(&pool, dropped).await, "none");
}

#[tokio::test]
async fn what_a_reset_does_is_counted_before() {
    let (_postgres, pool) = database().await;
    stored(&pool, CHAIN.0, 5).await;
    // Of the events of blocks 1 to 4: one not attempted, one delivered, one of an earlier revision,
    // and one retraction.
    for (number, attempts, state, revision, retracts) in [
        (1, 0, "pending", 0, "NULL"),
        (2, 1, "delivered", 0, "NULL"),
        (3, 1, "delivered", -1, "NULL"),
        (4, 1, "delivered", 0, "gen_random_uuid()"),
    ] {
        let ended = if state == "pending" { "NULL" } else { "now()" };
        let old_hash = if retracts == "NULL" { "NULL" } else { "'0x'" };
        run(
            &pool,
            &format!(
                "INSERT INTO jobs (id, retracts, trigger_id, trigger_version, action_id,
                     action_version, chain_id, event_id, event_timestamp, event_revision,
                     triggers_revision, state, attempts, finished_at, reorg_old_hash)
                 VALUES (gen_random_uuid(), {retracts}, gen_random_uuid(), 1, 'hook', 1, 31337,
                     '31337-0xa{number}-0', 1760000000 + {number}, {revision}, 1, '{state}',
                     {attempts}, {ended}, {old_hash})"
            ),
        )
        .await;
    }
    let observed = resets::observed(&pool, CHAIN).await.expect("blocks");
    let [by] = observed.as_slice() else { panic!("{observed:?}") };
    assert_eq!((by.reader.as_str(), by.blocks, by.lowest, by.highest), ("indexer", 5, 1, 5));
    assert_eq!(resets::valid_events(&pool, CHAIN).await.expect("a number"), 5);
    let jobs = resets::jobs(&pool, CHAIN).await.expect("numbers");
    assert_eq!(jobs, JobsOfEvents { cancelled: 1, retracted: 1 });
}

async fn database() -> (Postgres, PgPool) {
    let server = Postgres::for_test().expect("a private PostgreSQL");
    let pool = event_store::open(&server.url(), "test", 6).await.expect("the schema");
    (server, pool)
}

/// Blocks from 1 on with an event each, and whatever else is kept of a chain.
async fn stored(pool: &PgPool, chain: i64, blocks: i64) {
    let rows: Vec<ObservedBlock> = (1..=blocks).map(|number| block(chain, number)).collect();
    let mut transaction = pool.begin().await.expect("a transaction");
    let tip = name(blocks);
    observed_blocks::insert(&mut transaction, Reader::Indexer, None, &rows).await.expect("blocks");
    chain_readers::begin(&mut transaction, ChainId(chain)).await.expect("begun");
    checkpoints::set(&mut transaction, ChainId(chain), &tip, 1_760_000_005).await.expect("set");
    for number in 1..=blocks {
        event(&mut transaction, chain, number).await;
    }
    transaction.commit().await.expect("stored");
    let finalized = chain_heights::raise_finalized(
        pool,
        ChainId(chain),
        Reader::Indexer,
        (3, Some("0xa3")),
        false,
    );
    finalized.await.expect("finalized");
    for statement in [
        "INSERT INTO covered_ranges VALUES ($chain, '{0xdd}', 1, '0xa0', 5, '0xa5')",
        "INSERT INTO orphaned_blocks VALUES ($chain, '0xb5', 5, '0xa4', 1, '0xa5', 4)",
        "INSERT INTO node_heads VALUES ($chain, 'indexer', 'rpc_urls[0]', 5, '0xa5', 1)",
        "INSERT INTO audit_suspects VALUES ($chain, 4, '0xff')",
    ] {
        run(pool, &statement.replace("$chain", &chain.to_string())).await;
    }
}

/// The number of valid events, blocks, checkpoints, heights, ranges, orphans, heads and suspects.
async fn left(pool: &PgPool, chain: i64) -> String {
    let tables = [
        "checkpoints",
        "chain_heights",
        "covered_ranges",
        "orphaned_blocks",
        "node_heads",
        "audit_suspects",
    ];
    let counts =
        tables.map(|table| format!("(SELECT count(*) FROM {table} WHERE chain_id = {chain})"));
    let query = format!(
        "SELECT concat_ws(' ',
             (SELECT count(*) FROM events WHERE chain_id = {chain} AND NOT invalidated),
             (SELECT count(*) FROM observed_blocks WHERE chain_id = {chain}), {})",
        counts.join(", ")
    );
    lines(pool, &query).await
}

fn many(chain: i64, height: &str, numbers: std::ops::RangeInclusive<i64>) -> String {
    format!(
        "INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
             event_type, registry, \"timestamp\")
         SELECT 'g' || g, {chain}, {height}, '0xa', '0xbb', 0, 'Registered', 'identity', 1760000000
         FROM generate_series({}, {}) AS g",
        numbers.start(),
        numbers.end()
    )
}

async fn event(connection: &mut sqlx::PgConnection, chain: i64, number: i64) {
    let insert = format!(
        "INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
             event_type, registry, \"timestamp\")
         VALUES ('{chain}-0xa{number}-0', {chain}, {number}, '0xa{number}', '0xbb', 0,
             'Registered', 'identity', 1760000000 + {number})"
    );
    sqlx::query(AssertSqlSafe(insert)).execute(connection).await.expect("an event");
}

fn block(chain: i64, number: i64) -> ObservedBlock {
    ObservedBlock {
        chain_id: ChainId(chain),
        block_number: number,
        block_hash: format!("0xa{number}"),
        parent_hash: format!("0xa{}", number - 1),
        timestamp: 1_760_000_000 + number,
    }
}

fn name(number: i64) -> BlockName {
    BlockName { number, hash: format!("0xa{number}") }
}

async fn run(pool: &PgPool, statement: &str) {
    sqlx::query(AssertSqlSafe(statement)).execute(pool).await.expect("done");
}

async fn lines(pool: &PgPool, query: &str) -> String {
    let lines: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(pool).await.expect("rows");
    lines.join(" ")
}

async fn until_pondering_ends(pool: &PgPool) {
    while resets::ponder_schemas(pool, CHAIN).await.expect("schemas")[0].is_running {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn until_somebody_waits(pool: &PgPool) {
    let waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)";
    while !sqlx::query_scalar::<_, bool>(waiting).fetch_one(pool).await.expect("the locks") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

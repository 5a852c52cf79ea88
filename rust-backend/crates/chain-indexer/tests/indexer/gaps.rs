//! Whether what is stored is complete, what is missing, and mending it.

use chain_indexer::{ChainSettings, Gap, GapCheck, GapReport};
use event_store::chain::gaps::AgentGap;

use crate::branch::branches::{self, indexed};
use crate::every_log::expected_rows;
use crate::world::{Database, Devnet, Indexing, settings};

async fn world(seed: u32) -> (Database, Devnet, ChainSettings) {
    let (database, devnet) = tokio::join!(Database::start(), Devnet::start());
    devnet.traffic(seed, 120, 4).await;
    let chain = settings(&[&devnet.url], devnet.registries(), devnet.start_block());
    let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
    indexing.until_stored(devnet.node.head().await).await;
    indexing.stop().await;
    (database, devnet, chain)
}

fn check(database: &Database, chain: &ChainSettings) -> GapCheck {
    GapCheck {
        pool: database.pool.clone(),
        settings: chain.clone(),
        from: None,
        // Nothing is final on a chain this short.
        to: None,
        against_chain: false,
        mend: false,
    }
}

async fn run(check: &GapCheck) -> GapReport {
    check.run(|_, _| {}).await.expect("a check").expect("a stored chain")
}

/// Checks against the chain, mends, and checks again that the rows are the chain's, each once.
async fn assert_mends(database: &Database, devnet: &Devnet, check: &GapCheck, events: u64) {
    let mend = GapCheck { mend: true, ..check.clone() };
    let report = run(&mend).await;
    assert!(report.complete != Some(false) && report.events_mended == events, "{report:?}");
    assert_eq!(database.events().await, expected_rows(devnet).await);
    let report = run(&GapCheck { against_chain: true, ..check.clone() }).await;
    assert!(report.complete == Some(true), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_was_indexed_whole_is_complete() {
    let (database, devnet, chain) = world(201).await;
    let report = run(&GapCheck { against_chain: true, ..check(&database, &chain) }).await;
    assert!(report.complete == Some(true) && report.gaps.is_empty(), "{report:?}");
    let (start, head) = (devnet.start_block(), devnet.node.head().await);
    assert_eq!((report.from.unsigned_abs(), report.to.unsigned_abs()), (start, head));
    assert_eq!((report.invalidated, report.not_on_chain, report.events_mended), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_that_were_never_read_are_named_and_mended() {
    let (database, devnet, chain) = world(202).await;
    let start = i64::try_from(devnet.start_block()).expect("small");
    let middle = start + 10..=start + 14;
    let mut gone = 0;
    for (first, last) in [(start, start + 2), (*middle.start(), *middle.end())] {
        for sql in [
            "DELETE FROM observed_blocks WHERE block_number BETWEEN $1 AND $2",
            "DELETE FROM events WHERE block_number BETWEEN $1 AND $2",
        ] {
            let done = sqlx::query(sql).bind(first).bind(last).execute(&database.pool).await;
            let rows = done.expect("deleted").rows_affected();
            gone += if sql.contains("events") { rows } else { 0 };
        }
    }
    // As if these blocks had never been read.
    let above = middle.end() + 1;
    sqlx::query(
        "WITH whole AS (DELETE FROM covered_ranges RETURNING *)
         INSERT INTO covered_ranges
         SELECT w.chain_id, w.addresses, f.first,
                (SELECT parent_hash FROM observed_blocks WHERE block_number = f.first),
                coalesce(f.last, w.last_block),
                coalesce((SELECT block_hash FROM observed_blocks WHERE block_number = f.last),
                         w.last_hash)
         FROM whole w, (VALUES ($1::bigint, $2::bigint), ($3, NULL)) AS f (first, last)",
    )
    .bind(start + 3)
    .bind(middle.start() - 1)
    .bind(above)
    .execute(&database.pool)
    .await
    .expect("two ranges");
    let report = run(&check(&database, &chain)).await;
    assert!(report.complete == Some(false));
    let blocks: Vec<_> =
        report.gaps.iter().filter(|gap| matches!(gap, Gap::Blocks { .. })).collect();
    let expected = [
        Gap::Blocks { first: start, last: start + 2 },
        Gap::Blocks { first: *middle.start(), last: *middle.end() },
    ];
    assert_eq!(blocks, expected.iter().collect::<Vec<_>>());
    assert_mends(&database, &devnet, &check(&database, &chain), gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_on_another_branch_than_the_one_below_is_named() {
    let (database, devnet, chain) = world(203).await;
    let block = i64::try_from(devnet.start_block()).expect("small") + 7;
    let other = "UPDATE observed_blocks SET block_hash = '0xbeef' WHERE block_number = $1";
    sqlx::query(other).bind(block - 1).execute(&database.pool).await.expect("updated");
    let report = run(&check(&database, &chain)).await;
    assert_eq!(report.gaps, [Gap::Parent { block }]);
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_without_a_registration_are_mended_by_reading_little() {
    let (database, devnet, chain) = world(204).await;
    // Agents 0, 2 and 3, with the blocks around them.
    let missing = "DELETE FROM events WHERE event_type = 'Registered' AND agent_id IN (0, 2, 3)";
    let around = async |agent: i64| -> i64 {
        sqlx::query_scalar(
            "SELECT block_number FROM events WHERE event_type = 'Registered' AND agent_id = $1",
        )
        .bind(agent)
        .fetch_one(&database.pool)
        .await
        .expect("a registration")
    };
    let (one, four) = (around(1).await, around(4).await);
    database.execute(missing).await;
    let report = run(&check(&database, &chain)).await;
    let gap = |first: &str, last: &str, from_block, to_block| {
        let (first_agent, last_agent) = (first.to_owned(), last.to_owned());
        Gap::Agents(AgentGap { first_agent, last_agent, from_block, to_block })
    };
    assert_eq!(report.gaps, [gap("0", "0", None, one), gap("2", "3", Some(one), four)]);
    assert_mends(&database, &devnet, &check(&database, &chain), 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_foreign_and_invalidated_logs_are_told_apart() {
    let (database, devnet, chain) = world(205).await;
    let all = database.events().await;
    let lost = &all[all.len() / 2];
    for (sql, id) in [
        ("DELETE FROM events WHERE id = $1", &lost.id),
        ("UPDATE events SET invalidated = true WHERE id = $1", &all[3].id),
        // Its row says another place. Another writer's own row of the log is no fault.
        ("UPDATE events SET log_index = log_index + 9000 WHERE id = $1", &all[5].id),
    ] {
        sqlx::query(sql).bind(id).execute(&database.pool).await.expect(sql);
    }
    database
        .execute(
            r#"INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash,
                   log_index, event_type, registry, "timestamp")
               SELECT 'foreign', chain_id, block_number, block_hash, '0xbb', log_index - 9000,
                   'Mine', 'mine', 1760000000
               FROM events WHERE log_index >= 9000"#,
        )
        .await;
    let against = GapCheck { against_chain: true, ..check(&database, &chain) };
    let report = run(&against).await;
    let events: Vec<_> =
        report.gaps.iter().filter(|gap| matches!(gap, Gap::Events { .. })).collect();
    let gap = Gap::Events {
        block: lost.block_number,
        hash: lost.block_hash.clone(),
        log_indexes: vec![lost.log_index],
    };
    assert_eq!(events, [&gap]);
    assert_eq!((report.invalidated, report.not_on_chain), (1, 0));
    let differing: Vec<_> = report.differing.iter().map(|it| (it.block, &it.columns)).collect();
    assert_eq!(differing, [(all[5].block_number, &vec!["log_index".to_owned()])]);
    assert_eq!(report.forged, []);

    let report = run(&GapCheck { mend: true, ..against }).await;
    assert!(report.gaps.is_empty() && report.events_mended == 1, "{report:?}");
    assert!(report.differing.is_empty() && report.events_corrected == 1, "{report:?}");
    assert!(report.complete == Some(false), "one is taken back that the chain has: {report:?}");
    let mended = database.events().await;
    assert_eq!(mended.len(), all.len() + 1);
    assert!(mended.contains(lost));
    let taken_back = mended.iter().filter(|event| event.invalidated);
    assert_eq!(taken_back.map(|event| &event.id).collect::<Vec<_>>(), [&all[3].id]);
    let logs = expected_rows(&devnet).await.len();
    assert_eq!(logs, all.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nodes_learnt_limits_hold_for_the_whole_run() {
    let (database, node, chain) = branches::world(1_000).await;
    indexed(&database, &node, &chain).await.stop().await;
    let before = node.script().times_asked("eth_chainId");
    let report = run(&GapCheck { against_chain: true, ..check(&database, &chain) }).await;
    assert!(report.complete == Some(true) && report.to - report.from > 900, "{report:?}");
    // At most once for each of the blocks that are asked for at once.
    let asked = node.script().times_asked("eth_chainId") - before;
    assert!((1..=16).contains(&asked), "{asked}");
}

/// A node on another branch, which is believed in nothing: what it lacks may be on it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_on_another_branch_says_is_missing_is_not_stored() {
    let (database, node, chain) = branches::world(9).await;
    indexed(&database, &node, &chain).await.stop().await;
    let stored = database.events().await;
    let lost = "DELETE FROM events WHERE block_number IN (3, 7)";
    database.execute(lost).await;
    let branch = node.script().branched(5, 1, 9);
    node.script().headers = branch;
    let against = GapCheck { against_chain: true, ..check(&database, &chain) };
    let report = run(&GapCheck { mend: true, ..against }).await;
    assert!(report.complete == Some(false) && report.events_mended == 1, "{report:?}");
    let kept = stored.into_iter().filter(|event| event.block_number != 7).collect::<Vec<_>>();
    assert_eq!(database.events().await, kept, "what both branches have is mended, and no more");
}

/// What is not final yet may be taken back this moment, and is its indexer's to store.
#[tokio::test(flavor = "multi_thread")]
async fn a_gap_above_the_finalized_block_is_left_to_the_indexer() {
    let (database, node, chain) = branches::world(9).await;
    node.script().finalize(5);
    let indexing = indexed(&database, &node, &chain).await;
    indexing.until("devnet", |status| status.finalized == Some(5)).await;
    indexing.stop().await;
    let stored = database.events().await;
    database.execute("DELETE FROM events WHERE block_number IN (3, 7)").await;
    let whole = GapCheck { against_chain: true, to: Some(8), ..check(&database, &chain) };
    let report = run(&GapCheck { mend: true, ..whole }).await;
    assert!(report.complete == Some(false) && report.events_mended == 1, "{report:?}");
    let kept = stored.into_iter().filter(|event| event.block_number != 7).collect::<Vec<_>>();
    assert_eq!(database.events().await, kept);
}

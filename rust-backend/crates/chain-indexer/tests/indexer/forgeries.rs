//! Rows that strangers store: under the names of logs, and as logs that no block has.

use std::collections::{BTreeMap, BTreeSet};

use chain_indexer::{Backfill, ChainSettings, GapCheck, GapReport};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::branch::branches;
use crate::every_log::expected_rows;
use crate::world::{Database, Devnet, Indexing, StoredEvent, audit, settings};

/// Columns that a log says something of, beside those of its name.
const COLUMNS: [&str; 12] = [
    "chain_id",
    "block_number",
    "block_hash",
    "transaction_hash",
    "log_index",
    "event_type",
    "registry",
    "agent_id",
    "data",
    "address",
    "topics",
    "log_data",
];
/// Kinds of rows that claim to be logs of their block and are none.
const CLAIMS: usize = 7;

/// What is to become of a stranger's row.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It is taken over, in so many revisions.
    TakenOver(i32),
    /// It says what the log says, and is not written.
    Equal,
    /// It is no log, and is taken back.
    TakenBack,
    /// It claims nothing.
    LeftAlone,
}

async fn chain_with_traffic(seed: u32) -> (Database, Devnet, ChainSettings) {
    let (database, devnet) = tokio::join!(Database::start(), Devnet::start());
    devnet.traffic(seed, 120, 4).await;
    let chain = settings(&[&devnet.url], devnet.registries(), devnet.start_block());
    let_strangers_insert(&database).await;
    (database, devnet, chain)
}

async fn let_strangers_insert(database: &Database) {
    database.make_role("stranger").await;
    database.execute("GRANT INSERT ON events TO stranger").await;
}

/// Stores a row as a role with INSERT alone does.
async fn insert_as_a_stranger(database: &Database, row: &StoredEvent) {
    let mut transaction = database.pool.begin().await.expect("a transaction");
    let become_one = "SET LOCAL ROLE stranger";
    sqlx::query(become_one).execute(&mut *transaction).await.expect("the role");
    sqlx::query(
        r#"INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
               event_type, registry, "timestamp", agent_id, data, address, topics, log_data,
               invalidated, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::numeric, $11, $12, $13, $14,
               $15, '-infinity')"#,
    )
    .bind(&row.id)
    .bind(row.chain_id)
    .bind(row.block_number)
    .bind(&row.block_hash)
    .bind(&row.transaction_hash)
    .bind(row.log_index)
    .bind(&row.event_type)
    .bind(&row.registry)
    .bind(row.timestamp)
    .bind(&row.agent_id)
    .bind(&row.data)
    .bind(&row.address)
    .bind(&row.topics)
    .bind(&row.log_data)
    .bind(row.invalidated)
    .execute(&mut *transaction)
    .await
    .expect("inserted");
    transaction.commit().await.expect("committed");
}

/// The log with one column otherwise.
fn with_another(log: &StoredEvent, column: &str) -> StoredEvent {
    let mut row = log.clone();
    match column {
        "chain_id" => row.chain_id = 1,
        "block_number" => row.block_number += 1,
        "block_hash" => row.block_hash = format!("0x{}", "ab".repeat(32)),
        "transaction_hash" => "0xcd".clone_into(&mut row.transaction_hash),
        "log_index" => row.log_index += 7,
        "event_type" => row.event_type.push('s'),
        "registry" => "mine".clone_into(&mut row.registry),
        "agent_id" => row.agent_id = Some("7000".to_owned()),
        "data" => row.data = Some(json!({"value": "100", "was": row.data})),
        "address" => row.address = None,
        "topics" => row.topics = Some(vec!["0xef".to_owned()]),
        "log_data" => row.log_data = Some("0xef".to_owned()),
        other => panic!("no column {other}"),
    }
    row
}

/// The log as another writer may spell it.
fn spelt_otherwise(log: &StoredEvent) -> StoredEvent {
    let upper = |hex: &str| hex.to_uppercase().replace("0X", "0x");
    StoredEvent {
        block_hash: upper(&log.block_hash),
        transaction_hash: upper(&log.transaction_hash),
        address: log.address.as_deref().map(upper),
        topics: log.topics.as_ref().map(|all| all.iter().map(|topic| upper(topic)).collect()),
        log_data: log.log_data.as_deref().map(upper),
        ..log.clone()
    }
}

/// A row that claims to be of the log's block and has another name, or claims to be one more.
fn claiming(log: &StoredEvent, kind: usize, number: usize) -> StoredEvent {
    let StoredEvent { chain_id, block_hash: hash, log_index, .. } = log;
    let upper = hash.to_uppercase().replace("0X", "0x");
    let free = 50_000 + i32::try_from(number).expect("few");
    let row = log.clone();
    match kind {
        0 => StoredEvent { timestamp: log.timestamp + 1 + i64::from(free), ..row },
        1 => {
            StoredEvent { id: format!("{chain_id}-{upper}-{log_index}"), block_hash: upper, ..row }
        }
        2 => StoredEvent { id: format!("{chain_id}-{hash}-0{log_index}"), ..row },
        3 => StoredEvent { id: format!("{chain_id}-{hash}-{free}"), log_index: free, ..row },
        4 => StoredEvent { id: format!("anything {number}"), ..row },
        5 => StoredEvent { id: format!("by name {number}"), address: None, ..row },
        6 => {
            StoredEvent { id: format!("by contract {number}"), registry: "mine".to_owned(), ..row }
        }
        other => panic!("no kind {other}"),
    }
}

/// A row of a registry of the stranger's own, in the same block.
fn of_another_registry(log: &StoredEvent, number: usize) -> StoredEvent {
    let (id, registry) = (format!("mine {number}"), "mine".to_owned());
    StoredEvent { id, registry, address: Some("0xee".to_owned()), ..log.clone() }
}

/// What a stranger stores before the log, if anything.
fn drawn(log: &StoredEvent, number: usize, dice: &mut StdRng) -> Vec<(StoredEvent, Fate)> {
    match dice.random_range(0..8) {
        0..=2 => {
            let column = COLUMNS[dice.random_range(0..COLUMNS.len())];
            let revisions = if column == "chain_id" { 2 } else { 1 };
            vec![(with_another(log, column), Fate::TakenOver(revisions))]
        }
        3 => vec![(spelt_otherwise(log), Fate::Equal)],
        4 => vec![(of_another_registry(log, number), Fate::LeftAlone)],
        5 | 6 => {
            let kind = dice.random_range(0..CLAIMS);
            vec![(claiming(log, kind, number), Fate::TakenBack)]
        }
        _ => Vec::new(),
    }
}

type Strangers = Vec<(StoredEvent, Fate)>;

async fn store_drawn(database: &Database, logs: &[StoredEvent], seed: u64) -> Strangers {
    let mut dice = StdRng::seed_from_u64(seed);
    let drawn: Vec<_> =
        logs.iter().enumerate().flat_map(|(at, log)| drawn(log, at, &mut dice)).collect();
    for (row, _) in &drawn {
        insert_as_a_stranger(database, row).await;
    }
    drawn
}

/// The valid rows that are of our registries are the logs, each stranger's row has met its fate,
/// and nothing that was equal was written.
async fn assert_rows_are(database: &Database, logs: &[StoredEvent], strangers: &Strangers) {
    let stored = database.events().await;
    let by_name: BTreeMap<(&str, i64), &StoredEvent> =
        stored.iter().map(|row| ((row.id.as_str(), row.timestamp), row)).collect();
    let mut fates: BTreeMap<(&str, i64), Fate> = BTreeMap::new();
    for (row, fate) in strangers {
        let name = (row.id.as_str(), row.timestamp);
        fates.insert(name, *fate);
        let now = by_name[&name];
        match fate {
            Fate::Equal | Fate::LeftAlone => assert_eq!(now, row, "it is not written"),
            Fate::TakenBack => assert!(now.invalidated && now.revision == 1, "{now:?}"),
            Fate::TakenOver(revisions) => assert_eq!(now.revision, *revisions, "{now:?}"),
        }
    }
    for log in logs {
        let name = (log.id.as_str(), log.timestamp);
        let now = by_name[&name];
        match fates.get(&name) {
            Some(Fate::Equal) => assert_eq!(spelt_otherwise(now), spelt_otherwise(log)),
            Some(Fate::TakenOver(revision)) => {
                assert_eq!(*now, StoredEvent { revision: *revision, ..log.clone() });
            }
            _ => assert_eq!(now, log),
        }
    }
    let names: BTreeSet<_> = logs.iter().map(|log| (log.id.as_str(), log.timestamp)).collect();
    let valid = stored.iter().filter(|row| !row.invalidated);
    let others = valid.map(|row| (row.id.as_str(), row.timestamp)).filter(|it| !names.contains(it));
    assert!(others.clone().all(|name| fates.get(&name) == Some(&Fate::LeftAlone)));
}

/// What the rows said before they were taken over is kept, as they said it.
async fn assert_kept(database: &Database, strangers: &Strangers) {
    let kept: Vec<(String, i64, String, String)> = sqlx::query_as(
        "SELECT id, chain_id, block_hash, event_type FROM superseded_events
         WHERE created_at = '-infinity' AND revision = 0 ORDER BY id",
    )
    .fetch_all(&database.pool)
    .await
    .expect("what was replaced");
    let mut forged: Vec<_> = strangers
        .iter()
        .filter(|(_, fate)| matches!(fate, Fate::TakenOver(_)))
        .map(|(row, _)| {
            (row.id.clone(), row.chain_id, row.block_hash.clone(), row.event_type.clone())
        })
        .collect();
    forged.sort();
    assert_eq!(kept, forged);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_strangers_store_first_the_rows_are_the_logs() {
    let (database, devnet, chain) = chain_with_traffic(301).await;
    let logs = expected_rows(&devnet).await;
    let strangers = store_drawn(&database, &logs, 17).await;
    assert!(strangers.len() > 60);
    let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
    indexing.until_stored(devnet.node.head().await).await;
    indexing.stop().await;
    assert_rows_are(&database, &logs, &strangers).await;
    assert_kept(&database, &strangers).await;

    // And once more, as if it had never been indexed: all of it is equal now.
    let entries = database.log_entries().await.0;
    for sql in ["DELETE FROM observed_blocks", "DELETE FROM covered_ranges"] {
        database.execute(sql).await;
    }
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until_stored(devnet.node.head().await).await;
    indexing.stop().await;
    assert_eq!(database.log_entries().await.0, entries, "what is equal is no revision");
}

#[tokio::test(flavor = "multi_thread")]
async fn history_read_in_ranges_corrects_and_invalidates_as_well() {
    let (database, devnet, mut chain) = chain_with_traffic(302).await;
    devnet.mine(64).await;
    chain.finality_depth = Some(32);
    let logs = expected_rows(&devnet).await;
    let strangers = store_drawn(&database, &logs, 18).await;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until_stored(devnet.node.head().await).await;
    indexing.stop().await;
    assert!(database.blocks(31_337).await.len() < 64 + logs.len(), "most of it came in ranges");
    assert_rows_are(&database, &logs, &strangers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_claims_to_be_a_log_is_invalidated_however_late() {
    let (database, devnet, chain) = chain_with_traffic(303).await;
    devnet.mine(3).await;
    let logs = expected_rows(&devnet).await;
    let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
    let auditing = audit(&database.pool, vec![chain]);
    indexing.until_stored(devnet.node.head().await).await;
    let mut strangers = Strangers::new();
    for (at, log) in logs.iter().enumerate().take(5 * CLAIMS) {
        strangers.push((claiming(log, at % CLAIMS, at), Fate::TakenBack));
        if at % CLAIMS == 0 {
            strangers.push((of_another_registry(log, at), Fate::LeftAlone));
        }
    }
    // Of a block without any log, and of a true hash at another height.
    let (head, last) = (database.blocks(31_337).await, &logs[logs.len() - 1]);
    let (number, hash) = head.last().expect("a block").clone();
    let id = format!("31337-{hash}-0");
    let empty = StoredEvent { id, block_number: number, block_hash: hash, ..last.clone() };
    strangers.push((empty, Fate::TakenBack));
    let years_off = StoredEvent { timestamp: 1_000_000_000, ..last.clone() };
    strangers.push((years_off, Fate::TakenBack));
    let id = "elsewhere".to_owned();
    let misplaced = StoredEvent { id, block_number: last.block_number - 9, ..last.clone() };
    strangers.push((misplaced, Fate::TakenBack));
    for (row, _) in &strangers {
        insert_as_a_stranger(&database, row).await;
    }
    let forged: Vec<_> = strangers.iter().filter(|it| it.1 == Fate::TakenBack).collect();
    database
        .until("all of them are taken back", async || {
            let stored = database.events().await;
            let is_gone = |row: &StoredEvent| {
                let own = |it: &&StoredEvent| it.id == row.id && it.timestamp == row.timestamp;
                stored.iter().find(own).is_some_and(|row| row.invalidated)
            };
            forged.iter().all(|(row, _)| is_gone(row))
        })
        .await;
    auditing.stop().await;
    indexing.stop().await;
    assert_rows_are(&database, &logs, &strangers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_emitted_before_it_moved_stays() {
    let (database, devnet, chain) = chain_with_traffic(304).await;
    devnet.mine(80).await;
    let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
    indexing.until_stored(devnet.node.head().await).await;
    indexing.stop().await;
    // As if the registry had come to another contract, whose history is read from the beginning.
    let mut moved = chain.clone();
    moved.registries.reputation = "0x00000000000000000000000000000000000000aa".parse().ok();
    let registry = |row: &StoredEvent| row.registry == "reputation";
    let before: Vec<_> = database.events().await.into_iter().filter(registry).collect();
    let (pool, settings) = (database.pool.clone(), moved);
    let backfill = Backfill { pool, settings, from: None, to: None };
    let filled = backfill.run(&CancellationToken::new(), |_| {}).await.expect("filled");
    assert!(filled.is_complete && filled.blocks_done > 0, "{filled:?}");
    let after = database.events().await;
    assert!(before.len() > 20 && before.iter().all(|row| after.contains(row)));
}

/// A check against the chain of all that is stored.
async fn check(database: &Database, chain: &ChainSettings, mend: bool) -> GapReport {
    let (pool, settings) = (database.pool.clone(), chain.clone());
    let check = GapCheck { pool, settings, from: None, to: None, against_chain: true, mend };
    check.run(|_, _| {}).await.expect("a check").expect("a stored chain")
}

/// Makes a stored row say what another one says.
async fn overwrite(database: &Database, row: &StoredEvent) {
    sqlx::query(
        r#"UPDATE events SET chain_id = $3, block_number = $4, block_hash = $5,
               transaction_hash = $6, log_index = $7, event_type = $8, registry = $9,
               agent_id = $10::text::numeric, data = $11, address = $12, topics = $13,
               log_data = $14
           WHERE id = $1 AND "timestamp" = $2"#,
    )
    .bind(&row.id)
    .bind(row.timestamp)
    .bind(row.chain_id)
    .bind(row.block_number)
    .bind(&row.block_hash)
    .bind(&row.transaction_hash)
    .bind(row.log_index)
    .bind(&row.event_type)
    .bind(&row.registry)
    .bind(&row.agent_id)
    .bind(&row.data)
    .bind(&row.address)
    .bind(&row.topics)
    .bind(&row.log_data)
    .execute(&database.pool)
    .await
    .expect("overwritten");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_column_and_each_forged_row_is_named_and_mended() {
    let (database, devnet, chain) = chain_with_traffic(305).await;
    let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
    indexing.until_stored(devnet.node.head().await).await;
    indexing.stop().await;
    let logs = expected_rows(&devnet).await;
    let mut expected = BTreeSet::new();
    for (column, log) in COLUMNS.into_iter().zip(&logs) {
        overwrite(&database, &with_another(log, column)).await;
        expected.insert((log.block_number, log.log_index, column.to_owned()));
    }
    let mut forged = BTreeSet::new();
    for (kind, log) in (0..CLAIMS).zip(logs.iter().skip(40)) {
        let row = claiming(log, kind, kind);
        insert_as_a_stranger(&database, &row).await;
        insert_as_a_stranger(&database, &of_another_registry(log, kind)).await;
        forged.insert((row.id, row.timestamp));
    }
    overwrite(&database, &spelt_otherwise(&logs[60])).await;

    let report = check(&database, &chain, false).await;
    assert!(report.complete == Some(false) && report.gaps.is_empty(), "{report:?}");
    let named = report.differing.iter().map(|it| (it.block, it.log_index, it.columns.join(" ")));
    assert_eq!(named.collect::<BTreeSet<_>>(), expected);
    // A row that says another block is not one of that block's logs either.
    let moved = (logs[1].id.clone(), logs[1].timestamp);
    let named = report.forged.iter().map(|it| (it.id.clone(), it.timestamp));
    let named: BTreeSet<_> = named.filter(|name| *name != moved).collect();
    assert_eq!(named, forged);
    assert_eq!(report.not_on_chain, 0, "another writer's registry tells of true places");

    let report = check(&database, &chain, true).await;
    assert!(report.complete == Some(true) && report.events_mended == 0, "{report:?}");
    assert_eq!(report.events_corrected, (COLUMNS.len() + CLAIMS) as u64);
    let valid = database.events().await.into_iter().filter(|row| !row.invalidated);
    let ours: Vec<_> = valid
        .filter(|row| row.registry != "mine")
        .map(|row| StoredEvent { revision: 0, ..spelt_otherwise(&row) })
        .collect();
    assert_eq!(ours, logs.iter().map(spelt_otherwise).collect::<Vec<_>>());
}

/// Stores what claims to be logs of these logs' blocks, every other row as one that was taken back,
/// and a row that claims nothing for each block. Returns the former.
async fn claim(database: &Database, logs: &[StoredEvent]) -> Vec<StoredEvent> {
    let mut forged = Vec::new();
    for log in logs {
        let number = usize::try_from(log.block_number).expect("a small number");
        for kind in 0..CLAIMS {
            let row = claiming(log, kind, number * CLAIMS + kind);
            forged.push(StoredEvent { invalidated: (kind + number) % 2 == 0, ..row });
        }
        insert_as_a_stranger(database, &of_another_registry(log, number)).await;
    }
    for row in &forged {
        insert_as_a_stranger(database, row).await;
    }
    forged
}

/// The logs are valid, and so is what claims nothing; what is forged has no revision but the one
/// that took it back, if it was stored as valid.
async fn assert_only_logs_are_back(
    database: &Database,
    logs: &[StoredEvent],
    forged: &[StoredEvent],
) {
    let stored = database.events().await;
    for row in forged {
        let revision = i32::from(!row.invalidated);
        let expected = StoredEvent { invalidated: true, revision, ..row.clone() };
        assert!(stored.contains(&expected), "{expected:?}");
    }
    for log in logs {
        let of_block = stored.iter().filter(|row| row.block_hash == log.block_hash);
        let valid: Vec<&str> =
            of_block.filter(|row| !row.invalidated).map(|row| row.id.as_str()).collect();
        assert_eq!(valid, [log.id.clone(), format!("mine {}", log.block_number)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_block_that_returns_its_forged_rows_do_not() {
    let (database, node, chain) = branches::world(10).await;
    let_strangers_insert(&database).await;
    let indexing = branches::indexed(&database, &node, &chain).await;
    let logs = database.events().await.split_off(5);
    let first = node.script().headers.clone();
    let second = node.script().branched(5, 1, 11);
    let mut forged = claim(&database, &logs[..2]).await;
    node.script().headers = second;
    branches::until_head(&indexing, &node, 1).await;
    forged.extend(claim(&database, &logs[2..]).await);
    node.script().headers = first;
    branches::until_head(&indexing, &node, 2).await;
    indexing.stop().await;
    assert_only_logs_are_back(&database, &logs, &forged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_rows_do_not_return_with_a_block_filled_in_again() {
    let (database, node, chain) = branches::world(80).await;
    let_strangers_insert(&database).await;
    let indexing = branches::indexed(&database, &node, &chain).await;
    indexing.stop().await;
    let logs = database.events().await[..8].to_vec();
    let forged = claim(&database, &logs).await;
    // As if another branch had taken the place of all of it, and been forgotten.
    for sql in [
        r#"INSERT INTO orphaned_blocks (
               chain_id, block_hash, block_number, parent_hash, "timestamp", fork_block)
           SELECT chain_id, block_hash, block_number, parent_hash, "timestamp", 0
           FROM observed_blocks"#,
        "DELETE FROM observed_blocks",
        "DELETE FROM covered_ranges",
        "UPDATE events SET invalidated = true WHERE NOT invalidated",
    ] {
        database.execute(sql).await;
    }
    let (pool, settings) = (database.pool.clone(), chain);
    let backfill = Backfill { pool, settings, from: None, to: None };
    let filled = backfill.run(&CancellationToken::new(), |_| {}).await.expect("filled");
    assert!(filled.is_complete && filled.blocks_done > 8, "{filled:?}");
    assert_only_logs_are_back(&database, &logs, &forged).await;
}

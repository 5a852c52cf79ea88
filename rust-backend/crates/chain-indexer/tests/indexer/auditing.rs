//! A writer that only inserts, and the auditor beside it, with a scripted node.

use chain_indexer::ChainSettings;
use serde_json::Value;
use service::config::{ChainWriter, RpcUrl};

use crate::branch::branches::world;
use crate::world::{Database, Indexing, ScriptedNode, StoredEvent, audit, settings};

/// As [`world`], of a chain whose writer is the auditor.
async fn audited_world(blocks: u64) -> (Database, ScriptedNode, ChainSettings) {
    let (database, node, mut chain) = world(blocks).await;
    chain.writer = ChainWriter::Auditor;
    chain.indexed = false;
    (database, node, chain)
}

/// A writer that inserts one event of each of these blocks, and knows nothing else.
async fn insert(database: &Database, blocks: &[(i64, String)]) {
    let (numbers, hashes): (Vec<i64>, Vec<String>) = blocks.iter().cloned().unzip();
    sqlx::query(
        r#"INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
               event_type, registry, "timestamp")
           SELECT format('31337-%s-0', left(hash, 200)), 31337, number, hash, '0xbb', 0, 'Mine',
               'mine', 1760000000 + number
           FROM unnest($1::bigint[], $2::text[]) AS block (number, hash)
           ON CONFLICT DO NOTHING"#,
    )
    .bind(&numbers)
    .bind(&hashes)
    .execute(&database.pool)
    .await
    .expect("inserted");
}

fn named(headers: &[Value], numbers: std::ops::RangeInclusive<usize>) -> Vec<(i64, String)> {
    headers[numbers.clone()]
        .iter()
        .zip(numbers)
        .map(|(header, number)| {
            let hash = header["hash"].as_str().expect("a hash").to_owned();
            (i64::try_from(number).expect("small"), hash)
        })
        .collect()
}

/// Waits until the checkpoint is the node's head.
async fn until_audited(database: &Database, node: &ScriptedNode) {
    let (number, hash) = node.script().blocks(0).pop().expect("a head");
    let head = [(31_337, number, hash)];
    database.until("the head is audited", async || database.checkpoints().await == head).await;
    assert_eq!(database.heights_without_time().await, 0);
}

/// The event of this block: whether it is invalidated, and its revision.
async fn of(database: &Database, block: &(i64, String)) -> (bool, i32) {
    let events = database.events().await;
    let event = events.iter().find(|event| event.block_hash == block.1).expect("an event");
    (event.invalidated, event.revision)
}

async fn until_invalidated(database: &Database, block: &(i64, String)) {
    database.until("it is taken back", async || of(database, block).await.0).await;
}

async fn count(database: &Database, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&database.pool).await.expect("a number")
}

const UNKNOWN: &str = "SELECT count(*) FROM audit_suspects WHERE state = 'unknown'";

/// Any number of auditors may run at once. One's node lags, below the fork, while another follows
/// the new branch, and sees it become final above all that the first has seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_another_auditor_saw_become_final_is_followed() {
    let (database, node, chain) = audited_world(21).await;
    node.script().finalize(10);
    let auditing = audit(&database.pool, vec![chain.clone()]);
    until_audited(&database, &node).await;

    let other = ScriptedNode::start(1).await;
    let branch = node.script().branched(15, 1, 40);
    node.script().headers.truncate(14);
    other.script().headers.clone_from(&branch);
    other.script().finalize(30);
    let at_other = settings(&[&other.url], chain.registries, 0).rpc_urls;
    let beside = audit(&database.pool, vec![ChainSettings { rpc_urls: at_other, ..chain }]);
    until_audited(&database, &other).await;
    database.until("it is final", async || database.finalized(31_337).await == Some(30)).await;
    beside.stop().await;

    let higher = other.script().branched(40, 1, 41);
    node.script().headers = higher;
    until_audited(&database, &node).await;
    auditing.stop().await;
    assert_eq!(database.problem(31_337).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_replaced_blocks_come_and_go_with_their_branch() {
    let (database, node, chain) = audited_world(20).await;
    node.script().finalize(3);
    let first = node.script().headers.clone();
    insert(&database, &named(&first, 1..=19)).await;
    let auditing = audit(&database.pool, vec![chain]);
    until_audited(&database, &node).await;
    assert!(database.events().await.iter().all(|event| event.revision == 0));

    let second = node.script().branched(14, 1, 21);
    node.script().headers.clone_from(&second);
    insert(&database, &named(&second, 15..=21)).await;
    until_audited(&database, &node).await;
    assert_eq!(database.valid_blocks().await, named(&second, 1..=21));
    let orphans = database.orphans().await;
    let expected = named(&first, 15..=19).into_iter().zip(named(&second, 15..=21));
    let expected: Vec<_> =
        expected.map(|((number, hash), (_, by))| (number, hash, Some(by), 14)).collect();
    assert_eq!(
        orphans.iter().map(|o| (o.0, &o.1)).collect::<Vec<_>>(),
        expected.iter().map(|o| (o.0, &o.1)).collect::<Vec<_>>()
    );
    assert!(orphans.iter().all(|orphan| orphan.3 == 14));

    // One of them is taken back by hand meanwhile: that is not the auditor's to undo.
    let by_hand = named(&second, 20..=20).remove(0);
    database.execute("UPDATE events SET invalidated = true WHERE block_number = 20").await;
    node.script().headers.clone_from(&first);
    until_audited(&database, &node).await;
    assert_eq!(database.valid_blocks().await, named(&first, 1..=19));
    node.script().headers.clone_from(&second);
    until_audited(&database, &node).await;
    auditing.stop().await;
    let mut valid = named(&second, 1..=21);
    valid.retain(|block| *block != by_hand);
    assert_eq!(database.valid_blocks().await, valid);
    assert_eq!(of(&database, &by_hand).await, (true, 1));
    assert_eq!(of(&database, &named(&second, 21..=21)[0]).await, (false, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_an_orphaned_block_is_invalidated_however_late() {
    let (database, node, chain) = audited_world(20).await;
    node.script().finalize(3);
    let auditing = audit(&database.pool, vec![chain]);
    until_audited(&database, &node).await;
    let orphaned = named(&node.script().headers, 10..=10).remove(0);
    let branch = node.script().branched(8, 1, 80);
    // No node has heard of it any more.
    node.script().headers = branch;
    until_audited(&database, &node).await;
    insert(&database, std::slice::from_ref(&orphaned)).await;
    until_invalidated(&database, &orphaned).await;

    node.script().finalize(70);
    database.until("it is final", async || database.finalized(31_337).await == Some(70)).await;
    let late = named(&node.script().branched(0, 0, 12), 9..=12);
    // Block 9 of the first branch was replaced, and 1 is on both.
    insert(&database, &late[..1]).await;
    until_invalidated(&database, &late[0]).await;
    let on_both = named(&node.script().headers, 1..=1).remove(0);
    insert(&database, std::slice::from_ref(&on_both)).await;
    database
        .until("it is acquitted", async || {
            count(&database, "SELECT count(*) FROM audit_suspects").await == 0
                && count(
                    &database,
                    "SELECT count(*) FROM event_log l JOIN audit_cursors c
                                     USING (chain_id) WHERE l.event_id IS NOT NULL
                                     AND (l.xid, l.seq) > (c.xid, c.seq)",
                )
                .await
                    == 0
        })
        .await;
    auditing.stop().await;
    assert_eq!(of(&database, &on_both).await, (false, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_stands_aside_at_a_node_proves_itself_replaced() {
    let (database, node, chain) = audited_world(30).await;
    node.script().finalize(20);
    // The auditor begins when all is over.
    let aside = node.script().branched(10, 1, 14);
    node.script().others = aside[11..].to_vec();
    let auditing = audit(&database.pool, vec![chain]);
    until_audited(&database, &node).await;
    let replaced = named(&aside, 13..=13).remove(0);
    insert(&database, std::slice::from_ref(&replaced)).await;
    until_invalidated(&database, &replaced).await;
    auditing.stop().await;
    let orphans = database.orphans().await;
    let of_branch = named(&aside, 11..=13);
    assert_eq!(orphans.iter().map(|o| (o.0, o.1.clone())).collect::<Vec<_>>(), of_branch);
    assert!(orphans.iter().all(|orphan| orphan.3 == 10));
    let in_its_place = named(&node.script().headers, 13..=13).remove(0).1;
    assert_eq!(orphans[2].2, Some(in_its_place));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_nobody_knows_is_told_once_and_left_alone() {
    let (database, node, chain) = audited_world(30).await;
    node.script().finalize(20);
    let auditing = audit(&database.pool, vec![chain.clone()]);
    until_audited(&database, &node).await;
    let long = "x".repeat(400);
    let canonical = named(&node.script().headers, 5..=5).remove(0).1;
    let typed: Vec<(i64, String)> = vec![
        (25, format!("0x{}", "ab".repeat(32))),
        (7, format!("0x{}", "cd".repeat(32))),
        (26, "0xbeef".to_owned()),
        (27, long),
        (-1, format!("0x{}", "ef".repeat(32))),
        // A true hash at another height.
        (28, canonical),
    ];
    insert(&database, &typed).await;
    database.until("all are unknown", async || count(&database, UNKNOWN).await == 6).await;
    // They hold nothing up.
    let longer = node.script().branched(29, 0, 35);
    node.script().headers = longer;
    until_audited(&database, &node).await;
    auditing.stop().await;
    assert!(database.events().await.iter().all(|event| event.revision == 0));
    let unproved =
        event_store::chain::audit_suspects::unproved(&database.pool).await.expect("a list");
    assert_eq!((unproved[0].chain_id, unproved[0].unknown, unproved[0].above), (31_337, 6, 0));
    assert!(unproved[0].first.starts_with("block -1, 0xefef"), "{unproved:?}");
    assert_eq!(database.orphans().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_above_the_head_is_compared_once_the_chain_is_there() {
    let (database, node, chain) = audited_world(10).await;
    node.script().finalize(3);
    let auditing = audit(&database.pool, vec![chain]);
    until_audited(&database, &node).await;
    let (ours, aside) = {
        let script = node.script();
        (script.branched(9, 0, 15), script.branched(9, 1, 15))
    };
    node.script().others = aside[10..].to_vec();
    let early = [named(&ours, 12..=12), named(&aside, 13..=13)].concat();
    insert(&database, &early).await;
    database
        .until("they wait", async || {
            count(&database, "SELECT count(*) FROM audit_suspects WHERE looks > 0").await == 2
        })
        .await;
    node.script().headers = ours;
    until_invalidated(&database, &early[1]).await;
    until_audited(&database, &node).await;
    auditing.stop().await;
    assert_eq!(of(&database, &early[0]).await, (false, 0));
    assert_eq!(count(&database, "SELECT count(*) FROM audit_suspects").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_nodes_one_alone_invalidates_nothing() {
    let (database, node, mut chain) = audited_world(20).await;
    let other = ScriptedNode::start(20).await;
    for node in [&node, &other] {
        node.script().finalize(3);
    }
    chain.rpc_urls.push(RpcUrl::parse(&other.url).expect("a URL"));
    let written = named(&node.script().headers, 1..=19);
    insert(&database, &written).await;
    let auditing = audit(&database.pool, vec![chain]);
    until_audited(&database, &node).await;
    let branch = node.script().branched(14, 1, 21);
    node.script().headers.clone_from(&branch);
    // The first shows it, and the other one, whose turn it is then, does not.
    let asked = other.script().times_asked("latest");
    database
        .until("the other was asked", async || other.script().times_asked("latest") > asked + 3)
        .await;
    assert!(database.events().await.iter().all(|event| !event.invalidated));
    other.script().headers.clone_from(&branch);
    until_invalidated(&database, &written[14]).await;
    until_audited(&database, &node).await;
    auditing.stop().await;
    assert_eq!(database.valid_blocks().await, named(&branch, 1..=14));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_falls_back_on_its_branch_invalidates_nothing() {
    let (database, node, chain) = audited_world(20).await;
    node.script().finalize(3);
    let headers = node.script().headers.clone();
    insert(&database, &named(&headers, 1..=19)).await;
    let auditing = audit(&database.pool, vec![chain]);
    until_audited(&database, &node).await;
    node.script().headers.truncate(12);
    let asked = |node: &ScriptedNode| node.script().times_asked("latest");
    let before = asked(&node);
    database.until("it was asked", async || asked(&node) > before + 5).await;
    auditing.stop().await;
    assert!(database.events().await.iter().all(|event| !event.invalidated));
    assert_eq!(database.checkpoints().await[0].1, 19);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_below_the_finalized_block_stops_the_audit() {
    let (database, node, chain) = audited_world(20).await;
    node.script().finalize(12);
    let written = named(&node.script().headers, 1..=19);
    insert(&database, &written).await;
    let auditing = audit(&database.pool, vec![chain]);
    until_audited(&database, &node).await;
    database.until("12 is final", async || database.finalized(31_337).await == Some(12)).await;
    let (first, branch) = {
        let script = node.script();
        (script.headers.clone(), script.branched(11, 1, 25))
    };
    // It is told, below everything that was audited and above it.
    for (headers, state, says) in [
        (branch[..6].to_vec(), "failing", "below every stored block"),
        (branch, "stopped", "shares no block with the stored chain: its block 12 is"),
    ] {
        node.script().headers = headers;
        database
            .until("it is told", async || {
                let told = database.problem_of("auditor", 31_337).await;
                told.is_some_and(|(is, why)| is == state && why.contains(says))
            })
            .await;
    }
    assert!(database.events().await.iter().all(|event| !event.invalidated));
    node.script().headers = first;
    let is_well = async || database.problem_of("auditor", 31_337).await.is_none();
    database.until("the node is right again", is_well).await;
    auditing.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jumping_heads_end_with_the_events_of_the_branch_that_stays() {
    let (database, node, chain) = audited_world(15).await;
    node.script().finalize(3);
    let views = {
        let script = node.script();
        let first = script.headers.clone();
        [first.clone(), script.branched(8, 1, 13), first[..12].to_vec(), script.branched(8, 1, 15)]
    };
    insert(&database, &named(&views[0], 1..=14)).await;
    insert(&database, &named(&views[3], 9..=15)).await;
    let mut answers_left = 300_usize;
    node.script().others = views.concat();
    let jumping = views.clone();
    node.script().meanwhile = Some(Box::new(move |script, _| {
        let view = if answers_left == 0 { 3 } else { (answers_left * 7 / 3) % 4 };
        script.headers.clone_from(&jumping[view]);
        answers_left = answers_left.saturating_sub(1);
    }));
    let auditing = audit(&database.pool, vec![chain]);
    let last = named(&views[3], 15..=15).remove(0);
    database
        .until("it stays at the last branch", async || {
            database.checkpoints().await == [(31_337, last.0, last.1.clone())]
                && database.valid_blocks().await == named(&views[3], 1..=15)
        })
        .await;
    auditing.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_auditors_that_crash_invalidate_each_event_once() {
    let (mut database, node, chain) = audited_world(20).await;
    node.script().finalize(3);
    let pool = database.pool.clone();
    let start = || audit(&pool, vec![chain.clone()]);
    let mut auditors = [start(), start()];
    let mut orphaned = Vec::new();
    let written = named(&node.script().headers, 1..=19);
    insert(&database, &written).await;
    for round in 1..=8_u64 {
        let (before, fork) = (node.script().headers.clone(), 19 + 3 * round - 5);
        let branch = node.script().branched(fork, round, 19 + 3 * round);
        // What it replaces stands aside for a while: some of it no auditor has seen on the chain.
        node.script().others.extend(before.iter().cloned());
        node.script().headers.clone_from(&branch);
        let first = usize::try_from(fork).expect("small") + 1;
        // One of the new branch, one that is orphaned and written too late.
        insert(&database, &named(&branch, first..=branch.len() - 1)).await;
        insert(&database, &named(&before, before.len() - 1..=before.len() - 1)).await;
        orphaned.extend(named(&before, first..=before.len() - 1));
        let crashed = usize::from(round % 2 == 0);
        let [one, two] = auditors;
        let (gone, there) = if crashed == 0 { (one, two) } else { (two, one) };
        gone.crash().await;
        auditors = [there, start()];
        if round == 4 {
            database.restart();
            // The auditors find out by themselves; the test's own questions shall not fail.
            let asked = async || sqlx::query("SELECT 1").execute(&pool).await.is_ok();
            let all = async || futures::future::join_all((0..8).map(|_| asked())).await;
            database.until("no connection is broken", async || !all().await.contains(&false)).await;
        }
        if round % 3 == 0 {
            until_audited(&database, &node).await;
        }
    }
    until_audited(&database, &node).await;
    let valid = node.script().blocks(1);
    database.until("all is right", async || database.valid_blocks().await == valid).await;
    for auditor in auditors {
        auditor.stop().await;
    }
    let events: Vec<StoredEvent> = database.events().await;
    let taken: Vec<_> = events.iter().filter(|event| event.invalidated).collect();
    assert_eq!(taken.len(), orphaned.len());
    assert!(taken.iter().all(|event| event.revision == 1));
    assert!(events.iter().filter(|event| !event.invalidated).all(|event| event.revision == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_writers_late_row_is_invalidated_beside_our_indexer() {
    let (database, node, chain) = world(20).await;
    node.script().finalize(3);
    let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
    indexing.until_stored(19).await;
    let orphaned = named(&node.script().headers, 15..=15).remove(0);
    let branch = node.script().branched(12, 1, 22);
    node.script().headers.clone_from(&branch);
    indexing.until("devnet", |status| status.last_block == Some(22)).await;
    let auditing = audit(&database.pool, vec![chain]);
    let second = |id: &'static str, (number, hash): (i64, String)| {
        sqlx::query(
            r#"INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash,
                   log_index, event_type, registry, "timestamp")
               VALUES ($1, 31337, $2, $3, '0xbb', 0, 'Mine', 'mine', 1760000000)"#,
        )
        .bind(id)
        .bind(number)
        .bind(hash)
        .execute(&database.pool)
    };
    let canonical = named(&branch, 15..=15).remove(0);
    second("late", orphaned).await.expect("inserted");
    second("true", canonical).await.expect("inserted");
    second("typed", (15, "0xbeef".to_owned())).await.expect("inserted");
    database.until("typed is told", async || count(&database, UNKNOWN).await == 1).await;
    let of = async |id: &str| {
        let events = database.events().await;
        events.into_iter().find(|event| event.id == id).map(|event| event.invalidated)
    };
    database.until("late is taken back", async || of("late").await == Some(true)).await;
    assert_eq!(of("true").await, Some(false));
    assert_eq!(of("typed").await, Some(false));
    auditing.stop().await;
    indexing.stop().await;
}

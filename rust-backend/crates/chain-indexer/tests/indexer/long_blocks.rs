//! Blocks whose logs no answer holds: they are asked for in parts, and one log that is longer than
//! an answer may be is stored in its place as unread. The chain goes on, and nothing is left out.

use std::collections::BTreeMap;

use chain_indexer::{Backfill, ChainSettings};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::branch::branches::{indexed, registries};
use crate::world::{
    Database, Indexing, Said, Script, ScriptedNode, StoredEvent, quantity, settings,
};

const IDENTITY: &str = "0x8004a818bfb912233c491871b3d84c89a494bd9e";
const FOREIGN: &str = "0x1111111111111111111111111111111111111111";
/// Bytes of an answer in the drawn worlds.
const LIMIT: usize = 20_000;
/// Bytes of a log in an answer beside its data, at most.
const FRAME: usize = 700;
/// `Registered`, which has more topics than here, and events that nobody knows.
const TOPICS: [&str; 3] = [
    "0xca52e62c367d81bb2e328eb795f7c7ba24afb478408a26c0e201d155c449bc4a",
    "0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
];

const EMPTIED: &str = "TRUNCATE events, event_log, observed_blocks, checkpoints, covered_ranges,
                       chain_readers, chain_heights";

/// The logs of a chain by block, in their order; each names its transaction.
type Logs = BTreeMap<u64, Vec<Value>>;

fn transaction(block: u64, place: u64) -> String {
    format!("0x{:064x}", (block << 16) + place + 0x77_0000_0000)
}

fn log(block: u64, index: u64, transaction: &str, topics: &Value, hex: usize) -> Value {
    let digit = ["1", "2", "3"][usize::try_from(index % 3).expect("small")];
    let mut log = Script::log(block, index, topics, &format!("0x{}", digit.repeat(hex & !1)));
    log["transactionHash"] = json!(transaction);
    log
}

/// Transactions with logs about as long as an answer may be, and much shorter and longer ones.
fn drawn(dice: &mut StdRng, blocks: u64, logs_max: u64, with_foreign: bool) -> Logs {
    let sizes = [62, 2_000, LIMIT / 3, LIMIT / 2, LIMIT - FRAME, LIMIT, LIMIT + 2, 4 * LIMIT];
    let mut logs = Logs::new();
    for block in 1..blocks {
        let (mut own, mut index) = (Vec::new(), 0);
        for place in 0..dice.random_range(0..5) {
            for _ in 0..dice.random_range(0..=logs_max) {
                let topics = match dice.random_range(0..5) {
                    0 => json!([]),
                    _ => json!([TOPICS.choose(dice).expect("some")]),
                };
                let hex = *sizes.choose(dice).expect("some");
                let mut log = log(block, index, &transaction(block, place), &topics, hex);
                if with_foreign && dice.random_range(0..4) == 0 {
                    log["address"] = json!(FOREIGN);
                }
                own.push(log);
                index += 1;
            }
        }
        logs.insert(block, own);
    }
    logs
}

/// A node that has these logs.
async fn node_with(blocks: u64, logs: &Logs) -> ScriptedNode {
    let node = ScriptedNode::start(blocks).await;
    let mut script = node.script();
    for (block, own) in logs {
        let mut hashes: Vec<&str> = own.iter().map(|log| text(log, "transactionHash")).collect();
        hashes.dedup();
        let at = usize::try_from(*block).expect("small");
        script.headers[at]["transactions"] = json!(hashes);
    }
    let logs = logs.clone();
    script.instead = Some(Box::new(move |asked, params| {
        let filter = &params[0];
        let all = || logs.values().flatten();
        match asked {
            "eth_getLogs" => {
                Some(Said::Result(all().filter(|log| passes(filter, log)).cloned().collect()))
            }
            "eth_getTransactionReceipt" => {
                let own: Vec<_> = all().filter(|log| log["transactionHash"] == *filter).collect();
                let block = own.first().map(|log| &log["blockHash"]);
                Some(Said::Result(json!({"blockHash": block, "logs": own})))
            }
            _ => None,
        }
    }));
    drop(script);
    node
}

fn passes(filter: &Value, log: &Value) -> bool {
    let addresses = filter["address"].as_array();
    let is_of = addresses.is_none_or(|all| all.contains(&log["address"]));
    let topic = &filter["topics"][0];
    let is_about = topic.is_null() || log["topics"][0] == *topic;
    let is_there = if let Some(hash) = filter["blockHash"].as_str() {
        log["blockHash"] == hash
    } else {
        let block = quantity(&log["blockNumber"]);
        (quantity(&filter["fromBlock"])..=quantity(&filter["toBlock"])).contains(&block)
    };
    is_of && is_about && is_there
}

fn text<'v>(log: &'v Value, field: &str) -> &'v str {
    log[field].as_str().expect("a text")
}

fn hex(log: &Value) -> usize {
    text(log, "data").len()
}

/// What is wrong with the stored rows, if anything is: each log of ours is there once, whole or
/// unread; none is unread that some answer holds, and none whole that no answer does.
fn difference(logs: &Logs, rows: &[StoredEvent]) -> Option<String> {
    let ours: Vec<&Value> =
        logs.values().flatten().filter(|log| log["address"] == IDENTITY).collect();
    if rows.len() != ours.len() {
        return Some(format!("{} rows of {} logs", rows.len(), ours.len()));
    }
    ours.into_iter().zip(rows).find_map(|(log, row)| {
        let is_in_place = row.block_hash == text(log, "blockHash")
            && row.log_index.unsigned_abs() == u32::try_from(quantity(&log["logIndex"])).ok()?
            && row.transaction_hash == text(log, "transactionHash")
            && row.event_type == "unknown";
        let own = || logs[&quantity(&log["blockNumber"])].iter();
        let fits = |those: &dyn Fn(&&Value) -> bool| {
            own().filter(|log| those(log)).map(|log| hex(log) + FRAME).sum::<usize>() < LIMIT
        };
        // One that nobody knows is not asked for.
        let has_topic = log["topics"][0] == TOPICS[0];
        let must_be_read = fits(&|other| other["transactionHash"] == log["transactionHash"])
            || has_topic
                && fits(&|other| {
                    other["address"] == IDENTITY && other["topics"][0] == log["topics"][0]
                });
        let is_unread = row.data.as_ref().is_some_and(|data| data["unread"].is_object());
        let is_right = if is_unread {
            !must_be_read && row.log_data.is_none()
        } else {
            hex(log) <= LIMIT && row.log_data.as_deref() == Some(text(log, "data"))
        };
        (!is_in_place || !is_right).then(|| format!("{row:.300?} of a log of {} bytes", hex(log)))
    })
}

fn chain(urls: &[&str]) -> ChainSettings {
    ChainSettings { answer_bytes_max: LIMIT, ..settings(urls, registries(), 1) }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_longer_than_an_answer_are_read_in_parts() {
    let database = Database::start().await;
    for seed in 0..4 {
        let mut dice = StdRng::seed_from_u64(seed);
        // The first near the head; the others are far below it, and asked for in ranges.
        let blocks = if seed == 0 { 12 } else { 60 };
        let logs = drawn(&mut dice, blocks, 3, true);
        let node = node_with(blocks, &logs).await;
        if seed > 0 {
            node.script().finalize(blocks - 1);
        }
        let chain = chain(&[&node.url]);
        if seed == 3 {
            let backfill =
                Backfill { pool: database.pool.clone(), settings: chain, from: None, to: None };
            let done = backfill.run(&CancellationToken::new(), |_| {}).await.expect("filled");
            assert!(done.is_complete);
        } else {
            let indexing = Indexing::start(&database.pool, vec![chain]);
            indexing.until_stored(blocks - 1).await;
            let unread = indexing.status("devnet").logs_unread;
            assert!(unread > 0, "seed {seed} is a world");
            indexing.stop().await;
        }
        let rows = database.events().await;
        assert_eq!(difference(&logs, &rows), None, "seed {seed}");
        assert!(difference(&logs, &rows[1..]).is_some(), "a row that is missing is found");
        let mut forged = rows.clone();
        for row in &mut forged {
            (row.log_data, row.data) = (None, Some(json!({"unread": {}})));
        }
        assert!(difference(&logs, &forged).is_some(), "so is one that is left unread");
        database.execute(EMPTIED).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_whose_message_is_too_long_is_asked_for_parts() {
    let database = Database::start().await;
    let logs = drawn(&mut StdRng::seed_from_u64(9), 12, 1, false);
    let node = node_with(12, &logs).await;
    let indexing = Indexing::start(&database.pool, vec![chain(&[&node.ws_url])]);
    indexing.until_stored(11).await;
    indexing.stop().await;
    assert_eq!(difference(&logs, &database.events().await), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_says_it_is_too_much_is_asked_for_less() {
    for refusal in [
        Said::Error(-32_008, "Response is too big"),
        Said::Error(-32_005, "query returned more than 10000 results"),
        Said::Http(413, None, "no"),
    ] {
        let database = Database::start().await;
        let own = |place| log(2, place, &transaction(2, place), &json!([TOPICS[1]]), 64);
        let logs: Logs = [(2, (0..3).map(own).collect())].into();
        let node = node_with(4, &logs).await;
        let inner = node.script().instead.take();
        let mut inner = inner.expect("its answers");
        node.script().instead = Some(Box::new(move |asked, params| {
            let said = inner(asked, params);
            let is_long = asked == "eth_getLogs"
                && matches!(&said, Some(Said::Result(Value::Array(logs))) if logs.len() > 1);
            if is_long { Some(refusal.clone()) } else { said }
        }));
        let indexing = indexed(&database, &node, &chain(&[&node.url])).await;
        indexing.stop().await;
        assert_eq!(difference(&logs, &database.events().await), None);
        assert!(node.script().times_asked("eth_getTransactionReceipt") >= 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_log_longer_than_an_answer_may_be_is_stored_in_its_place() {
    let (database, megabytes) = (Database::start().await, 3 << 20);
    let own = |index, hex| log(2, index, &transaction(2, index), &json!([TOPICS[1]]), hex);
    let logs: Logs = [(2, vec![own(0, 64), own(1, 2 * megabytes), own(2, 64)])].into();
    let node = node_with(5, &logs).await;
    let chain = ChainSettings { answer_bytes_max: 2 << 20, ..chain(&[&node.url]) };
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until_stored(4).await;
    indexing.stop().await;
    let rows = database.events().await;
    assert_eq!(rows.iter().map(|row| row.log_index).collect::<Vec<_>>(), [0, 1, 2]);
    let unread = json!({"unread": {"reason": "longer than an answer may be", "bytes": megabytes}});
    assert_eq!(rows[1].data, Some(unread));
    assert_eq!((&rows[1].log_data, rows[1].event_type.as_str()), (&None, "unknown"));
    assert_eq!(rows[1].topics, Some(vec![TOPICS[1].to_owned()]));
    assert!(rows[0].log_data.is_some() && rows[2].log_data.is_some());
}

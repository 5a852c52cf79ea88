//! Nodes whose answers make no sense: nothing of them is stored, and they are asked again.

use chain_indexer::{ChainState, Registries};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::world::{
    Database, IDENTITY, Indexing, METADATA_UPDATE, Said, Script, ScriptedNode, settings,
};

/// The block that the node lies about.
const BLOCK: u64 = 3;
fn registries() -> Registries {
    Registries { identity: Some(IDENTITY.parse().expect("an address")), ..Registries::default() }
}

fn true_log(log_index: u64) -> Value {
    Script::log(BLOCK, log_index, &json!([METADATA_UPDATE]), &format!("0x{log_index:064x}"))
}

/// The true log with one field changed.
fn log_with(field: &str, value: Value) -> Value {
    let mut log = true_log(1);
    log[field] = value;
    log
}

fn fails_with(state: &ChainState, problem: &str) -> bool {
    match state {
        ChainState::Failing { problem: said } => said.contains(problem),
        _ => false,
    }
}

/// Lets the node say `lie` of [`BLOCK`], then the truth.
async fn assert_refused(database: &Database, problem: &str, lie: impl FnOnce(&mut Script)) {
    database.execute("TRUNCATE events, event_log, observed_blocks, checkpoints").await;
    let node = ScriptedNode::start(6).await;
    let truth = {
        let mut script = node.script();
        script.set_logs(BLOCK, vec![true_log(0), true_log(1)]);
        let truth = (script.headers.clone(), script.logs.clone());
        lie(&mut script);
        truth
    };
    let chain = settings(&[&node.url], registries(), 1);
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until("devnet", |status| fails_with(&status.state, problem)).await;
    let heights = |blocks: Vec<(i64, String)>| blocks.into_iter().map(|block| block.0);
    assert!(heights(database.blocks(31_337).await).eq([1, 2]), "{problem}");
    assert_eq!(database.events().await, [], "{problem}");

    (node.script().headers, node.script().logs) = truth;
    indexing.until_stored(5).await;
    indexing.stop().await;
    assert_eq!(database.events().await.len(), 2, "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_of_another_block_is_refused() {
    let database = Database::start().await;
    assert_refused(&database, "answered with block", |script| {
        script.headers[3] = script.headers[4].clone();
    })
    .await;
    assert_refused(&database, "no time in unix seconds", |script| {
        script.headers[3]["timestamp"] = json!("0x199f3b8c580");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_that_do_not_belong_to_the_block_are_refused() {
    let database = Database::start().await;
    let other = format!("0x{:064x}", 1);
    let lies = [
        ("one of block", vec![true_log(0), log_with("blockHash", json!(other))]),
        ("removed", vec![true_log(0), log_with("removed", json!(true))]),
        ("no block has a log", vec![log_with("logIndex", json!("0x80000000"))]),
    ];
    for (problem, logs) in lies {
        assert_refused(&database, problem, |script| script.set_logs(BLOCK, logs)).await;
    }
}

/// The ids of what is stored of [`BLOCK`], which has these logs.
async fn stored_ids(logs: Vec<Value>) -> Vec<String> {
    let (database, node) = tokio::join!(Database::start(), ScriptedNode::start(6));
    {
        let mut script = node.script();
        script.headers[3]["transactions"] = json!(vec!["0x00"; logs.len()]);
        script.set_logs(BLOCK, logs);
    }
    let indexing = Indexing::start(&database.pool, vec![settings(&[&node.url], registries(), 1)]);
    indexing.until_stored(5).await;
    indexing.stop().await;
    let hash = node.script().headers[3]["hash"].as_str().expect("a hash").to_owned();
    let of_block = format!("31337-{hash}-");
    let events = database.events().await.into_iter();
    events.map(|event| event.id.strip_prefix(&of_block).expect("its block").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_numbered_anew_in_each_transaction_are_stored_each_once() {
    let of = |transaction: u64, log_index| {
        let mut log = true_log(log_index);
        log["transactionHash"] = json!(format!("0x{:064x}", 0xbb - transaction));
        log["transactionIndex"] = json!(format!("{transaction:#x}"));
        log["data"] = json!(format!("0x{transaction:064x}"));
        log
    };
    assert_eq!(stored_ids(vec![true_log(3), true_log(0)]).await, ["0", "3"]);
    assert_eq!(stored_ids(vec![true_log(1), true_log(0), true_log(1)]).await, ["0", "1"]);
    // The second one's id says so, in whatever order they come.
    let twice = ["0", "0.2", "1", "1.2"];
    assert_eq!(stored_ids(vec![of(0, 0), of(0, 1), of(1, 0), of(1, 1)]).await, twice);
    assert_eq!(stored_ids(vec![of(1, 1), of(1, 0), of(0, 1), of(0, 0)]).await, twice);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_strangers_are_not_stored() {
    let stranger = log_with("address", json!(format!("0x{:040x}", 7)));
    assert_eq!(stored_ids(vec![true_log(0), stranger]).await, ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_are_not_needed_may_be_missing_or_malformed() {
    for field in [json!("0x"), json!(null), json!(7), json!({})] {
        let (database, node) = tokio::join!(Database::start(), ScriptedNode::start(6));
        {
            let mut script = node.script();
            for header in &mut script.headers {
                header["logsBloom"] = field.clone();
                header["transactions"] = field.clone();
            }
            let mut log = true_log(0);
            log["removed"] = json!(null);
            log["transactionIndex"] = field.clone();
            script.set_logs(BLOCK, vec![log]);
        }
        let indexing =
            Indexing::start(&database.pool, vec![settings(&[&node.url], registries(), 1)]);
        indexing.until_stored(5).await;
        indexing.stop().await;
        assert_eq!(database.events().await.len(), 1, "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_in_trouble_that_says_another_chain_once_stops_nothing() {
    for nodes in [1, 2] {
        let (database, node) = tokio::join!(Database::start(), ScriptedNode::start(6));
        let other = ScriptedNode::start(6).await;
        let mut urls = vec![node.url.as_str(), other.url.as_str()];
        urls.truncate(nodes);
        let mut has_said_so = false;
        node.script().instead = Some(Box::new(move |asked, _| {
            let is_first = asked == "eth_chainId" && !std::mem::replace(&mut has_said_so, true);
            is_first.then(|| Said::Result(json!("0x0")))
        }));
        let indexing = Indexing::start(&database.pool, vec![settings(&urls, registries(), 1)]);
        indexing.until_stored(5).await;
        indexing.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_chain_among_others_is_avoided_alone() {
    let (database, node) = tokio::join!(Database::start(), ScriptedNode::start(6));
    let foreign = ScriptedNode::start(9).await;
    foreign.script().chain_id = 1;
    let urls = [foreign.url.as_str(), node.url.as_str()];
    let indexing = Indexing::start(&database.pool, vec![settings(&urls, registries(), 1)]);
    indexing.until_stored(5).await;
    indexing.stop().await;
    assert_eq!(database.blocks(31_337).await, node.script().blocks(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_answer_is_refused() {
    let database = Database::start().await;
    for logs in [json!(null), json!({"error": "\u{1b}[31m"}), json!([{"address": IDENTITY}])] {
        assert_refused(&database, "rpc_urls[0]", |script| {
            let hash = script.headers[3]["hash"].as_str().expect("a hash").to_owned();
            script.logs.insert(hash, logs);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_head_goes_backwards_is_waited_for() {
    let (database, node) = tokio::join!(Database::start(), ScriptedNode::start(6));
    let chain = settings(&[&node.url], registries(), 1);
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until_stored(5).await;

    let headers = node.script().headers.clone();
    node.script().headers.truncate(3);
    let asked = |node: &ScriptedNode| node.script().times_asked("latest");
    let asked_before = asked(&node);
    indexing.until("devnet", |_| asked(&node) > asked_before + 3).await;
    assert_eq!(indexing.status("devnet").state, ChainState::AtHead);
    node.script().headers = headers;
    indexing.stop().await;
    assert_eq!(database.blocks(31_337).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_back_as_another_chain_stops_the_chain() {
    let (database, node) = tokio::join!(Database::start(), ScriptedNode::start(6));
    let chain = settings(&[&node.url], registries(), 1);
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until_stored(5).await;
    {
        let mut script = node.script();
        script.chain_id = 1;
        script.headers.push(json!("no header"));
    }
    let error = indexing.ended().await.expect_err("a chain that has stopped").to_string();
    assert!(error.contains("has chain id 1, configured is 31337"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_a_node_has_forgotten_is_reported() {
    let (database, node) = tokio::join!(Database::start(), ScriptedNode::start(40));
    let block = std::mem::take(&mut node.script().headers[3]);
    let chain = settings(&[&node.url], registries(), 1);
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until("devnet", |status| fails_with(&status.state, "not have block 3")).await;
    node.script().headers[3] = block;
    indexing.until_stored(39).await;
    indexing.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_cannot_hold_our_logs_is_not_asked_for_them() {
    let (database, node) = tokio::join!(Database::start(), ScriptedNode::start(6));
    let nothing = json!(format!("0x{}", "0".repeat(512)));
    for header in &mut node.script().headers {
        header["logsBloom"] = nothing.clone();
        header["transactions"] = json!([]);
    }
    let chain = settings(&[&node.url], registries(), 0);
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until_stored(5).await;
    indexing.stop().await;
    assert_eq!(node.script().asked.get("eth_getLogs"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_registry_emits_postgres_takes() {
    let (database, node) = tokio::join!(Database::start(), ScriptedNode::start(6));
    // More than one statement's rows.
    let mut random = StdRng::seed_from_u64(8_004);
    let logs: Vec<Value> = (0..1_200).map(|index| any_log(&mut random, index)).collect();
    node.script().set_logs(BLOCK, logs);

    let chain = settings(&[&node.url], registries(), 0);
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until_stored(5).await;
    indexing.stop().await;
    let stored = database.events().await;
    assert!(stored.iter().map(|row| row.log_index).eq(0..1_200));
    assert!(stored.iter().any(|row| row.event_type == "URIUpdated"));
    assert!(stored.iter().any(|row| row.event_type == "unknown"));
}

/// A `URIUpdated` of random bytes, or no event at all; now and then beyond what is decoded.
fn any_log(random: &mut StdRng, log_index: u64) -> Value {
    const URI_UPDATED: &str = "0x3a2c7fffc2cba7582c690e3b82c453ea02a308326a98a3ad7576c606336409fb";
    let agent = format!("0x{}", alloy_primitives::hex::encode(random.random::<[u8; 32]>()));
    let sender = format!("0x{:064x}", random.random::<u128>());
    let topics = match random.random_range(0..10) {
        0 => json!([]),
        1 => json!([agent]),
        2 => json!([URI_UPDATED]),
        _ => json!([URI_UPDATED, agent, sender]),
    };
    let length = *[0, 1, 31, 32, 33, 500, 5_000].choose(random).expect("a length");
    let length = if log_index == 1_111 { (1 << 20) + 1 } else { length };
    let uri: Vec<u8> = (0..length).map(|_| random.random()).collect();
    let padding = "00".repeat(uri.len().next_multiple_of(32) - uri.len());
    let uri = alloy_primitives::hex::encode(&uri);
    Script::log(BLOCK, log_index, &topics, &format!("0x{:064x}{length:064x}{uri}{padding}", 32))
}

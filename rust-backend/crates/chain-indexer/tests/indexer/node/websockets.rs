//! Nodes that are asked by websocket, and announce their heads.

use std::time::Duration;

use chain_indexer::{ChainSettings, ChainState, IndexerError};
use serde_json::json;
use service::config::RpcUrl;

use crate::branch::branches::{assert_follows, registries, until_head, world};
use crate::every_log::expected_rows;
use crate::world::{Database, Devnet, Indexing, Said, ScriptedNode, settings};

/// Longer than any test: who is at the head does not poll.
const NEVER: Duration = Duration::from_hours(1);

/// A node that is asked by websocket only.
async fn by_websocket(blocks: u64) -> (Database, ScriptedNode, ChainSettings) {
    let (database, node, mut chain) = world(blocks).await;
    chain.rpc_urls = vec![RpcUrl::parse(&node.ws_url).expect("a URL")];
    (database, node, chain)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announced_head_is_stored_by_one_question_without_a_poll() {
    let (database, node, mut chain) = by_websocket(10).await;
    chain.poll_interval = NEVER;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &node, 0).await;
    node.until_subscribed().await;
    let asked = node.script().asked.clone();
    for block in 10..20 {
        node.mine();
        indexing.until_stored(block).await;
    }
    indexing.stop().await;
    assert_follows(&database, &node).await;
    let asked_since = |method| node.script().times_asked(method) - asked.get(method).unwrap_or(&0);
    assert_eq!(asked_since("latest"), 0);
    assert_eq!(asked_since("eth_getBlockByNumber"), 0);
    assert_eq!(asked_since("eth_getLogs"), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_were_not_announced_are_found_by_the_next_that_is() {
    let (database, node, mut chain) = by_websocket(10).await;
    chain.poll_interval = NEVER;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &node, 0).await;
    node.until_subscribed().await;
    for (reorgs, fork, head) in [(0, 9, 14), (1, 8, 16), (2, 15, 17)] {
        let branch = node.script().branched(fork, fork, head);
        node.script().headers.clone_from(&branch);
        node.announce(branch.last().expect("a head"));
        until_head(&indexing, &node, reorgs).await;
    }
    indexing.stop().await;
    assert_follows(&database, &node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_stays_on_a_short_fork_holds_nobody_up() {
    let (database, node, chain) = world(12).await;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &node, 0).await;
    let mut turn = false;
    {
        let mut script = node.script();
        let fork = script.branched(6, 1, 9);
        let named = |it: &serde_json::Value| it["hash"].as_str().expect("a hash").to_owned();
        script.by_hash.extend(fork[7..].iter().map(|it| (named(it), it.clone())));
        script.instead = Some(Box::new(move |asked, _| {
            turn ^= asked == "latest";
            (turn && asked == "latest").then(|| Said::Result(fork[9].clone()))
        }));
    }
    for block in 12..20 {
        node.mine();
        indexing.until_stored(block).await;
    }
    node.script().instead = None;
    until_head(&indexing, &node, 0).await;
    indexing.stop().await;
    assert_eq!(database.orphans().await, [], "nothing is taken back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_subscription_loses_nothing_and_is_made_anew() {
    let (database, node, chain) = by_websocket(10).await;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &node, 0).await;
    node.until_subscribed().await;
    let asked = node.script().times_asked("eth_subscribe");
    for head in 10..20 {
        let branch = node.script().branched(head - 1, 0, head);
        node.script().headers = branch;
        indexing.until_stored(head).await;
    }
    indexing.until("devnet", |_| node.script().times_asked("eth_subscribe") > asked).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_is_given_up_and_another_node_asked() {
    let (database, node, mut chain) = by_websocket(10).await;
    let other = ScriptedNode::start(10).await;
    other.script().one_log_each = true;
    chain.rpc_urls.push(RpcUrl::parse(&other.url).expect("a URL"));
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &node, 0).await;
    node.until_subscribed().await;
    node.script().is_deaf = true;
    for node in [&node, &other] {
        let branch = node.script().branched(9, 0, 12);
        node.script().headers = branch;
    }
    until_head(&indexing, &node, 0).await;
    assert!(other.script().times_asked("latest") > 0);
    let asked = node.script().times_asked("eth_subscribe");
    node.script().is_deaf = false;
    indexing.until("devnet", |_| node.script().times_asked("eth_subscribe") > asked).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_closed_in_the_middle_only_costs_time() {
    let (database, node, chain) = by_websocket(200).await;
    let mut left = 40;
    node.script().instead = Some(Box::new(move |asked, _| {
        if asked == "eth_chainId" || left == 0 {
            return None;
        }
        left -= 1;
        (left % 10 == 5).then_some(Said::Half)
    }));
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &node, 0).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_announced_is_checked_like_anything_else() {
    let (database, node, chain) = by_websocket(10).await;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &node, 0).await;
    node.until_subscribed().await;
    let next = node.script().branched(9, 0, 10).pop().expect("a header");
    let with = |field: &str, value| {
        let mut header = next.clone();
        header[field] = value;
        header
    };
    let far = json!("0xffffffffffffffff");
    for lie in [
        json!("no header"),
        with("number", far),
        with("number", json!("0x9")),
        with("timestamp", json!("0x199f3b8c580")),
        with("parentHash", json!(format!("0x{:064x}", 7))),
    ] {
        node.until_subscribed().await;
        let asked = node.script().times_asked("latest");
        node.announce(&lie);
        indexing.until("devnet", |_| node.script().times_asked("latest") > asked + 2).await;
        assert_follows(&database, &node).await;
    }
    node.mine();
    indexing.until_stored(10).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_announces_nothing_is_polled() {
    let (database, node, chain) = by_websocket(10).await;
    node.script().instead = Some(Box::new(|asked, _| {
        (asked == "eth_subscribe").then_some(Said::Error(-32_601, "notifications not supported"))
    }));
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &node, 0).await;
    node.mine();
    indexing.until_stored(10).await;
    indexing.until("devnet", |status| status.state == ChainState::AtHead).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_refusals_mean_the_same_by_websocket() {
    let (database, node, chain) = by_websocket(300).await;
    let mut limited = 3;
    node.script().instead = Some(Box::new(move |asked, params| {
        if asked == "eth_getLogs" && params[0]["fromBlock"].is_string() {
            let wide = params[0]["fromBlock"] != params[0]["toBlock"];
            return wide.then_some(Said::Error(-32_005, "query returned more than 10000 results"));
        }
        limited -= i32::from(limited > 0);
        (limited > 0).then_some(Said::Error(-32_005, "request rate limited"))
    }));
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &node, 0).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_chain_stops_the_chain_by_websocket_too() {
    let (database, node, chain) = by_websocket(10).await;
    node.script().chain_id = 1;
    let indexing = Indexing::start(&database.pool, vec![chain]);
    let error = indexing.ended().await.expect_err("a chain that has stopped");
    assert!(matches!(error, IndexerError::WrongChain { found: 1, .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_websocket_is_named_without_its_key() {
    let chain = settings(&["ws://127.0.0.1:9/a-key"], registries(), 0);
    let refused = chain_indexer::check(&chain).await.expect_err("a refusal").to_string();
    assert!(refused.contains("rpc_urls[0] (ws://127.0.0.1:9/…)"), "{refused}");
    assert!(!refused.contains("a-key"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn by_websocket_every_log_of_a_real_node_survives_reorgs() {
    let (database, devnet) = tokio::join!(Database::start(), Devnet::start());
    let url = devnet.url.replace("http", "ws");
    let mut chain = settings(&[&url], devnet.registries(), devnet.start_block());
    chain.poll_interval = Duration::from_millis(500);
    let indexing = Indexing::start(&database.pool, vec![chain]);
    for round in 0..3 {
        devnet.traffic(100 + round, 60, 2).await;
        indexing.until_stored(devnet.node.head().await).await;
        devnet.reorganise(4).await;
    }
    devnet.traffic(110, 60, 2).await;
    let head = devnet.node.head().await;
    indexing.until("devnet", |s| s.last_block == Some(head) && s.reorgs >= 3).await;
    indexing.stop().await;
    let stored = database.events().await;
    let valid = stored.into_iter().filter(|event| !event.invalidated);
    let valid = valid.map(|event| crate::world::StoredEvent { revision: 0, ..event });
    assert_eq!(valid.collect::<Vec<_>>(), expected_rows(&devnet).await);
}

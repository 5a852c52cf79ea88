//! Nodes that limit, close, leave out: they are waited for, left for a while, asked again.

use std::time::Duration;

use alloy_primitives::{Bloom, BloomInput, hex};
use chain_indexer::{ChainSettings, ChainState};
use serde_json::{Value, json};
use service::config::RpcUrl;
use tokio::time::Instant;

use crate::branch::branches::{assert_follows, indexed, world};
use crate::world::{Database, Ids, Indexing, Said, Script, ScriptedNode};

/// A node that says `said` to its first questions but the one for its chain id.
fn at_first(node: &ScriptedNode, questions: usize, said: Said) {
    let mut left = questions;
    node.script().instead = Some(Box::new(move |asked, _| {
        if asked == "eth_chainId" || left == 0 {
            return None;
        }
        left -= 1;
        Some(said.clone())
    }));
}

fn too_fast() -> [Said; 4] {
    [
        Said::Http(429, Some(1), ""),
        Said::Http(503, Some(1), "busy"),
        Said::Error(-32_005, "daily request count exceeded, request rate limited"),
        Said::Error(429, "exceeded its compute units per second capacity"),
    ]
}

/// Indexes a node to its head without having called it a failure.
async fn indexed_patiently(database: &Database, node: &ScriptedNode, chain: &ChainSettings) {
    let head = node.script().headers.len() as u64 - 1;
    let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
    indexing
        .until("devnet", |status| {
            assert!(!matches!(status.state, ChainState::Failing { .. }), "{:?}", status.state);
            status.last_block == Some(head)
        })
        .await;
    indexing.stop().await;
    assert_follows(database, node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_asked_too_fast_is_given_time() {
    for said in too_fast() {
        let (database, node, chain) = world(10).await;
        at_first(&node, 2, said);
        indexed_patiently(&database, &node, &chain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_node_wants_to_be_left_alone_the_other_is_asked() {
    let (database, node, mut chain) = world(300).await;
    let limited = ScriptedNode::start(300).await;
    limited.script().instead = Some(Box::new(|_, _| Some(Said::Http(429, Some(60), ""))));
    chain.rpc_urls.insert(0, RpcUrl::parse(&limited.url).expect("a URL"));
    let indexing = indexed(&database, &node, &chain).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
    assert!(limited.script().asked.values().sum::<usize>() < 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_limit_of_requests_is_kept() {
    let (database, node, mut chain) = world(60).await;
    chain.requests_per_second = std::num::NonZeroU32::new(50);
    let began = Instant::now();
    let indexing = indexed(&database, &node, &chain).await;
    let (elapsed, asked) = (began.elapsed(), node.script().asked.values().sum::<usize>());
    indexing.stop().await;
    assert_follows(&database, &node).await;
    assert!(asked > 110, "{asked}");
    // A second's worth may have been saved up.
    let most = 50.0 * (elapsed.as_secs_f64() + 1.0);
    assert!(f64::from(u32::try_from(asked).expect("few")) <= most + 1.0, "{asked} in {elapsed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_answer_and_an_error_in_a_200_only_cost_time() {
    for said in [
        Said::Half,
        Said::Error(-32_603, "internal error"),
        Said::Http(502, None, "<html>"),
        Said::Http(200, None, "<html>"),
        Said::Http(200, None, "{}"),
        Said::Http(200, None, r#"{"jsonrpc": "2.0", "id": 7, "result": null}"#),
    ] {
        for blocks in [10, 300] {
            let (database, node, chain) = world(blocks).await;
            at_first(&node, 3, said.clone());
            let indexing = indexed(&database, &node, &chain).await;
            indexing.stop().await;
            assert_follows(&database, &node).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_fails_is_left_for_the_next_and_tried_again_later() {
    let (database, node, mut chain) = world(10).await;
    let first = ScriptedNode::start(10).await;
    first.script().one_log_each = true;
    at_first(&first, 1, Said::Http(502, None, ""));
    chain.rpc_urls.insert(0, RpcUrl::parse(&first.url).expect("a URL"));
    let indexing = indexed(&database, &node, &chain).await;
    let asked = first.script().asked.values().sum::<usize>();
    assert!(asked <= 2, "{asked}");
    indexing.until("devnet", |_| first.script().times_asked("latest") > 5).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
}

/// The block whose logs are left out.
const BLOCK: u64 = 3;

/// A log of the block, and a filter that says so.
fn log_and_bloom(node: &ScriptedNode) -> Value {
    let log = Script::log(BLOCK, 0, &json!([]), "0x");
    let mut script = node.script();
    script.set_logs(BLOCK, vec![log.clone()]);
    script.headers[3]["logsBloom"] = bloom(&[&log]);
    log
}

fn bloom(logs: &[&Value]) -> Value {
    let mut bloom = Bloom::ZERO;
    for log in logs {
        let address = log["address"].as_str().expect("an address");
        bloom.accrue(BloomInput::Raw(&hex::decode(address).expect("hex")));
    }
    json!(bloom)
}

/// It gives no logs of `BLOCK` to who asks for a registry's.
fn leaving_out(node: &ScriptedNode) {
    let block = node.script().headers[3]["hash"].clone();
    node.script().instead = Some(Box::new(move |asked, params| {
        let is_of_block = asked == "eth_getLogs" && params[0]["blockHash"] == block;
        (is_of_block && !params[0]["address"].is_null()).then(|| Said::Result(json!([])))
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn left_out_logs_are_found_among_all_logs_of_the_block() {
    let (database, node, chain) = world(10).await;
    node.script().one_log_each = false;
    log_and_bloom(&node);
    leaving_out(&node);
    let indexing = indexed(&database, &node, &chain).await;
    indexing.stop().await;
    assert_eq!(database.events().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn left_out_logs_are_found_in_receipts_or_asked_for_again() {
    for has_receipts in [true, false] {
        let (database, node, chain) = world(10).await;
        node.script().one_log_each = false;
        log_and_bloom(&node);
        // The index of its logs is behind its blocks.
        let mut looks = 0;
        node.script().instead = Some(Box::new(move |asked, _| match asked {
            "eth_getLogs" => {
                looks += 1;
                (has_receipts || looks < 6).then(|| Said::Result(json!([])))
            }
            "eth_getBlockReceipts" if has_receipts => None,
            asked if asked.contains("Receipt") => Some(Said::Error(-32_601, "not supported")),
            _ => None,
        }));
        let indexing = indexed(&database, &node, &chain).await;
        indexing.stop().await;
        assert_eq!(database.events().await.len(), 1, "{has_receipts}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bits_of_a_filter_that_no_log_explains_hold_up_nobody() {
    for has_receipts in [true, false] {
        let (database, node, chain) = world(10).await;
        node.script().one_log_each = false;
        let log = log_and_bloom(&node);
        node.script().set_logs(BLOCK, Vec::new());
        node.script().instead = Some(Box::new(move |asked, _| {
            let is_refused = asked.contains("Receipt") && !has_receipts;
            is_refused.then_some(Said::Error(-32_601, "not supported"))
        }));
        let indexing = indexed(&database, &node, &chain).await;
        // From now on no filter of the chain is believed.
        let mut last = log.clone();
        let header = {
            let mut script = node.script();
            let head = script.headers.len() as u64;
            script.grow(1);
            let header = script.headers.last_mut().expect("a head");
            header["logsBloom"] = bloom(&[]);
            (last["blockNumber"], last["blockHash"]) =
                (header["number"].clone(), header["hash"].clone());
            script.set_logs(head, vec![last]);
            head
        };
        indexing.until_stored(header).await;
        indexing.stop().await;
        assert_eq!(database.events().await.len(), 1, "{has_receipts}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_that_one_node_leaves_out_are_asked_of_the_other() {
    // With a filter that says nothing any more, too.
    for is_full in [false, true] {
        let (database, node, mut chain) = world(10).await;
        let honest = ScriptedNode::start(10).await;
        for node in [&node, &honest] {
            node.script().one_log_each = false;
            log_and_bloom(node);
            if is_full {
                node.script().headers[3]["logsBloom"] = json!(format!("0x{}", "f".repeat(512)));
            }
        }
        leaving_out(&node);
        chain.rpc_urls.push(RpcUrl::parse(&honest.url).expect("a URL"));
        let indexing = indexed(&database, &honest, &chain).await;
        indexing.stop().await;
        assert_eq!(database.events().await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn left_out_logs_of_one_of_two_registries_are_found() {
    const REPUTATION: &str = "0x8004b663056a597dffe9eccc1965a193b7388713";
    // At the head, and in ranges.
    for blocks in [10, 300] {
        let (database, node, mut chain) = world(blocks).await;
        chain.registries.reputation = Some(REPUTATION.parse().expect("an address"));
        node.script().one_log_each = false;
        let given = log_and_bloom(&node);
        let mut left_out = given.clone();
        (left_out["address"], left_out["logIndex"]) = (json!(REPUTATION), json!("0x1"));
        node.script().headers[3]["logsBloom"] = bloom(&[&given, &left_out]);
        let all = vec![given, left_out];
        let everything = json!(all);
        node.script().instead = Some(Box::new(move |asked, params| {
            let of_all = asked == "eth_getLogs" && params[0]["address"].is_null();
            of_all.then(|| Said::Result(everything.clone()))
        }));
        let indexing = indexed(&database, &node, &chain).await;
        indexing.stop().await;
        assert_eq!(database.events().await.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filters_chance_claim_is_explained_by_the_other_logs() {
    let (database, node, chain) = world(10).await;
    node.script().one_log_each = false;
    let ours = log_and_bloom(&node);
    // The other log's filter has the bits of ours.
    let mut other = ours.clone();
    other["address"] = json!(format!("0x{:040x}", 7));
    let topics = chance(&ours);
    other["topics"] = json!(topics);
    {
        let mut script = node.script();
        script.set_logs(BLOCK, vec![other.clone()]);
        let mut filter = Bloom::ZERO;
        filter.accrue(BloomInput::Raw(&hex::decode(format!("{:040x}", 7)).expect("hex")));
        for topic in &topics {
            filter.accrue(BloomInput::Raw(&hex::decode(topic).expect("hex")));
        }
        script.headers[3]["logsBloom"] = json!(filter);
    }
    leaving_out(&node);
    let indexing = indexed(&database, &node, &chain).await;
    indexing.stop().await;
    assert_eq!(database.events().await, []);
}

/// Topics that together set each bit that our address sets.
fn chance(ours: &Value) -> Vec<String> {
    let address = hex::decode(ours["address"].as_str().expect("an address")).expect("hex");
    let bits = |bytes: &[u8]| {
        let mut bloom = Bloom::ZERO;
        bloom.accrue(BloomInput::Raw(bytes));
        bloom
    };
    let mut missing = bits(&address);
    let mut chosen = Vec::new();
    for topic in (0_u32..).map(|number| format!("0x{number:064x}")) {
        if missing.is_zero() {
            break;
        }
        let set = bits(&hex::decode(&topic).expect("hex"));
        if !(set & missing).is_zero() {
            missing &= !set;
            chosen.push(topic);
        }
    }
    chosen
}

/// Waits until the events of the first blocks are stored, one of each.
async fn until_first_events(database: &Database, blocks: i64) {
    let began = Instant::now();
    loop {
        let heights = database.events().await.into_iter().map(|event| event.block_number);
        if heights.take(usize::try_from(blocks).expect("a few")).eq(1..=blocks) {
            return;
        }
        assert!(began.elapsed().as_secs() < 120, "{}", database.events().await.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_that_filters_lack_are_found_in_ranges_then_at_once() {
    let (database, node, chain) = world(10).await;
    let stranger = json!({"address": format!("0x{:040x}", 7)});
    // The indexer sees no block before its filter.
    let grow = |blocks: u64| {
        let mut script = node.script();
        script.grow(blocks);
        for header in &mut script.headers {
            header["logsBloom"] = bloom(&[&stranger]);
        }
        script.headers.len() as u64 - 1
    };
    grow(0);
    let indexing = indexed(&database, &node, &chain).await;
    assert_eq!(database.events().await, [], "passed by their filters");
    // Enough blocks for a comparison, which are read as ranges.
    grow(251);
    until_first_events(&database, 9).await;
    // No filter is believed any more.
    for _ in 0..2 {
        let before = database.events().await.len();
        let head = grow(1);
        indexing.until_stored(head).await;
        assert!(database.events().await.len() > before, "block {head}");
    }
    indexing.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stands_still_is_left_for_one_that_goes_on() {
    let (database, node, mut chain) = world(40).await;
    let ahead = ScriptedNode::start(140).await;
    ahead.script().one_log_each = true;
    chain.rpc_urls.push(RpcUrl::parse(&ahead.url).expect("a URL"));
    let indexing = indexed(&database, &ahead, &chain).await;
    indexing.stop().await;
    assert_follows(&database, &ahead).await;
    drop(node);
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_come_back_as_text_are_those_that_were_sent() {
    for blocks in [10, 300] {
        let (database, node, chain) = world(blocks).await;
        node.script().ids = Ids::Text;
        let indexing = indexed(&database, &node, &chain).await;
        indexing.stop().await;
        assert_follows(&database, &node).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_asked_for_by_number_or_receipts_where_not_by_hash() {
    for refused in [1, 2] {
        for said in [Said::Error(-32_602, "invalid argument"), Said::Http(500, None, "")] {
            let (database, node, chain) = world(40).await;
            node.script().instead = Some(Box::new(move |asked, params| {
                let is_by_hash = params[0]["blockHash"].is_string();
                let is_refused = asked == "eth_getLogs" && (is_by_hash || refused == 2);
                is_refused.then(|| said.clone())
            }));
            let indexing = indexed(&database, &node, &chain).await;
            indexing.stop().await;
            assert_follows(&database, &node).await;
            let asked = node.script().asked.values().sum::<usize>();
            assert!(asked < 40 * 4 + 20 + 40, "{asked}");
        }
    }
}

//! Chains whose first block is not in the settings: it is found, or reading begins low enough.

use chain_indexer::{ChainSettings, check};
use event_engine::event::ChainId;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use service::config::{RpcUrl, StartBlock};
use testbed::quantity;

use crate::branch::branches::{indexed, registries};
use crate::every_log::expected_rows;
use crate::process;
use crate::world::{Database, Devnet, Indexing, Said, Script, ScriptedNode, settings};

/// Unix seconds of the scripted node's block 0; each block is a second later.
const GENESIS: u64 = 1_760_000_000;
/// `Upgraded(address)`.
const UPGRADED: &str = "0xbc7cd75a20ee27fd9adebab32041f755214dbc6bffa90cc0225b39da2e5c2d3b";

/// A node of 300 blocks, whose registry is created in block `created`, with a log in every block
/// from there on.
async fn node_with_registry(created: u64) -> (ScriptedNode, ChainSettings) {
    let node = ScriptedNode::start(300).await;
    {
        let mut script = node.script();
        script.finalize(290);
        script.code_from = created;
        for number in created..300 {
            let other = format!("0x{number:064x}");
            let topic = if number == created { UPGRADED } else { other.as_str() };
            let log = Script::log(number, 0, &json!([topic]), "0x");
            script.set_logs(number, vec![log]);
        }
    }
    let mut chain = settings(&[&node.url], registries(), 0);
    chain.start_block = StartBlock::Unknown { deployed_after: Some(GENESIS + 20) };
    (node, chain)
}

/// The lowest stored block.
async fn first_of(database: &Database, chain: &ChainSettings) -> i64 {
    let lowest = "SELECT min(first_block) FROM covered_ranges WHERE chain_id = $1";
    sqlx::query_scalar(lowest).bind(chain.id.0).fetch_one(&database.pool).await.expect("a block")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_first_block_is_found_by_its_code() {
    let (database, (node, chain)) = tokio::join!(Database::start(), node_with_registry(137));
    indexed(&database, &node, &chain).await.stop().await;
    assert_eq!(first_of(&database, &chain).await, 137);
    assert_eq!(database.events().await.len(), 300 - 137);
    let asked = node.script().times_asked("eth_getCode");
    assert!(asked <= 12, "{asked} questions for 300 blocks");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_state_of_old_blocks_nothing_is_left_out() {
    for denies in [false, true] {
        let (database, (node, chain)) = tokio::join!(Database::start(), node_with_registry(137));
        node.script().state_from = 250;
        node.script().of_old_code = denies.then_some("0x");
        indexed(&database, &node, &chain).await.stop().await;
        // By time, because the registry is known to be younger.
        assert_eq!(first_of(&database, &chain).await, 20);
        assert_eq!(database.events().await.len(), 300 - 137);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_block_is_not_sought_above_blocks_that_nodes_lack() {
    let (database, (node, chain)) = tokio::join!(Database::start(), node_with_registry(137));
    let headers = node.script().headers.clone();
    {
        let mut script = node.script();
        script.state_from = 250;
        script.instead = Some(Box::new(|asked, params| {
            let is_old = asked == "eth_getBlockByNumber" && quantity(&params[0]) < 200;
            is_old.then(|| Said::Result(serde_json::Value::Null))
        }));
    }
    let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
    let told = async || {
        let problem = database.problem(chain.id.0).await;
        problem.is_some_and(|(_, why)| why.contains("or set start_block"))
    };
    database.until("it is told", told).await;
    assert_eq!(database.events().await, []);
    node.script().instead = None;
    indexing.until_stored(headers.len() as u64 - 1).await;
    indexing.stop().await;
    assert_eq!(first_of(&database, &chain).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_with_old_state_is_asked() {
    let (database, (node, mut chain)) = tokio::join!(Database::start(), node_with_registry(137));
    let (archive, _) = node_with_registry(137).await;
    node.script().state_from = 250;
    chain.rpc_urls.push(RpcUrl::parse(&archive.url).expect("a URL"));
    indexed(&database, &node, &chain).await.stop().await;
    assert_eq!(first_of(&database, &chain).await, 137);
}

#[tokio::test(flavor = "multi_thread")]
async fn contracts_that_are_no_proxies_are_read_from_the_genesis() {
    let (database, devnet) = tokio::join!(Database::start(), Devnet::start());
    devnet.traffic(5, 60, 4).await;
    let mut chain = settings(&[&devnet.url], devnet.registries(), 0);
    chain.start_block = StartBlock::Unknown { deployed_after: None };
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until_stored(devnet.node.head().await).await;
    indexing.stop().await;
    assert_eq!(database.events().await, expected_rows(&devnet).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_the_first_block_is_no_log_is_left_out() {
    let database = Database::start().await;
    let mut random = StdRng::seed_from_u64(8_004);
    for id in 1..=24_i64 {
        let created = random.random_range(1..300);
        let (node, mut chain) = node_with_registry(created).await;
        {
            let mut script = node.script();
            script.chain_id = id.unsigned_abs();
            script.state_from = random.random_range(0..300);
            script.of_old_code = random.random::<bool>().then_some("0x");
        }
        let deployed_after = GENESIS + random.random_range(0..=created);
        chain.id = ChainId(id);
        chain.start_block = StartBlock::Unknown {
            deployed_after: random.random_bool(0.7).then_some(deployed_after),
        };
        indexed(&database, &node, &chain).await.stop().await;
        let count = "SELECT count(*) FROM events WHERE chain_id = $1";
        let count = sqlx::query_scalar(count).bind(id).fetch_one(&database.pool).await;
        let expected = i64::try_from(300 - created).expect("a small number");
        assert_eq!(count.ok(), Some(expected), "{:?}, created in {created}", chain.start_block);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_without_a_contract_is_named() {
    let devnet = Devnet::start().await;
    let mut registries = devnet.registries();
    let chain = settings(&[&devnet.url], registries, 0);
    assert_eq!(check(&chain).await.expect("a report").without_code, []);
    registries.reputation =
        Some("0x8004BAa17C55a88189AE136b182e5fdA19dE9b63".parse().expect("one"));
    let report = check(&settings(&[&devnet.url], registries, 0)).await.expect("a report");
    let named: Vec<_> = report
        .without_code
        .iter()
        .map(|(registry, address)| (registry.as_str(), address.checksummed()))
        .collect();
    assert_eq!(named, [("reputation", "0x8004BAa17C55a88189AE136b182e5fdA19dE9b63".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_without_a_contract_is_a_warning_at_the_start() {
    let (database, node) = tokio::join!(Database::start(), ScriptedNode::start(5));
    node.script().code_from = u64::MAX;
    let chains = process::chain("here", 31_337, &[&node.url]);
    let process = process::Running::start(&chains, &database).await;
    let said = process.until_said("There is no contract at a registry's address").await;
    assert!(said.contains("0x8004A818BFB912233c491871b3d84c89A494BD9e"), "{said}");
    process.stop().await;
}

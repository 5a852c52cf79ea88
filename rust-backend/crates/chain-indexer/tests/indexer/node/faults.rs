//! Nodes and databases that fail.

use std::time::{Duration, Instant};

use chain_indexer::{ChainState, Registries, check};
use event_engine::event::ChainId;
use service::config::ContractAddress;

use crate::every_log::expected_rows;
use crate::world::{Database, Devnet, Gate, Indexing, ScriptedNode, settings};

/// Nobody listens here.
const DEAD_URL: &str = "http://127.0.0.1:9/a-key-in-the-path";

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_chain_is_refused_and_other_chains_go_on() {
    let (database, devnet) = tokio::join!(Database::start(), Devnet::start());
    let right = settings(&[&devnet.url], devnet.registries(), devnet.start_block());
    let mut wrong = right.clone();
    (wrong.name, wrong.id) = ("elsewhere".to_owned(), ChainId(8_453));

    let refused = check(&wrong).await.expect_err("a refusal").to_string();
    for part in ["elsewhere", "rpc_urls[0]", "8453", "31337"] {
        assert!(refused.contains(part), "{refused}");
    }
    let indexing = Indexing::start(&database.pool, vec![wrong, right]);
    let stopped = |state: &ChainState| matches!(state, ChainState::Stopped { .. });
    indexing.until("elsewhere", |status| stopped(&status.state)).await;
    devnet.mine(3).await;
    indexing.until_stored(devnet.node.head().await).await;
    indexing.stop().await;
    assert_eq!(database.blocks(8_453).await, []);
    assert_eq!(database.events().await, expected_rows(&devnet).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_down_for_a_while_costs_time_and_nothing_else() {
    let (database, devnet) = tokio::join!(Database::start(), Devnet::start());
    let gate = Gate::before(&devnet.url).await;
    let chain = settings(&[&gate.url], devnet.registries(), devnet.start_block());
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until_stored(devnet.node.head().await).await;

    gate.shut();
    let failing = |state: &ChainState| matches!(state, ChainState::Failing { .. });
    indexing.until("devnet", |status| failing(&status.state)).await;
    devnet.traffic(7, 60, 4).await;
    gate.open();
    indexing.until_stored(devnet.node.head().await).await;
    indexing.until("devnet", |status| status.state == ChainState::AtHead).await;
    indexing.stop().await;
    assert_eq!(database.events().await, expected_rows(&devnet).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_down_is_replaced_by_the_next_one() {
    let (database, devnet) = tokio::join!(Database::start(), Devnet::start());
    let urls = [DEAD_URL, &devnet.url];
    let chain = settings(&urls, devnet.registries(), devnet.start_block());

    let report = check(&chain).await.expect("one that answers");
    assert_eq!((report.nodes_reachable, report.unreachable.len()), (1, 1));
    assert_eq!(report.head, devnet.node.head().await);
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until_stored(report.head).await;
    indexing.stop().await;
    assert_eq!(database.events().await, expected_rows(&devnet).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_node_is_named_without_its_key() {
    let registries =
        Registries { identity: Some(ContractAddress([0; 20])), ..Registries::default() };
    let refused = check(&settings(&[DEAD_URL], registries, 0)).await.expect_err("a refusal");
    let text = refused.to_string();
    assert!(
        text.contains("devnet") && text.contains("rpc_urls[0] (http://127.0.0.1:9/…)"),
        "{text}"
    );
    assert!(!text.contains("a-key"), "{text}");
    assert!(!format!("{refused:?}").contains("a-key"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_database_costs_time_and_nothing_else() {
    let (mut database, devnet) = tokio::join!(Database::start(), Devnet::start());
    devnet.traffic(8, 200, 2).await;
    let head = devnet.node.head().await;
    let chain = settings(&[&devnet.url], devnet.registries(), devnet.start_block());
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until_stored(devnet.start_block() + 10).await;
    database.restart();
    indexing.until_stored(head).await;
    indexing.stop().await;
    assert_eq!(database.events().await, expected_rows(&devnet).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spare_node_that_is_away_is_no_problem_of_its_chain() {
    let (database, node) = tokio::join!(Database::start(), ScriptedNode::start(6));
    let registries =
        Registries { identity: Some(ContractAddress([1; 20])), ..Registries::default() };
    let chain = settings(&[&node.url, DEAD_URL], registries, 1);
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until_stored(5).await;
    // Longer than a question is asked in vain before it is a problem.
    let began = Instant::now();
    indexing
        .until("devnet", |status| {
            assert!(!matches!(status.state, ChainState::Failing { .. }), "{:?}", status.state);
            began.elapsed() > Duration::from_secs(45)
        })
        .await;
    indexing.stop().await;
}

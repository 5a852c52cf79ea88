//! What is stored of a real node's logs, against the node itself and another decoder.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::{Database, Devnet, Indexing, StoredEvent, quantity, settings};

/// The logs of the node as rows, made without the code under test.
pub(crate) async fn expected_rows(devnet: &Devnet) -> Vec<StoredEvent> {
    let logs = devnet.logs().await;
    let decoded = devnet.decode_with_viem(&logs).await;
    let mut rows = Vec::with_capacity(logs.len());
    for (log, decoded) in logs.iter().zip(decoded) {
        let timestamp = devnet.timestamp_of(quantity(&log["blockNumber"])).await;
        rows.push(expected_row(devnet.registry_of(log), log, &decoded, timestamp));
    }
    rows
}

fn expected_row(registry: &str, log: &Value, decoded: &Value, timestamp: u64) -> StoredEvent {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let hex = |name: &str| log[name].as_str().expect("0x hex").to_lowercase();
    let topics = log["topics"].as_array().expect("a list").iter();
    let arguments = &decoded["args"];
    let agent = ["agentId", "tokenId", "_tokenId"].into_iter().find_map(|key| arguments.get(key));
    let raw = decoded.is_null();
    let integer = |value| i64::try_from(quantity(value)).expect("a small number");
    StoredEvent {
        id: format!("31337-{}-{}", hex("blockHash"), quantity(&log["logIndex"])),
        chain_id: 31_337,
        block_number: integer(&log["blockNumber"]),
        block_hash: hex("blockHash"),
        transaction_hash: hex("transactionHash"),
        log_index: i32::try_from(quantity(&log["logIndex"])).expect("a small number"),
        event_type: text(&decoded["name"]).unwrap_or_else(|| "unknown".to_owned()),
        registry: registry.to_owned(),
        timestamp: i64::try_from(timestamp).expect("a time"),
        agent_id: agent.and_then(text),
        data: (!raw).then(|| arguments.clone()),
        address: Some(hex("address")),
        topics: raw.then(|| topics.map(|topic| text(topic).expect("0x hex")).collect()),
        log_data: raw.then(|| hex("data")),
        invalidated: false,
        revision: 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_log_is_stored_once_with_the_nodes_value_in_each_column() {
    let (database, devnet) = tokio::join!(Database::start(), Devnet::start());
    devnet.traffic(1, 500, 6).await;
    let head = devnet.node.head().await;
    let start = devnet.start_block();

    let chain = settings(&[&devnet.url], devnet.registries(), start);
    let indexing = Indexing::start(&database.pool, vec![chain]);
    indexing.until_stored(head).await;
    let status = indexing.status("devnet");
    indexing.stop().await;

    let (stored, expected) = (database.events().await, expected_rows(&devnet).await);
    assert_eq!(stored.len(), expected.len());
    for (stored, expected) in stored.iter().zip(&expected) {
        assert_eq!(stored, expected);
    }
    let unknown = stored.iter().filter(|row| row.event_type == "unknown");
    assert_eq!(status.events_stored, stored.len() as u64);
    assert_eq!(status.logs_unknown, unknown.clone().count() as u64);
    assert!(unknown.clone().any(|row| row.topics.as_ref().is_some_and(Vec::is_empty)));
    assert!(unknown.clone().any(|row| row.topics.as_ref().is_some_and(|t| !t.is_empty())));
    let kinds: BTreeSet<&str> = stored.iter().map(|row| row.event_type.as_str()).collect();
    assert_eq!(kinds.len(), 16, "every event and the unknown ones: {kinds:?}");
    assert_ancestry_is_the_nodes(&database, &devnet, start, head).await;
}

async fn assert_ancestry_is_the_nodes(db: &Database, devnet: &Devnet, start: u64, head: u64) {
    let mut expected = Vec::new();
    for number in start..=head {
        let hash = devnet.node.block(number).await["hash"].as_str().expect("a hash").to_owned();
        expected.push((i64::try_from(number).expect("a small number"), hash));
    }
    assert_eq!(db.blocks(31_337).await, expected);
    let (number, hash) = expected.pop().expect("a block");
    assert_eq!(db.checkpoints().await, [(31_337, number, hash)]);
}

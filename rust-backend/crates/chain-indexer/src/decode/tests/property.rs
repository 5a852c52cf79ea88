//! Whatever a registry emits can be stored.

use alloy_primitives::{Address, B256, Bytes, U64, hex};
use event_engine::event::ChainId;
use event_store::events::new_events::NewEvent;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use service::config::ContractAddress;

use super::super::{common, identity, reputation, validation};
use crate::fetch::block::block;
use crate::rpc::answer::{NodeHeader, NodeLog};
use crate::{ChainSettings, Registries, settings};

pub(super) const REGISTRIES: [Address; 3] =
    [Address::repeat_byte(1), Address::repeat_byte(2), Address::repeat_byte(3)];
pub(super) const BLOCK: B256 = B256::repeat_byte(0xbb);

pub(super) fn settings() -> ChainSettings {
    ChainSettings {
        registries: Registries {
            identity: Some(ContractAddress(REGISTRIES[0].into_array())),
            reputation: Some(ContractAddress(REGISTRIES[1].into_array())),
            validation: Some(ContractAddress(REGISTRIES[2].into_array())),
        },
        ..settings::of_test("test", ChainId(i64::MAX))
    }
}

pub(super) fn header() -> NodeHeader {
    let json = serde_json::json!({
        "number": "0x7fffffffffffffff", "hash": BLOCK, "parentHash": B256::ZERO, "timestamp": "0x1"
    });
    serde_json::from_value(json).expect("a header")
}

/// Words that look like the beginnings of ABI data, and words that do not.
fn word() -> impl Strategy<Value = [u8; 32]> {
    prop_oneof![
        any::<[u8; 32]>(),
        (0_u64..=320).prop_map(|small| B256::left_padding_from(&small.to_be_bytes()).0),
        any::<[u8; 20]>().prop_map(|address| B256::left_padding_from(&address).0),
    ]
}

fn topics() -> impl Strategy<Value = Vec<B256>> {
    let known = [identity::DECODERS, reputation::DECODERS, validation::DECODERS, common::DECODERS];
    let known: Vec<B256> = known.into_iter().flatten().map(|decoder| decoder.topic0).collect();
    let topic0 = prop_oneof![
        8 => proptest::sample::select(known).prop_map(|topic0| vec![topic0]),
        1 => word().prop_map(|word| vec![B256::from(word)]),
        1 => Just(Vec::new()),
    ];
    (topic0, vec(word().prop_map(B256::from), 0..=3))
        .prop_map(|(topic0, rest)| if topic0.is_empty() { topic0 } else { [topic0, rest].concat() })
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    (vec(word(), 0..24), vec(any::<u8>(), 0..40))
        .prop_map(|(words, tail)| [words.concat(), tail].concat())
}

fn log() -> impl Strategy<Value = NodeLog> {
    (proptest::sample::select(REGISTRIES.to_vec()), topics(), data()).prop_map(
        |(address, topics, data)| NodeLog {
            address,
            topics,
            data: Bytes::from(data),
            block_number: U64::from(i64::MAX),
            block_hash: BLOCK,
            transaction_hash: B256::repeat_byte(0xee),
            transaction_index: None,
            log_index: U64::from(i32::MAX),
            removed: false,
            unread: None,
        },
    )
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Object(fields) => fields.values().any(has_nul),
        _ => false,
    }
}

fn assert_storable(row: &NewEvent, log: &NodeLog) {
    assert!(row.name.id.len() + row.event_type.len() + row.registry.len() <= 1_200);
    assert!(row.agent_id.as_ref().is_none_or(|agent| agent.len() <= 78));
    assert!(row.data.as_ref().is_none_or(|data| !has_nul(data)));
    let raw = row.event_type == "unknown";
    assert_eq!(raw, row.data.is_none());
    let topics: Vec<String> = log.topics.iter().map(hex::encode_prefixed).collect();
    assert_eq!(row.topics, raw.then_some(topics));
    assert_eq!(row.log_data, raw.then(|| hex::encode_prefixed(&log.data)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn any_topics_and_any_data_give_a_row_that_can_be_stored(log in log()) {
        let logs = [log];
        let block = block(&settings(), i64::MAX as u64, &header(), &logs).expect("a block");
        prop_assert_eq!(block.events.len(), 1);
        assert_storable(&block.events[0], &logs[0]);
    }
}

//! The content of `events.data`, event by event: other programs rely on it.

mod extremes;
mod identity_events;
mod long_logs;
mod property;
mod reputation_events;
mod shapes;
mod validation_events;

use alloy_primitives::{Address, B256, LogData, U256};
use alloy_sol_types::SolEvent;
use serde_json::{Value, json};

use super::{Decoded, NotDecoded, common, decode, identity, reputation, validation};
use crate::Registry;

const AGENT_ID: U256 = U256::from_limbs([42, 0, 0, 0]);
const AGENT: Address = Address::repeat_byte(0xa1);
const CLIENT: Address = Address::repeat_byte(0xc1);
const HASH: B256 = B256::repeat_byte(0x4a);

/// Signature hashes of the deployed contracts' ABIs; of the common ones their beginnings.
const IDENTITY: &[(&str, &str)] = &[
    ("Registered", "ca52e62c367d81bb2e328eb795f7c7ba24afb478408a26c0e201d155c449bc4a"),
    ("MetadataSet", "2c149ed548c6d2993cd73efe187df6eccabe4538091b33adbd25fafdb8a1468b"),
    ("URIUpdated", "3a2c7fffc2cba7582c690e3b82c453ea02a308326a98a3ad7576c606336409fb"),
    ("Transfer", "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"),
    ("Approval", "8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"),
    ("ApprovalForAll", "17307eab39ab6107e8899845ad3d59bd9653f200f220920489ca2b5937696c31"),
    ("MetadataUpdate", "f8e1a15aba9398e019f0b49df1a4fde98ee17ae345cb5f6b5e2c27f5033e8ce7"),
];
const REPUTATION: &[(&str, &str)] = &[
    ("NewFeedback", "6a4a61743519c9d648a14e6493f47dbe3ff1aa29e7785c96c8326a205e58febc"),
    ("FeedbackRevoked", "25156fd3288212246d8b008d5921fde376c71ed14ac2e072a506eb06fde6d09d"),
    ("ResponseAppended", "b1c6be0b5b8aef6539e2fac0fd131a2faa7b49edf8e505b5eb0ad487d56051d4"),
];
const VALIDATION: &[(&str, &str)] = &[
    ("ValidationRequest", "530436c3634a98e1e626b0898be2f1e9980cc1bd2a78c07a0aba52d0a48a5059"),
    ("ValidationResponse", "afddf629e874ccc3963b6a888c477bd464a6c8525024fc88759ea3b2326349ae"),
];
const COMMON: &[(&str, &str)] =
    &[("Initialized", "c7f505b2"), ("OwnershipTransferred", "8be0079c"), ("Upgraded", "bc7cd75a")];

#[test]
fn each_event_has_the_signature_hash_of_the_deployed_contracts() {
    let tables = [
        (identity::DECODERS, IDENTITY),
        (reputation::DECODERS, REPUTATION),
        (validation::DECODERS, VALIDATION),
        (common::DECODERS, COMMON),
    ];
    for (decoders, expected) in tables {
        assert_eq!(decoders.len(), expected.len());
        for (decoder, (event_type, hash)) in decoders.iter().zip(expected) {
            assert_eq!(decoder.event_type, *event_type);
            let topic0 = alloy_primitives::hex::encode(decoder.topic0);
            assert!(topic0.starts_with(hash), "{event_type}: {topic0}");
        }
    }
}

/// The event as a registry emits it.
fn log(event: &impl SolEvent) -> LogData {
    event.encode_log_data()
}

/// The event as it is stored.
fn stored(registry: Registry, event: &impl SolEvent) -> Value {
    stored_log(registry, &log(event))
}

fn stored_log(registry: Registry, log: &LogData) -> Value {
    let Decoded { event_type, agent_id, arguments } =
        decode(registry, log.topics(), &log.data).expect("a log that fits its signature");
    json!({
        "event_type": event_type,
        "agent_id": agent_id.map(|agent| agent.to_string()),
        "data": arguments,
    })
}

fn not_decoded(registry: Registry, log: &LogData) -> NotDecoded {
    decode(registry, log.topics(), &log.data).expect_err("a log that is stored raw")
}

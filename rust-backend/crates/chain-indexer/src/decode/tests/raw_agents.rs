//! The agent of a log that is stored as it came.

use alloy_primitives::keccak256;

use super::*;
use crate::decode::{agent_of_raw, decoders};

#[test]
fn a_raw_log_of_a_known_shape_is_about_its_agent() {
    for registry in [Registry::Identity, Registry::Reputation, Registry::Validation] {
        for decoder in decoders(registry).iter().chain(common::DECODERS) {
            let mut read = (1..5).filter_map(|count| {
                let mut topics: Vec<B256> = (0..count).map(B256::with_last_byte).collect();
                topics[0] = decoder.topic0;
                let mut decoded = (0..12).filter_map(|words| {
                    let decoded = (decoder.read)(&topics, &vec![0; 32 * words])?;
                    Some(decoded.agent_id)
                });
                decoded.next().map(|agent| (agent, agent_of_raw(registry, &topics)))
            });
            let (decoded, raw) = read.next().expect("a log of it");
            let is_indexed = decoder.event_type != "MetadataUpdate";
            assert_eq!(raw, decoded.filter(|_| is_indexed), "{}", decoder.event_type);
        }
    }
}

#[test]
fn earlier_feedback_is_about_its_agent() {
    let words = |score: &str, strings: usize| {
        let strings = "string,".repeat(strings);
        keccak256(format!("NewFeedback(uint256,address,uint64,{score},{strings}bytes32)"))
    };
    for topic0 in
        [words("uint8", 4), words("uint8", 5), words("uint256,uint8", 5), words("int256,uint8", 5)]
    {
        let topics = [topic0, B256::from(AGENT_ID), CLIENT.into_word(), HASH];
        assert_eq!(agent_of_raw(Registry::Reputation, &topics), Some(AGENT_ID));
        assert_eq!(agent_of_raw(Registry::Identity, &topics), None, "of another registry");
        assert_eq!(agent_of_raw(Registry::Reputation, &topics[..1]), None);
    }
    assert_eq!(agent_of_raw(Registry::Reputation, &[HASH, B256::from(AGENT_ID)]), None);
    assert_eq!(agent_of_raw(Registry::Reputation, &[]), None);
}

/// Their beginnings as they were seen on chains.
#[test]
fn earlier_feedback_has_the_signature_hashes_of_the_chains() {
    for start in ["801d7d42", "31f01d2a", "a9658924", "413f2d30"] {
        let mut topic0 = B256::ZERO;
        topic0[..4].copy_from_slice(&alloy_primitives::hex::decode(start).expect("hexadecimal"));
        assert!(reputation::EARLIER_FEEDBACK.iter().any(|it| keccak256(it)[..4] == topic0[..4]));
    }
}

//! Each event of the reputation registry once.

use alloy_primitives::keccak256;
use insta::assert_json_snapshot;

use super::super::reputation;
use super::{AGENT, AGENT_ID, CLIENT, HASH, stored};
use crate::Registry::Reputation;

#[test]
fn new_feedback() {
    let event = reputation::NewFeedback {
        agentId: AGENT_ID,
        clientAddress: CLIENT,
        feedbackIndex: 1,
        value: -9_950,
        valueDecimals: 2,
        indexedTag1: keccak256("uptime"),
        tag1: "uptime".to_owned(),
        tag2: String::new(),
        endpoint: "https://example.org/a2a".to_owned(),
        feedbackURI: "ipfs://feedback".to_owned(),
        feedbackHash: HASH,
    };
    assert_json_snapshot!(stored(Reputation, &event), @r#"
    {
      "event_type": "NewFeedback",
      "agent_id": "42",
      "data": {
        "agentId": "42",
        "clientAddress": "0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1",
        "feedbackIndex": "1",
        "value": "-9950",
        "valueDecimals": 2,
        "indexedTag1": "0xfbd48ce6a90a8e8ae8fb90dc768499accb7c03c6127003e882a3b3af28cd8fa8",
        "tag1": "uptime",
        "tag2": "",
        "endpoint": "https://example.org/a2a",
        "feedbackURI": "ipfs://feedback",
        "feedbackHash": "0x4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a"
      }
    }
    "#);
}

#[test]
fn feedback_revoked() {
    let event = reputation::FeedbackRevoked {
        agentId: AGENT_ID,
        clientAddress: CLIENT,
        feedbackIndex: u64::MAX,
    };
    assert_json_snapshot!(stored(Reputation, &event), @r#"
    {
      "event_type": "FeedbackRevoked",
      "agent_id": "42",
      "data": {
        "agentId": "42",
        "clientAddress": "0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1",
        "feedbackIndex": "18446744073709551615"
      }
    }
    "#);
}

#[test]
fn response_appended() {
    let event = reputation::ResponseAppended {
        agentId: AGENT_ID,
        clientAddress: CLIENT,
        feedbackIndex: 7,
        responder: AGENT,
        responseURI: "ipfs://response".to_owned(),
        responseHash: HASH,
    };
    assert_json_snapshot!(stored(Reputation, &event), @r#"
    {
      "event_type": "ResponseAppended",
      "agent_id": "42",
      "data": {
        "agentId": "42",
        "clientAddress": "0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1",
        "feedbackIndex": "7",
        "responder": "0xa1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
        "responseURI": "ipfs://response",
        "responseHash": "0x4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a"
      }
    }
    "#);
}

//! Each event of the identity registry once.

use alloy_primitives::{Bytes, keccak256};
use insta::assert_json_snapshot;

use super::super::identity;
use super::{AGENT, AGENT_ID, CLIENT, stored};
use crate::Registry::Identity;

#[test]
fn registered() {
    let event = identity::Registered {
        agentId: AGENT_ID,
        agentURI: "https://example.org/agent.json".to_owned(),
        owner: AGENT,
    };
    assert_json_snapshot!(stored(Identity, &event), @r#"
    {
      "event_type": "Registered",
      "agent_id": "42",
      "data": {
        "agentId": "42",
        "agentURI": "https://example.org/agent.json",
        "owner": "0xa1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
      }
    }
    "#);
}

#[test]
fn metadata_set() {
    let event = identity::MetadataSet {
        agentId: AGENT_ID,
        indexedMetadataKey: keccak256("agentWallet"),
        metadataKey: "agentWallet".to_owned(),
        metadataValue: Bytes::from_static(&[0x00, 0xAB, 0xff]),
    };
    assert_json_snapshot!(stored(Identity, &event), @r#"
    {
      "event_type": "MetadataSet",
      "agent_id": "42",
      "data": {
        "agentId": "42",
        "indexedMetadataKey": "0x2ac6109326e720d1435c0db66f7e35eda7839f52b6f1f5520a60788e132b4e39",
        "metadataKey": "agentWallet",
        "metadataValue": "0x00abff"
      }
    }
    "#);
}

#[test]
fn uri_updated() {
    let event = identity::URIUpdated {
        agentId: AGENT_ID,
        newURI: "data:application/json,{}".to_owned(),
        updatedBy: AGENT,
    };
    assert_json_snapshot!(stored(Identity, &event), @r#"
    {
      "event_type": "URIUpdated",
      "agent_id": "42",
      "data": {
        "agentId": "42",
        "newURI": "data:application/json,{}",
        "updatedBy": "0xa1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
      }
    }
    "#);
}

#[test]
fn transfer() {
    let event = identity::Transfer { from: AGENT, to: CLIENT, tokenId: AGENT_ID };
    assert_json_snapshot!(stored(Identity, &event), @r#"
    {
      "event_type": "Transfer",
      "agent_id": "42",
      "data": {
        "from": "0xa1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
        "to": "0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1",
        "tokenId": "42"
      }
    }
    "#);
}

#[test]
fn approval() {
    let event = identity::Approval { owner: AGENT, approved: CLIENT, tokenId: AGENT_ID };
    assert_json_snapshot!(stored(Identity, &event), @r#"
    {
      "event_type": "Approval",
      "agent_id": "42",
      "data": {
        "owner": "0xa1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
        "approved": "0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1",
        "tokenId": "42"
      }
    }
    "#);
}

#[test]
fn approval_for_all() {
    let event = identity::ApprovalForAll { owner: AGENT, operator: CLIENT, approved: true };
    assert_json_snapshot!(stored(Identity, &event), @r#"
    {
      "event_type": "ApprovalForAll",
      "agent_id": null,
      "data": {
        "owner": "0xa1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
        "operator": "0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1",
        "approved": true
      }
    }
    "#);
}

#[test]
fn metadata_update() {
    let event = identity::MetadataUpdate { _tokenId: AGENT_ID };
    assert_json_snapshot!(stored(Identity, &event), @r#"
    {
      "event_type": "MetadataUpdate",
      "agent_id": "42",
      "data": {
        "_tokenId": "42"
      }
    }
    "#);
}

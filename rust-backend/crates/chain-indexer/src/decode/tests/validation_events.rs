//! Each event of the validation registry once, and those that every registry has.

use insta::assert_json_snapshot;

use super::super::{common, validation};
use super::{AGENT, AGENT_ID, CLIENT, HASH, stored};
use crate::Registry::{Identity, Reputation, Validation};

#[test]
fn validation_request() {
    let event = validation::ValidationRequest {
        validatorAddress: CLIENT,
        agentId: AGENT_ID,
        requestURI: "ipfs://request".to_owned(),
        requestHash: HASH,
    };
    assert_json_snapshot!(stored(Validation, &event), @r#"
    {
      "event_type": "ValidationRequest",
      "agent_id": "42",
      "data": {
        "validatorAddress": "0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1",
        "agentId": "42",
        "requestURI": "ipfs://request",
        "requestHash": "0x4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a"
      }
    }
    "#);
}

#[test]
fn validation_response() {
    let event = validation::ValidationResponse {
        validatorAddress: CLIENT,
        agentId: AGENT_ID,
        requestHash: HASH,
        response: 100,
        responseURI: "ipfs://response".to_owned(),
        responseHash: HASH,
        tag: "tee".to_owned(),
    };
    assert_json_snapshot!(stored(Validation, &event), @r#"
    {
      "event_type": "ValidationResponse",
      "agent_id": "42",
      "data": {
        "validatorAddress": "0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1",
        "agentId": "42",
        "requestHash": "0x4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a",
        "response": 100,
        "responseURI": "ipfs://response",
        "responseHash": "0x4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a",
        "tag": "tee"
      }
    }
    "#);
}

#[test]
fn the_common_events_are_those_of_each_registry() {
    for registry in [Identity, Reputation, Validation] {
        let initialized = stored(registry, &common::Initialized { version: 2 });
        assert_eq!(initialized["event_type"], "Initialized");
    }
    let owners = common::OwnershipTransferred { previousOwner: AGENT, newOwner: CLIENT };
    assert_json_snapshot!([
        stored(Identity, &common::Initialized { version: u64::MAX }),
        stored(Reputation, &owners),
        stored(Validation, &common::Upgraded { implementation: CLIENT }),
    ], @r#"
    [
      {
        "event_type": "Initialized",
        "agent_id": null,
        "data": {
          "version": "18446744073709551615"
        }
      },
      {
        "event_type": "OwnershipTransferred",
        "agent_id": null,
        "data": {
          "previousOwner": "0xa1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
          "newOwner": "0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1"
        }
      },
      {
        "event_type": "Upgraded",
        "agent_id": null,
        "data": {
          "implementation": "0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1"
        }
      }
    ]
    "#);
}

//! Events of the validation registry (EIP-8004).

use alloy_sol_types::sol;

use super::{Decoder, arguments};

sol! {
    event ValidationRequest(
        address indexed validatorAddress,
        uint256 indexed agentId,
        string requestURI,
        bytes32 indexed requestHash
    );
    event ValidationResponse(
        address indexed validatorAddress,
        uint256 indexed agentId,
        bytes32 indexed requestHash,
        uint8 response,
        string responseURI,
        bytes32 responseHash,
        string tag
    );
}

arguments!(
    ValidationRequest(validatorAddress, agentId, requestURI, requestHash) about agentId = topic 2
);
arguments!(ValidationResponse(
    validatorAddress,
    agentId,
    requestHash,
    response,
    responseURI,
    responseHash,
    tag
) about agentId = topic 2);

pub(super) const DECODERS: &[Decoder] =
    &[Decoder::of::<ValidationRequest>(), Decoder::of::<ValidationResponse>()];

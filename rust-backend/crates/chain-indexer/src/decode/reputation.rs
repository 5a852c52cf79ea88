//! Events of the reputation registry (EIP-8004).

use alloy_sol_types::sol;

use super::{Decoder, arguments};

sol! {
    event NewFeedback(
        uint256 indexed agentId,
        address indexed clientAddress,
        uint64 feedbackIndex,
        int128 value,
        uint8 valueDecimals,
        string indexed indexedTag1,
        string tag1,
        string tag2,
        string endpoint,
        string feedbackURI,
        bytes32 feedbackHash
    );
    event FeedbackRevoked(
        uint256 indexed agentId,
        address indexed clientAddress,
        uint64 indexed feedbackIndex
    );
    event ResponseAppended(
        uint256 indexed agentId,
        address indexed clientAddress,
        uint64 feedbackIndex,
        address indexed responder,
        string responseURI,
        bytes32 responseHash
    );
}

arguments!(NewFeedback(
    agentId,
    clientAddress,
    feedbackIndex,
    value,
    valueDecimals,
    indexedTag1,
    tag1,
    tag2,
    endpoint,
    feedbackURI,
    feedbackHash
) about agentId);
arguments!(FeedbackRevoked(agentId, clientAddress, feedbackIndex) about agentId);
arguments!(ResponseAppended(
    agentId,
    clientAddress,
    feedbackIndex,
    responder,
    responseURI,
    responseHash
) about agentId);

pub(super) const DECODERS: &[Decoder] = &[
    Decoder::of::<NewFeedback>(),
    Decoder::of::<FeedbackRevoked>(),
    Decoder::of::<ResponseAppended>(),
];

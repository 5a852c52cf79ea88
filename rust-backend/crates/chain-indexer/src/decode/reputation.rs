//! Events of the reputation registry (EIP-8004).

use std::sync::LazyLock;

use alloy_primitives::{B256, keccak256};
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
) about agentId = topic 1);
arguments!(FeedbackRevoked(agentId, clientAddress, feedbackIndex) about agentId = topic 1);
arguments!(ResponseAppended(
    agentId,
    clientAddress,
    feedbackIndex,
    responder,
    responseURI,
    responseHash
) about agentId = topic 1);

pub(super) const DECODERS: &[Decoder] = &[
    Decoder::of::<NewFeedback>(),
    Decoder::of::<FeedbackRevoked>(),
    Decoder::of::<ResponseAppended>(),
];

/// Earlier signatures of `NewFeedback` that a registry may have emitted: testnets did in January
/// 2026. Such a log is stored as it came, and its first indexed argument is the agent, as today.
pub(super) const EARLIER_FEEDBACK: [&str; 4] = [
    "NewFeedback(uint256,address,uint64,uint8,string,string,string,string,bytes32)",
    "NewFeedback(uint256,address,uint64,uint8,string,string,string,string,string,bytes32)",
    "NewFeedback(uint256,address,uint64,uint256,uint8,string,string,string,string,string,bytes32)",
    "NewFeedback(uint256,address,uint64,int256,uint8,string,string,string,string,string,bytes32)",
];

/// True for the topic0 of one of [`EARLIER_FEEDBACK`].
pub(super) fn is_earlier_feedback(topic0: &B256) -> bool {
    static TOPICS: LazyLock<[B256; 4]> = LazyLock::new(|| EARLIER_FEEDBACK.map(keccak256));
    TOPICS.contains(topic0)
}

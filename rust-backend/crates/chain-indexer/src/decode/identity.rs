//! Events of the identity registry (EIP-8004; ERC-721 tokens with metadata, ERC-4906).

use alloy_sol_types::sol;

use super::{Decoder, arguments};

sol! {
    event Registered(uint256 indexed agentId, string agentURI, address indexed owner);
    event MetadataSet(
        uint256 indexed agentId,
        string indexed indexedMetadataKey,
        string metadataKey,
        bytes metadataValue
    );
    event URIUpdated(uint256 indexed agentId, string newURI, address indexed updatedBy);
    event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);
    event Approval(address indexed owner, address indexed approved, uint256 indexed tokenId);
    event ApprovalForAll(address indexed owner, address indexed operator, bool approved);
    event MetadataUpdate(uint256 _tokenId);
}

arguments!(Registered(agentId, agentURI, owner) about agentId = topic 1);
arguments!(
    MetadataSet(agentId, indexedMetadataKey, metadataKey, metadataValue)
    about agentId = topic 1
);
arguments!(URIUpdated(agentId, newURI, updatedBy) about agentId = topic 1);
arguments!(Transfer(from, to, tokenId) about tokenId = topic 3);
arguments!(Approval(owner, approved, tokenId) about tokenId = topic 3);
arguments!(ApprovalForAll(owner, operator, approved));
arguments!(MetadataUpdate(_tokenId) about _tokenId);

pub(super) const DECODERS: &[Decoder] = &[
    Decoder::of::<Registered>(),
    Decoder::of::<MetadataSet>(),
    Decoder::of::<URIUpdated>(),
    Decoder::of::<Transfer>(),
    Decoder::of::<Approval>(),
    Decoder::of::<ApprovalForAll>(),
    Decoder::of::<MetadataUpdate>(),
];

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Administered} from "./Administered.sol";

/// Who is an agent, and whose. An agent is a token: it is registered, described, approved and sold.
///
/// URIs and metadata values live in the logs; the state keeps only their hashes, so that a URI of
/// 50 kB costs its log and not sixteen hundred storage slots.
contract IdentityRegistry is Administered {
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

    error NoSuchAgent(uint256 agentId);
    error NotAllowed(uint256 agentId, address caller);
    error NotItsOwner(uint256 agentId, address from);
    error NobodyToGiveTo(uint256 agentId);
    error ReservedKey();

    string private constant WALLET_KEY = "agentWallet";
    bytes32 private constant WALLET_KEY_HASH = keccak256(bytes(WALLET_KEY));

    uint256 public agentCount;
    mapping(uint256 agentId => address) private owners;
    mapping(uint256 agentId => address) public approvedFor;
    mapping(address owner => mapping(address operator => bool)) public operators;
    mapping(uint256 agentId => bytes32) public uriHash;
    mapping(uint256 agentId => mapping(bytes32 keyHash => bytes32)) public metadataHash;
    mapping(uint256 agentId => address) public agentWallet;

    function register(string calldata agentURI) external returns (uint256 agentId) {
        agentId = agentCount++;
        owners[agentId] = msg.sender;
        uriHash[agentId] = keccak256(bytes(agentURI));
        emit Transfer(address(0), msg.sender, agentId);
        emit MetadataUpdate(agentId);
        emit Registered(agentId, agentURI, msg.sender);
        agentWallet[agentId] = msg.sender;
        emit MetadataSet(agentId, WALLET_KEY, WALLET_KEY, abi.encodePacked(msg.sender));
    }

    function setAgentURI(uint256 agentId, string calldata newURI) external {
        _requireAllowed(agentId);
        uriHash[agentId] = keccak256(bytes(newURI));
        emit MetadataUpdate(agentId);
        emit URIUpdated(agentId, newURI, msg.sender);
    }

    function setMetadata(uint256 agentId, string calldata key, bytes calldata value) external {
        _requireAllowed(agentId);
        bytes32 keyHash = keccak256(bytes(key));
        if (keyHash == WALLET_KEY_HASH) revert ReservedKey();
        metadataHash[agentId][keyHash] = keccak256(value);
        emit MetadataSet(agentId, key, key, value);
    }

    function transferFrom(address from, address to, uint256 agentId) external {
        _requireAllowed(agentId);
        if (owners[agentId] != from) revert NotItsOwner(agentId, from);
        if (to == address(0)) revert NobodyToGiveTo(agentId);
        delete agentWallet[agentId];
        emit MetadataSet(agentId, WALLET_KEY, WALLET_KEY, "");
        delete approvedFor[agentId];
        owners[agentId] = to;
        emit Transfer(from, to, agentId);
    }

    function approve(address approved, uint256 agentId) external {
        address agentOwner = ownerOf(agentId);
        if (msg.sender != agentOwner && !operators[agentOwner][msg.sender]) {
            revert NotAllowed(agentId, msg.sender);
        }
        approvedFor[agentId] = approved;
        emit Approval(agentOwner, approved, agentId);
    }

    function setApprovalForAll(address operator, bool approved) external {
        operators[msg.sender][operator] = approved;
        emit ApprovalForAll(msg.sender, operator, approved);
    }

    function ownerOf(uint256 agentId) public view returns (address agentOwner) {
        agentOwner = owners[agentId];
        if (agentOwner == address(0)) revert NoSuchAgent(agentId);
    }

    /// Whether `caller` may act for the agent: its owner, its owner's operator, or the approved.
    function isAllowed(uint256 agentId, address caller) public view returns (bool) {
        address agentOwner = ownerOf(agentId);
        return caller == agentOwner || operators[agentOwner][caller]
            || approvedFor[agentId] == caller;
    }

    function _requireAllowed(uint256 agentId) private view {
        if (!isAllowed(agentId, msg.sender)) revert NotAllowed(agentId, msg.sender);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Administered} from "./Administered.sol";
import {IdentityRegistry} from "./IdentityRegistry.sol";

/// What clients say about agents. Feedback is numbered from 1 for each agent and client; only the
/// client takes it back, anybody may answer it.
contract ReputationRegistry is Administered {
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

    error TooManyDecimals(uint8 valueDecimals);
    error OwnPraise(uint256 agentId, address client);
    error NoSuchFeedback(uint256 agentId, address client, uint64 feedbackIndex);
    error AlreadyRevoked(uint256 agentId, address client, uint64 feedbackIndex);

    struct Feedback {
        int128 value;
        uint8 valueDecimals;
        bool revoked;
    }

    uint8 public constant VALUE_DECIMALS_MAX = 18;
    IdentityRegistry public immutable identity;

    mapping(uint256 agentId => mapping(address client => uint64)) public lastIndex;
    mapping(uint256 agentId => mapping(address client => mapping(uint64 index => Feedback)))
        public feedback;

    constructor(IdentityRegistry identityRegistry) {
        identity = identityRegistry;
    }

    function giveFeedback(
        uint256 agentId,
        int128 value,
        uint8 valueDecimals,
        string calldata tag1,
        string calldata tag2,
        string calldata endpoint,
        string calldata feedbackURI,
        bytes32 feedbackHash
    ) external {
        if (valueDecimals > VALUE_DECIMALS_MAX) revert TooManyDecimals(valueDecimals);
        if (identity.isAllowed(agentId, msg.sender)) revert OwnPraise(agentId, msg.sender);
        uint64 index = ++lastIndex[agentId][msg.sender];
        feedback[agentId][msg.sender][index] = Feedback(value, valueDecimals, false);
        emit NewFeedback(
            agentId,
            msg.sender,
            index,
            value,
            valueDecimals,
            tag1,
            tag1,
            tag2,
            endpoint,
            feedbackURI,
            feedbackHash
        );
    }

    /// Feedback is found by its sender, so nobody can name, let alone revoke, another's.
    function revokeFeedback(uint256 agentId, uint64 feedbackIndex) external {
        _requireExists(agentId, msg.sender, feedbackIndex);
        Feedback storage given = feedback[agentId][msg.sender][feedbackIndex];
        if (given.revoked) revert AlreadyRevoked(agentId, msg.sender, feedbackIndex);
        given.revoked = true;
        emit FeedbackRevoked(agentId, msg.sender, feedbackIndex);
    }

    function appendResponse(
        uint256 agentId,
        address clientAddress,
        uint64 feedbackIndex,
        string calldata responseURI,
        bytes32 responseHash
    ) external {
        _requireExists(agentId, clientAddress, feedbackIndex);
        emit ResponseAppended(
            agentId, clientAddress, feedbackIndex, msg.sender, responseURI, responseHash
        );
    }

    /// Two logs that no decoder knows: one without any topic, one with a topic of nobody's.
    function emitUnknown() external {
        bytes32 nobodysTopic = keccak256("a topic of nobody's");
        assembly {
            mstore(0x00, 0x6e6f20746f706963206174206c6c000000000000000000000000000000000000)
            log0(0x00, 0x20)
            log1(0x00, 0x0e, nobodysTopic)
        }
    }

    function _requireExists(uint256 agentId, address client, uint64 feedbackIndex) private view {
        if (feedbackIndex == 0 || feedbackIndex > lastIndex[agentId][client]) {
            revert NoSuchFeedback(agentId, client, feedbackIndex);
        }
    }
}

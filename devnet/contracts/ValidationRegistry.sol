// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Administered} from "./Administered.sol";
import {IdentityRegistry} from "./IdentityRegistry.sol";

/// Checks of an agent's work. Whoever acts for the agent asks one validator; that validator answers
/// with 0 to 100, and may answer again: the last answer counts.
contract ValidationRegistry is Administered {
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

    error NotForThisAgent(uint256 agentId, address caller);
    error NobodyToAsk(bytes32 requestHash);
    error AlreadyAsked(bytes32 requestHash);
    error NotTheValidator(bytes32 requestHash, address caller);
    error ResponseTooHigh(uint8 response);

    struct Request {
        address validator;
        uint8 response;
        bool answered;
        uint256 agentId;
    }

    uint8 public constant RESPONSE_MAX = 100;
    IdentityRegistry public immutable identity;

    mapping(bytes32 requestHash => Request) public requests;

    constructor(IdentityRegistry identityRegistry) {
        identity = identityRegistry;
    }

    function validationRequest(
        address validatorAddress,
        uint256 agentId,
        string calldata requestURI,
        bytes32 requestHash
    ) external {
        if (!identity.isAllowed(agentId, msg.sender)) revert NotForThisAgent(agentId, msg.sender);
        if (validatorAddress == address(0)) revert NobodyToAsk(requestHash);
        if (requests[requestHash].validator != address(0)) revert AlreadyAsked(requestHash);
        requests[requestHash] = Request(validatorAddress, 0, false, agentId);
        emit ValidationRequest(validatorAddress, agentId, requestURI, requestHash);
    }

    function validationResponse(
        bytes32 requestHash,
        uint8 response,
        string calldata responseURI,
        bytes32 responseHash,
        string calldata tag
    ) external {
        Request storage asked = requests[requestHash];
        if (asked.validator != msg.sender) revert NotTheValidator(requestHash, msg.sender);
        if (response > RESPONSE_MAX) revert ResponseTooHigh(response);
        asked.response = response;
        asked.answered = true;
        emit ValidationResponse(
            msg.sender, asked.agentId, requestHash, response, responseURI, responseHash, tag
        );
    }
}

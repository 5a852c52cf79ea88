// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// What every registry has beside its own trade: an owner, a version and an implementation.
///
/// The public registries stand behind upgradeable proxies. Here nothing is ever replaced: the three
/// numbers change and the events are emitted, which is all that a reader of logs can see.
abstract contract Administered {
    event Initialized(uint64 version);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);
    event Upgraded(address indexed implementation);

    error NotTheOwner(address caller);

    address public owner;
    address public implementation;
    uint64 public version;

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotTheOwner(msg.sender);
        _;
    }

    constructor() {
        _upgrade(address(this));
        _handOver(msg.sender);
        _initialize();
    }

    function initializeAgain() external onlyOwner {
        _initialize();
    }

    function transferOwnership(address newOwner) external onlyOwner {
        _handOver(newOwner);
    }

    function upgradeTo(address newImplementation) external onlyOwner {
        _upgrade(newImplementation);
    }

    function _initialize() private {
        version += 1;
        emit Initialized(version);
    }

    function _handOver(address newOwner) private {
        address previousOwner = owner;
        owner = newOwner;
        emit OwnershipTransferred(previousOwner, newOwner);
    }

    function _upgrade(address newImplementation) private {
        implementation = newImplementation;
        emit Upgraded(newImplementation);
    }
}

// The events of the ERC-8004 registries, as the deployed contracts declare them.
import type { AbiEvent } from "viem";
import { parseAbi, toEventSelector } from "viem";

export const REGISTRY_NAMES = ["identity", "reputation", "validation"] as const;
export type RegistryName = (typeof REGISTRY_NAMES)[number];

/** Every registry has these: an upgradeable contract (ERC-1967) with an owner (ERC-173). */
const COMMON = parseAbi([
  "event Initialized(uint64 version)",
  "event OwnershipTransferred(address indexed previousOwner, address indexed newOwner)",
  "event Upgraded(address indexed implementation)",
]);

const IDENTITY = parseAbi([
  "event Registered(uint256 indexed agentId, string agentURI, address indexed owner)",
  "event MetadataSet(uint256 indexed agentId, string indexed indexedMetadataKey, " +
    "string metadataKey, bytes metadataValue)",
  "event URIUpdated(uint256 indexed agentId, string newURI, address indexed updatedBy)",
  "event Transfer(address indexed from, address indexed to, uint256 indexed tokenId)",
  "event Approval(address indexed owner, address indexed approved, uint256 indexed tokenId)",
  "event ApprovalForAll(address indexed owner, address indexed operator, bool approved)",
  "event MetadataUpdate(uint256 _tokenId)",
] as string[]) as AbiEvent[];

const REPUTATION = parseAbi([
  "event NewFeedback(uint256 indexed agentId, address indexed clientAddress, " +
    "uint64 feedbackIndex, int128 value, uint8 valueDecimals, string indexed indexedTag1, " +
    "string tag1, string tag2, string endpoint, string feedbackURI, bytes32 feedbackHash)",
  "event FeedbackRevoked(uint256 indexed agentId, address indexed clientAddress, " +
    "uint64 indexed feedbackIndex)",
  "event ResponseAppended(uint256 indexed agentId, address indexed clientAddress, " +
    "uint64 feedbackIndex, address indexed responder, string responseURI, bytes32 responseHash)",
] as string[]) as AbiEvent[];

const VALIDATION = parseAbi([
  "event ValidationRequest(address indexed validatorAddress, uint256 indexed agentId, " +
    "string requestURI, bytes32 indexed requestHash)",
  "event ValidationResponse(address indexed validatorAddress, uint256 indexed agentId, " +
    "bytes32 indexed requestHash, uint8 response, string responseURI, bytes32 responseHash, " +
    "string tag)",
] as string[]) as AbiEvent[];

/** Each registry's events by their first topic. */
export const EVENTS: Record<RegistryName, ReadonlyMap<string, AbiEvent>> = {
  identity: byTopic([...IDENTITY, ...COMMON]),
  reputation: byTopic([...REPUTATION, ...COMMON]),
  validation: byTopic([...VALIDATION, ...COMMON]),
};

/** Arguments that hold the agent's id. */
export const AGENT_ARGUMENTS: ReadonlySet<string> = new Set(["agentId", "tokenId", "_tokenId"]);

/**
 * Earlier signatures of `NewFeedback` that a registry may have emitted: testnets did in January
 * 2026. Such a log is stored as it came, and its first indexed argument is the agent, as today.
 */
export const EARLIER_FEEDBACK: ReadonlySet<string> = new Set(
  [
    "uint8,string,string,string,string",
    "uint8,string,string,string,string,string",
    "uint256,uint8,string,string,string,string,string",
    "int256,uint8,string,string,string,string,string",
  ].map(scored => toEventSelector(`NewFeedback(uint256,address,uint64,${scored},bytes32)`)),
);

function byTopic(events: readonly AbiEvent[]): ReadonlyMap<string, AbiEvent> {
  return new Map(events.map(event => [toEventSelector(event), event]));
}

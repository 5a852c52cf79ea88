// A log to the row that our own indexer would make of it.
import type { Hex, RpcLog } from "viem";
import { decode } from "./decode.ts";
import type { RegistryName } from "./registries.ts";

export interface BlockOfLog {
  number: bigint;
  hash: Hex;
  timestamp: bigint;
}

/** The event of a log that no decoder reads. */
const UNKNOWN = "unknown";

export function eventRow(chainId: number, registry: RegistryName, block: BlockOfLog, log: RpcLog) {
  const logIndex = Number(log.logIndex);
  const topics = log.topics.map(topic => topic.toLowerCase() as Hex);
  const logData = log.data.toLowerCase() as Hex;
  const decoded = decode(registry, topics, logData);
  return {
    id: `${chainId}-${block.hash}-${logIndex}`,
    chainId,
    blockNumber: Number(block.number),
    blockHash: block.hash,
    transactionHash: log.transactionHash?.toLowerCase() ?? "",
    logIndex,
    eventType: decoded?.eventType ?? UNKNOWN,
    registry,
    timestamp: Number(block.timestamp),
    agentId: decoded?.agentId ?? null,
    data: decoded && JSON.stringify(decoded.data),
    address: log.address.toLowerCase(),
    // As text: Ponder's COPY has no array of strings that may be empty.
    topics: decoded ? null : topics.join(" "),
    logData: decoded ? null : logData,
  };
}

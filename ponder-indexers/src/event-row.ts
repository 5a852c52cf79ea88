// A log to the row that our own indexer would make of it.
import type { Hex, RpcLog } from "viem";
import { agentOfRaw, decode, SHORT_BYTES } from "./decode.ts";
import type { RegistryName } from "./registries.ts";
import { say } from "./say.ts";

export interface BlockOfLog {
  number: bigint;
  hash: Hex;
  timestamp: bigint;
}

/** The event of a log that no decoder reads. */
const UNKNOWN = "unknown";
/** Bytes of a raw log's data that are stored, which is what `events` takes. */
const RAW_BYTES_MAX = 4 << 20;

export function eventRow(chainId: number, registry: RegistryName, block: BlockOfLog, log: RpcLog) {
  const logIndex = Number(log.logIndex);
  const topics = log.topics.map(topic => topic.toLowerCase() as Hex);
  const logData = log.data.toLowerCase() as Hex;
  const decoded = decode(registry, topics, logData);
  const id = `${chainId}-${block.hash}-${logIndex}`;
  const bytes = logData.length / 2 - 1;
  const isLong = decoded === null && bytes > SHORT_BYTES;
  if (isLong)
    say("Stored a long log raw", { event: id, bytes, stored: Math.min(bytes, RAW_BYTES_MAX) });
  return {
    id,
    chainId,
    blockNumber: Number(block.number),
    blockHash: block.hash,
    transactionHash: log.transactionHash?.toLowerCase() ?? "",
    logIndex,
    eventType: decoded?.eventType ?? UNKNOWN,
    registry,
    timestamp: Number(block.timestamp),
    agentId: decoded ? decoded.agentId : agentOfRaw(registry, topics),
    data: dataOf(decoded?.data, isLong ? bytes : undefined),
    address: log.address.toLowerCase(),
    // As text: Ponder's COPY has no array of strings that may be empty.
    topics: decoded ? null : topics.join(" "),
    logData: decoded ? null : logData.slice(0, 2 + 2 * RAW_BYTES_MAX),
  };
}

/** Arguments, or how long a log is, where that may be why it has none. */
function dataOf(args: object | undefined, log_data_bytes: number | undefined): string | null {
  const data = args ?? (log_data_bytes === undefined ? null : { log_data_bytes });
  return data && JSON.stringify(data);
}

// Blocks that were replaced while their logs were asked for. Ponder may build on them nevertheless:
// until it learns of the reorg, or for good, if the chain flips back.
import type { Hex } from "viem";
import { SETTLED_BELOW_HEAD } from "./history.ts";

export interface UnreadBlock {
  number: bigint;
  hash: Hex;
  parentHash: Hex;
  timestamp: bigint;
  /** Not kept: it has been asked, and did not exclude the registries' logs. */
  logsBloom: null;
}

export function toText(blocks: readonly Omit<UnreadBlock, "logsBloom">[]): string {
  if (blocks.length > SETTLED_BELOW_HEAD) {
    const first = `block ${blocks[0]?.number} (${blocks[0]?.hash})`;
    throw new Error(
      `${blocks.length} blocks stand on ${first}, which no node has: no reorg is that deep`,
    );
  }
  return JSON.stringify(
    blocks.map(({ number, hash, parentHash, timestamp }) => [
      ...[String(number), hash, parentHash, String(timestamp)],
    ]),
  );
}

/** The lowest first, each the parent of the next. */
export function fromText(text: string): UnreadBlock[] {
  const blocks = JSON.parse(text) as [string, Hex, Hex, string][];
  return blocks.map(([number, hash, parentHash, timestamp]) => {
    return {
      number: BigInt(number),
      ...{ hash, parentHash, timestamp: BigInt(timestamp), logsBloom: null },
    };
  });
}

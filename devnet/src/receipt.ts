// Waiting for a transaction to be mined, with an end to the waiting.
import { setTimeout as delay } from "node:timers/promises";
import type { Hash } from "viem";
import type { Node, Receipt } from "./node.ts";

/** No block in so long means that the node does not mine at all. */
export const STALL_MS_MAX = 60_000;
/** Short against a block time of a second, long against the answer's fraction of a millisecond. */
export const POLL_MS = 10;

export async function awaitReceipt(node: Node, hash: Hash): Promise<Receipt> {
  const end = Date.now() + STALL_MS_MAX;
  while (Date.now() < end) {
    const [receipt] = await node.receipts([hash]);
    if (receipt) return receipt;
    await delay(POLL_MS);
  }
  throw new Error(`transaction ${hash} was not mined within ${STALL_MS_MAX / 1000} s`);
}

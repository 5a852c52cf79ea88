// A node's own answer, asked for apart from Ponder: that keeps what a block is, and repeats a
// question for a minute.
import type { Hex } from "viem";
import type { RpcUrl } from "./chain/rpc-url.ts";
import { transportOf } from "./transport.ts";

const ANSWER_MS_MAX = 2_000;

export interface NodeBlock {
  number: number;
  hash: string;
}

/** The block of a height or tag; undefined where the node has none. */
export async function blockAt(
  rpcUrl: RpcUrl,
  at: bigint | "safe" | "finalized",
): Promise<NodeBlock | undefined> {
  const node = transportOf(rpcUrl, { retryCount: 0, timeout: ANSWER_MS_MAX });
  const params = [typeof at === "bigint" ? `0x${at.toString(16)}` : at, false];
  const found = await node({}).request({ method: "eth_getBlockByNumber", params } as never);
  if (found === null) return undefined;
  const { number = params[0], hash } = found as { number?: unknown; hash?: unknown };
  if (!isHex(number) || !isHex(hash) || !Number.isSafeInteger(Number(number))) {
    throw new Error(`a node sent a block without a number or a hash: ${params[0]}`);
  }
  return { number: Number(number), hash: hash.toLowerCase() };
}

function isHex(value: unknown): value is Hex {
  return typeof value === "string" && /^0x[0-9a-fA-F]+$/.test(value);
}

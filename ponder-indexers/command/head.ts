// The chain's head, asked for apart from Ponder: it is what Ponder is measured by.
import { createPublicClient, fallback } from "viem";
import type { Chain } from "../src/chain.ts";
import { transportOf } from "../src/transport.ts";

/** Undefined while no node answers. */
export async function headIfKnown(chain: Chain): Promise<number | undefined> {
  return headOf(chain).catch(() => undefined);
}

export async function headOf(chain: Chain): Promise<number> {
  const transports = chain.rpcUrls.map(rpcUrl => transportOf(rpcUrl));
  const client = createPublicClient({ transport: fallback(transports) });
  return Number(await client.getBlockNumber({ cacheTime: 0 }));
}

// The chain's head, asked for apart from Ponder: it is what Ponder is measured by.
import { createPublicClient, fallback, http, webSocket } from "viem";
import { type Chain, isWebsocket } from "../src/chain.ts";

/** Undefined while no node answers. */
export async function headIfKnown(chain: Chain): Promise<number | undefined> {
  return headOf(chain).catch(() => undefined);
}

export async function headOf(chain: Chain): Promise<number> {
  const transports = chain.rpcUrls.map(url => (isWebsocket(url) ? webSocket(url) : http(url)));
  const client = createPublicClient({ transport: fallback(transports) });
  return Number(await client.getBlockNumber({ cacheTime: 0 }));
}

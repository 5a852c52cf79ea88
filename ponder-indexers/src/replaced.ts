// Whether a block is still on the chain, by what the nodes themselves show at its height.
import { setTimeout as delay } from "node:timers/promises";
import type { Hex } from "viem";
import type { RpcUrl } from "./chain/rpc-url.ts";
import { blockAt } from "./node.ts";

/** There: a node has it. Replaced: one has another. Absent: their chains are shorter. */
export type Place = "there" | "replaced" | "absent" | "nobody answered";

/** Before the first look; twice that before the next one, and so on. */
const LOOK_AFTER_MS = 250;
const LOOK_AFTER_MS_MAX = 2_000;
/** So long a node that is behind may not have a block yet that another one has announced. */
const BEHIND_MS_MAX = 2_000;

interface Named {
  number: bigint;
  hash: Hex;
}

/** Resolves once the nodes show that the block is not on their chain; else never. */
export async function untilReplaced(
  rpcUrls: readonly RpcUrl[],
  block: Named,
  signal: AbortSignal,
): Promise<void> {
  let absentSince: number | undefined;
  for (let wait = LOOK_AFTER_MS; ; wait = Math.min(2 * wait, LOOK_AFTER_MS_MAX)) {
    await delay(wait, undefined, { signal });
    const place = await placeOf(rpcUrls, block);
    if (place === "replaced") return;
    absentSince = place === "absent" ? (absentSince ?? performance.now()) : undefined;
    if (absentSince !== undefined && performance.now() - absentSince >= BEHIND_MS_MAX) return;
  }
}

/** What the nodes that answer show at the block's height. */
export async function placeOf(rpcUrls: readonly RpcUrl[], block: Named): Promise<Place> {
  const answers = await Promise.allSettled(
    rpcUrls.map(async (rpcUrl): Promise<Place> => {
      const found = await blockAt(rpcUrl, block.number);
      if (found === undefined) return "absent";
      return found.hash === block.hash.toLowerCase() ? "there" : "replaced";
    }),
  );
  const places = answers.map(answer =>
    answer.status === "fulfilled" ? answer.value : "nobody answered",
  );
  const strongest: Place[] = ["there", "replaced", "absent"];
  return strongest.find(place => places.includes(place)) ?? "nobody answered";
}

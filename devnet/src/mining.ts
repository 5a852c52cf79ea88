// Who closes a block: the node by itself, or we, when blocks of several transactions are wanted.
import type { Node } from "./node.ts";

export interface Mining {
  /** Whether nothing is mined until `mine` is called. */
  manual: boolean;
  mine(): Promise<void>;
  /** Gives the node back as it was found. */
  restore(): Promise<void>;
}

/**
 * Leaves a node that mines by interval alone; takes over one that mines each transaction at once,
 * if `batched`, and one that does not mine at all.
 */
export async function takeUpMining(node: Node, batched: boolean): Promise<Mining> {
  const automine = await node.automine();
  const byInterval = !automine && (await node.intervalSeconds()) > 0;
  const manual = !byInterval && (batched || !automine);
  if (manual && automine) await node.setAutomine(false);
  return {
    manual,
    mine: async () => {
      if (manual) await node.mine();
    },
    restore: async () => {
      if (manual && automine) await node.setAutomine(true);
    },
  };
}

// What has been sent and seen, as printed at the end.
import type { Receipt } from "./node.ts";
import { REGISTRY_NAMES, type Registries, type RegistryName } from "./world.ts";

export interface Summary {
  transactions: number;
  logs: number;
  byRegistry: Record<RegistryName, number>;
  /** Null where nothing was sent. */
  firstBlock: number | null;
  lastBlock: number | null;
}

export class Totals {
  readonly summary: Summary = {
    transactions: 0,
    logs: 0,
    byRegistry: { identity: 0, reputation: 0, validation: 0 },
    firstBlock: null,
    lastBlock: null,
  };
  private readonly nameOf: Map<string, RegistryName>;

  constructor(registries: Registries) {
    this.nameOf = new Map(
      REGISTRY_NAMES.map(name => [registries[name].address.toLowerCase(), name]),
    );
  }

  add(receipt: Receipt): void {
    const { summary } = this;
    const block = Number(receipt.blockNumber);
    summary.transactions += 1;
    summary.logs += receipt.logs.length;
    summary.firstBlock = Math.min(summary.firstBlock ?? block, block);
    summary.lastBlock = Math.max(summary.lastBlock ?? block, block);
    for (const log of receipt.logs) {
      const name = this.nameOf.get(log.address.toLowerCase());
      if (!name) throw new Error(`a log of ${log.address}, which is none of the registries`);
      summary.byRegistry[name] += 1;
    }
  }
}

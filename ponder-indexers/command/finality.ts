// Reports which of the blocks that Ponder has passed are safe and final: as the nodes say, or as
// deep as the operator says.
import { askedUrls, type RpcUrl } from "../src/chain/rpc-url.ts";
import type { Chain } from "../src/chain.ts";
import { blockAt } from "../src/node.ts";
import { say } from "../src/say.ts";
import type { Cursor, Database } from "./database.ts";

const LOOK_AFTER_MS = 5_000;
/** Nodes that hang are waited for no longer: other work waits, too. */
const ASK_MS_MAX = 5_000;

interface Report {
  safe?: Cursor | undefined;
  finalized?: Cursor | undefined;
}

export class Finality {
  private lookedAt = Number.NEGATIVE_INFINITY;
  /** What the database was too busy for. */
  private pending: Report | undefined;
  private failure: string | undefined;
  private readonly rpcUrls: RpcUrl[];

  constructor(
    private readonly database: Database,
    private readonly chain: Chain,
    private readonly schema: string,
  ) {
    this.rpcUrls = askedUrls(chain.rpcUrls);
  }

  /** Looks, where it is time to. That it fails is said once, and delays only. */
  async keep(): Promise<void> {
    if (!this.chain.owns) return;
    try {
      if (performance.now() - this.lookedAt >= LOOK_AFTER_MS) {
        this.lookedAt = performance.now();
        this.pending = await this.look();
        this.failure = undefined;
      }
      if (this.pending === undefined) return;
      const { safe, finalized } = this.pending;
      if (await this.database.report(this.schema, safe, finalized)) this.pending = undefined;
    } catch (error) {
      // viem's message has the URL in it, and its path may be a key.
      const { shortMessage, message } = error as Error & { shortMessage?: string };
      const failure = shortMessage ?? message;
      if (failure !== this.failure) {
        say("Cannot report what is safe and final", { chain: this.chain.name, error: failure });
      }
      this.failure = failure;
    }
  }

  private async look(): Promise<Report> {
    const { finalityDepth } = this.chain;
    if (finalityDepth !== undefined) {
      return { finalized: await this.database.deep(this.schema, finalityDepth) };
    }
    const deadline = performance.now() + ASK_MS_MAX;
    return {
      finalized: await this.tagged("finalized", deadline),
      safe: await this.tagged("safe", deadline),
    };
  }

  /** The highest block passed that is not above the tag, by the first node that knows the tag. */
  private async tagged(tag: "safe" | "finalized", deadline: number): Promise<Cursor | undefined> {
    let refused: unknown;
    for (const rpcUrl of this.rpcUrls) {
      if (performance.now() >= deadline) throw new Error(`no node has said in time what is ${tag}`);
      try {
        const top = await blockAt(rpcUrl, tag);
        if (top !== undefined) return await this.passedUpTo(top, rpcUrl);
      } catch (error) {
        refused = error;
      }
    }
    if (refused !== undefined) throw refused;
    return undefined;
  }

  /** Where the block itself was passed within a batch, or not yet, one below stands for it. */
  private async passedUpTo(top: Cursor, rpcUrl: RpcUrl): Promise<Cursor | undefined> {
    const passed = await this.database.remembered(this.schema, top.number);
    if (passed === undefined) return undefined;
    const same = passed.number === top.number ? top : await blockAt(rpcUrl, BigInt(passed.number));
    return same?.hash === passed.hash.toLowerCase() ? passed : undefined;
  }
}

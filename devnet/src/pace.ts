// Spreads a load evenly over time.
import { setTimeout as delay } from "node:timers/promises";

/** Returns when it is time for log number `logs` of a steady stream, at once when stopped. */
export class Pace {
  private readonly start = performance.now();

  constructor(
    /** Without a rate nothing ever waits. */
    private readonly logsPerSecond: number | undefined,
    private readonly stop: AbortSignal,
  ) {}

  async awaitTurn(logs: number): Promise<void> {
    if (this.logsPerSecond === undefined) return;
    const turn = this.start + (logs / this.logsPerSecond) * 1_000;
    const early = turn - performance.now();
    if (early < 1 || this.stop.aborted) return;
    // The only way to fail is being stopped, which the caller asks about itself.
    await delay(early, undefined, { signal: this.stop }).catch(() => undefined);
  }
}

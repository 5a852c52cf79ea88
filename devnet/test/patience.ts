// Waiting for something outside the process, on machines that are busy; never for ever.
import { setTimeout as delay } from "node:timers/promises";

/** Only a failure waits so long. */
const WAIT_MS_MAX = 600_000;
const BETWEEN_TRIES_MS = 50;

/** Asks until the answer is yes; an error is a no, and the last one is thrown in the end. */
export async function eventually(what: string, ask: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS_MAX;
  let cause: unknown;
  while (Date.now() < deadline) {
    try {
      if (await ask()) return;
    } catch (error) {
      cause = error;
    }
    await delay(BETWEEN_TRIES_MS);
  }
  throw new Error(`waited in vain: ${what}`, { cause });
}

// Waiting for something outside the process, never for ever.
import { setTimeout as delay } from "node:timers/promises";

const TRIES_MAX = 400;
const BETWEEN_TRIES_MS = 50;

/** Asks until the answer is yes; an error is a no, and the last one is thrown in the end. */
export async function eventually(what: string, ask: () => Promise<boolean>): Promise<void> {
  let cause: unknown;
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    try {
      if (await ask()) return;
    } catch (error) {
      cause = error;
    }
    await delay(BETWEEN_TRIES_MS);
  }
  throw new Error(`waited in vain: ${what}`, { cause });
}

// Runs one chain's Ponder in this very process, so that they live and die together.

import { setTimeout as delay } from "node:timers/promises";
import { type Chain, chainFromEnvironment } from "../src/chain.ts";
import { SETTLED_BELOW_HEAD } from "../src/history.ts";
import { say } from "../src/say.ts";
import { ROOT, schemaOf } from "./build.ts";
import type { Options } from "./command.ts";
import { Database } from "./database.ts";
import { Finality } from "./finality.ts";
import { headIfKnown, headOf } from "./head.ts";

const LOOK_AFTER_MS = 1_000;
/** Blocks behind the head at which a candidate has caught up. */
const CAUGHT_UP_BLOCKS = 3;

export async function run(options: Options): Promise<undefined> {
  const chain = chainFromEnvironment(process.env);
  const schema = schemaOf(chain);
  const database = await Database.open(process.env);
  database.onLoss(error => {
    say("Lost the database session that holds the schema's lock", { error: error.message });
    process.exit(1);
  });
  if (!(await database.lock(schema))) {
    throw new Error(`${schema} is run by another process already`);
  }
  await database.endPondersLock(schema);
  const settled = Math.max((await headOf(chain)) - SETTLED_BELOW_HEAD, chain.startBlock);
  const { status, liveFrom } = await database.start(schema, chain, settled);
  const { owns, pollIntervalMs } = chain;
  say("Starting Ponder", { chain: chain.name, schema, status, owns, liveFrom, pollIntervalMs });
  await startPonder(schema, liveFrom, options.port);
  await lookAfter(database, chain, schema);
}

/** Ponder's own command, with the settings of a service without a terminal. */
async function startPonder(schema: string, liveFrom: number, port: number): Promise<void> {
  Object.assign(process.env, {
    DATABASE_SCHEMA: schema,
    AGENTAURI_PONDER_LIVE_FROM: String(liveFrom),
    PONDER_TELEMETRY_DISABLED: "1",
    CI: "1",
  });
  const bin = new URL("bin/ponder.js", import.meta.resolve("ponder"));
  const settings = ["--log-format", "json", "-p", String(port), "-H", "127.0.0.1"];
  process.argv = [process.execPath, bin.pathname, "start", "--root", ROOT, ...settings];
  await import(bin.href);
}

/**
 * Takes over once caught up, drops what it replaced, reports what is final, and ends when it is
 * replaced itself.
 */
async function lookAfter(database: Database, chain: Chain, schema: string): Promise<undefined> {
  const finality = new Finality(database, chain, schema);
  for (;;) {
    await delay(LOOK_AFTER_MS);
    const status = await database.status(schema);
    if (status === "candidate") {
      if (await hasCaughtUp(database, chain, schema)) {
        await database.takeOver(schema);
        say("Took over", { chain: chain.name, schema });
      }
    } else if (status === "current") {
      await dropRetired(database, chain);
      await finality.keep();
    } else {
      say("Another schema has taken over", { chain: chain.name, schema });
      process.kill(process.pid, "SIGTERM");
      return;
    }
  }
}

async function hasCaughtUp(database: Database, chain: Chain, schema: string): Promise<boolean> {
  const cursor = await database.cursor(schema);
  const head = await headIfKnown(chain);
  return cursor !== undefined && head !== undefined && cursor.number + CAUGHT_UP_BLOCKS >= head;
}

async function dropRetired(database: Database, chain: Chain): Promise<void> {
  for (const old of await database.retired(chain.id)) {
    if (!(await database.lock(old))) continue;
    await database.forget(old);
    await database.unlock(old);
    say("Dropped a schema that was replaced", { chain: chain.name, schema: old });
  }
}

// Puts a build to work: starts it in the background and waits until it has taken over.
import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chainFromEnvironment } from "../src/chain.ts";
import { ROOT, schemaOf } from "./build.ts";
import type { Options } from "./command.ts";
import { Database } from "./database.ts";
import { headIfKnown } from "./head.ts";

const LOOK_AFTER_MS = 500;
/** Blocks behind the head at which the deployment is done. */
const CAUGHT_UP_BLOCKS = 10;

export async function run(options: Options): Promise<number> {
  const chain = chainFromEnvironment(process.env);
  const schema = schemaOf(chain);
  const database = await Database.open(process.env);
  if (!(await database.lock(schema))) throw new Error(`${schema} is running already`);
  await database.unlock(schema);

  const child = startInBackground(options);
  const deadline = Date.now() + options.timeoutSeconds * 1_000;
  process.stderr.write(`Process ${child.pid} fills ${schema}; its log is ${options.log}\n`);
  for (;;) {
    await delay(LOOK_AFTER_MS);
    if (child.exitCode !== null) {
      throw new Error(`it ended with ${child.exitCode}; see ${options.log}. What ran, runs on`);
    }
    const [cursor, head] = [await database.cursor(schema), await headIfKnown(chain)];
    const isDone =
      cursor !== undefined &&
      head !== undefined &&
      (await database.status(schema)) === "current" &&
      (await database.retired(chain.id)).length === 0 &&
      cursor.number + CAUGHT_UP_BLOCKS >= head;
    if (isDone) {
      process.stdout.write(`${JSON.stringify({ chain: chain.name, schema, pid: child.pid })}\n`);
      return 0;
    }
    if (Date.now() > deadline) {
      const behind = `it has not taken over within ${options.timeoutSeconds} s`;
      throw new Error(`${behind}, and goes on: process ${child.pid}, log ${options.log}`);
    }
  }
}

/** In a session of its own, so that it outlives this command and its terminal. */
function startInBackground({ chain, port, log }: Options) {
  const command = fileURLToPath(new URL("./command.ts", import.meta.url));
  const out = openSync(log, "a");
  const child = spawn(
    process.execPath,
    ["--import", "tsx", command, "start", "--chain", chain, "--port", String(port)],
    { cwd: ROOT, detached: true, stdio: ["ignore", out, out] },
  );
  child.unref();
  return child;
}

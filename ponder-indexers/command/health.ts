// How far the indexer is behind the chain. Ponder's /ready says that its history is done, no more.
import { chainFromEnvironment } from "../src/chain.ts";
import type { Options } from "./command.ts";
import { Database } from "./database.ts";
import { headOf } from "./head.ts";

export async function run({ chain: name, maxLag }: Options): Promise<number> {
  const chain = chainFromEnvironment(process.env);
  const database = await Database.open(process.env);
  const schema = await database.current(chain.id);
  const [head, cursor] = await Promise.all([
    headOf(chain),
    schema === undefined ? undefined : database.cursor(schema),
  ]);
  await database.close();
  const behind = cursor && Math.max(head - cursor.number, 0);
  const healthy = behind !== undefined && behind <= maxLag;
  const report = { chain: name, healthy, head, block: cursor?.number ?? null, schema, behind };
  process.stdout.write(`${JSON.stringify(report)}\n`);
  return healthy ? 0 : 1;
}

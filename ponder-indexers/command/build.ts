// What a build is: Ponder refuses a schema that another build has filled.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Chain } from "../src/chain.ts";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The schema of this build of the chain: it changes with whatever may change its rows. */
export function schemaOf(chain: Chain): string {
  const hash = createHash("sha256");
  const { name, id, registries, startBlock } = chain;
  hash.update(JSON.stringify({ name, id, registries, startBlock }));
  const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
    .filter(file => file.endsWith(".ts"))
    .sort()
    .map(file => join("src", file));
  for (const file of [...sources, "ponder.config.ts", "ponder.schema.ts", "package-lock.json"]) {
    hash.update(`${file}\0`).update(readFileSync(join(ROOT, file)));
  }
  return `ponder_${id}_${hash.digest("hex").slice(0, 10)}`;
}

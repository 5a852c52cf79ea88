// A chain of agentauri.toml, the file that the other processes read, too.
import { addresses, type RegistryAddress } from "./chain/addresses.ts";
import { firstBlockOf, type Preset, presetOf } from "./chain/preset.ts";
import { Reader } from "./chain/reader.ts";
import { type RpcUrl, rpcUrls } from "./chain/rpc-url.ts";
import { ConfigError, type Environment, readFile } from "./config.ts";

export interface Chain {
  name: string;
  id: number;
  rpcUrls: RpcUrl[];
  registries: RegistryAddress[];
  startBlock: number;
  pollIntervalMs: number;
  /** Blocks that a reorg may take back; undefined: the nodes are asked what is final. */
  finalityDepth: number | undefined;
  /** Whether Ponder is the chain's writer, of checkpoint and invalidations, or only inserts. */
  owns: boolean;
}

export const CONFIG_FILE_DEFAULT = "agentauri.toml";
const WRITERS = ["chain-indexer", "ponder", "auditor"];
const POLL_INTERVAL_MS_DEFAULT = 1_000;
/** Ponder polls no more often. */
const POLL_INTERVAL_MS_MIN = 100;
const FINALITY_DEPTH_MAX = 1_000_000;

/** The chain that AGENTAURI_PONDER_CHAIN names, of the file that AGENTAURI_CONFIG names. */
export function chainFromEnvironment(environment: Environment): Chain {
  const file = environment.AGENTAURI_CONFIG || CONFIG_FILE_DEFAULT;
  const name = environment.AGENTAURI_PONDER_CHAIN;
  if (!name) throw new ConfigError("AGENTAURI_PONDER_CHAIN: is not set; it names the chain");
  return chainOf(readFile(file), name, file, environment);
}

/**
 * The first block that is asked for by itself, from AGENTAURI_PONDER_LIVE_FROM: the start command
 * chooses it once for a schema, because Ponder refuses one whose blocks change.
 */
export function liveFromEnvironment(environment: Environment): number {
  const text = environment.AGENTAURI_PONDER_LIVE_FROM ?? "";
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new ConfigError("AGENTAURI_PONDER_LIVE_FROM: is not set: use npm run start");
}

/** The chain called `name`. Checks the keys that are used here; others are others' matter. */
export function chainOf(text: string, name: string, file: string, environment: Environment): Chain {
  const chain = named(Reader.of(text, file), name);
  if (chain.has("owner")) chain.refuse("owner", "`owner` is now `writer`");
  if (chain.has("headers")) {
    const example = 'rpc_urls = [{ url = "https://…", headers = { name = "value" } }]';
    chain.refuse("headers", `belongs to one URL: write ${example}`);
  }
  const preset = presetOf(chain);
  const own = <T>(key: string, read: () => T, otherwise: T | undefined): T =>
    otherwise === undefined || chain.has(key) ? read() : otherwise;
  const id = own("id", () => chain.integer("id", { min: 1 }), preset?.id);
  const registries = own("registries", () => addresses(chain, "registries"), preset?.registries);
  const pollIntervalMs = () => chain.integer("poll_interval_ms");
  return {
    name,
    id,
    rpcUrls: rpcUrls(chain, environment),
    registries,
    startBlock: startBlock(chain, preset?.id === id ? preset : undefined, registries),
    pollIntervalMs: Math.max(
      own("poll_interval_ms", pollIntervalMs, POLL_INTERVAL_MS_DEFAULT),
      POLL_INTERVAL_MS_MIN,
    ),
    finalityDepth: chain.has("finality_depth")
      ? chain.integer("finality_depth", { max: FINALITY_DEPTH_MAX })
      : undefined,
    owns: chain.choice("writer", WRITERS, "chain-indexer") === "ponder",
  };
}

/** The one chain of this name. Of the others nothing but their names is looked at. */
function named(top: Reader, name: string): Reader {
  const list = top.list("chains");
  const all = list
    .keys()
    .filter(key => list.isTable(key))
    .map(key => list.table(key));
  const found = all.filter(chain => nameOf(chain) === name);
  const [first, second] = found;
  if (first === undefined) {
    const names = all.flatMap(chain => nameOf(chain) ?? []).join(", ");
    return top.refuse("chains", `none is called ${name}; there are: ${names || "none"}`);
  }
  second?.refuse(second.has("name") ? "name" : "preset", `${JSON.stringify(name)} is there twice`);
  return first;
}

/** Its own name, or else its preset's, which is what the preset is named by. */
function nameOf(chain: Reader): string | undefined {
  return chain.textIfAny(chain.has("name") ? "name" : "preset");
}

function startBlock(
  chain: Reader,
  preset: Preset | undefined,
  registries: readonly RegistryAddress[],
): number {
  if (chain.has("start_block")) return chain.integer("start_block");
  if (preset === undefined) return 0;
  const known = firstBlockOf(preset, registries);
  if (known !== undefined) return known;
  return chain.refuse(
    "start_block",
    "is missing: the first block of these registries is not built in, and Ponder does not look " +
      "for it: write the lowest block that has one of their contracts",
  );
}

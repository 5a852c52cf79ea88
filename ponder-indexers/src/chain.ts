// A chain of agentauri.toml, the file that the other processes read, too.
import { readFileSync } from "node:fs";
import { parse, type TomlTable, type TomlValue } from "smol-toml";
import type { Address } from "viem";
import { REGISTRY_NAMES, type RegistryName } from "./registries.ts";

export interface Chain {
  name: string;
  id: number;
  rpcUrls: string[];
  registries: { name: RegistryName; address: Address }[];
  startBlock: number;
  pollIntervalMs: number;
  /** Blocks that a reorg may take back; undefined: the nodes are asked what is final. */
  finalityDepth: number | undefined;
  /** Whether Ponder is the chain's writer, of checkpoint and invalidations, or only inserts. */
  owns: boolean;
}

/** What has to be changed before it can work; the message names file and key, or the variable. */
export class ConfigError extends Error {}

export const CONFIG_FILE_DEFAULT = "agentauri.toml";
const WRITERS = ["chain-indexer", "ponder", "auditor"];
const POLL_INTERVAL_MS_DEFAULT = 1_000;
/** Ponder polls no more often. */
const POLL_INTERVAL_MS_MIN = 100;
const FINALITY_DEPTH_MAX = 1_000_000;

export type Environment = Record<string, string | undefined>;

/** The chain that AGENTAURI_PONDER_CHAIN names, of the file that AGENTAURI_CONFIG names. */
export function chainFromEnvironment(environment: Environment): Chain {
  const file = environment.AGENTAURI_CONFIG || CONFIG_FILE_DEFAULT;
  const name = environment.AGENTAURI_PONDER_CHAIN;
  if (!name) throw new ConfigError("AGENTAURI_PONDER_CHAIN: is not set; it names the chain");
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError(`${file}: cannot be read: ${(error as Error).message}`);
  }
  return chainOf(text, name, file);
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
export function chainOf(text: string, name: string, file: string): Chain {
  const chains = new Reader(file, "", parsed(text, file)).list("chains");
  const all = chains.map((chain, at) => new Reader(file, `chains[${at}].`, chain as TomlTable));
  const found = all.find(chain => chain.text("name") === name);
  if (!found) {
    const names = all.map(chain => chain.text("name")).join(", ");
    throw new ConfigError(`${file}: chains: none is called ${name}; there are: ${names || "none"}`);
  }
  if (found.has("owner")) found.refuse("owner", "`owner` is now `writer`");
  return {
    name,
    id: found.integer("id"),
    rpcUrls: rpcUrls(found),
    registries: registries(found),
    startBlock: found.integer("start_block", 0),
    pollIntervalMs: Math.max(
      found.integer("poll_interval_ms", POLL_INTERVAL_MS_DEFAULT),
      POLL_INTERVAL_MS_MIN,
    ),
    finalityDepth: found.has("finality_depth")
      ? found.integer("finality_depth", undefined, FINALITY_DEPTH_MAX)
      : undefined,
    owns: found.choice("writer", WRITERS, "chain-indexer") === "ponder",
  };
}

export function isWebsocket(url: string): boolean {
  return /^wss?:/.test(url);
}

function parsed(text: string, file: string): TomlTable {
  try {
    return parse(text);
  } catch (error) {
    throw new ConfigError(`${file}: ${(error as Error).message}`);
  }
}

function rpcUrls(chain: Reader): string[] {
  const urls = chain.list("rpc_urls");
  // A URL may hold a key, so it is not quoted.
  const isUrl = (url: TomlValue) =>
    typeof url === "string" && /^(https?|wss?):/.test(url) && URL.canParse(url);
  if (urls.length === 0) chain.refuse("rpc_urls", "is empty, and has to have a URL");
  urls.forEach((url, at) => {
    if (!isUrl(url)) chain.refuse(`rpc_urls[${at}]`, "is not an http, https, ws or wss URL");
  });
  return urls as string[];
}

function registries(chain: Reader): Chain["registries"] {
  const table = chain.table("registries");
  const found = REGISTRY_NAMES.filter(name => table.has(name)).map(name => {
    const address = table.text(name);
    if (!/^0x[0-9a-fA-F]{40}$/.test(address)) {
      table.refuse(name, "is not an address: 0x and 40 hexadecimal digits");
    }
    return { name, address: address.toLowerCase() as Address };
  });
  if (found.length === 0) chain.refuse("registries", "is empty");
  if (new Set(found.map(({ address }) => address)).size < found.length) {
    chain.refuse("registries", "has one address twice");
  }
  return found;
}

/** A table of the file, and where it stands. */
class Reader {
  constructor(
    private readonly file: string,
    private readonly path: string,
    private readonly values: TomlTable,
  ) {}

  has(key: string): boolean {
    return this.values[key] !== undefined;
  }

  text(key: string): string {
    const value = this.required(key);
    return typeof value === "string" ? value : this.refuse(key, "has to be a string");
  }

  choice(key: string, choices: readonly string[], otherwise: string): string {
    const value = this.has(key) ? this.text(key) : otherwise;
    if (!choices.includes(value)) this.refuse(key, `has to be one of ${choices.join(", ")}`);
    return value;
  }

  integer(key: string, otherwise?: number, max = Number.MAX_SAFE_INTEGER): number {
    if (otherwise !== undefined && !this.has(key)) return otherwise;
    const value = this.required(key);
    const isWhole = typeof value === "number" && Number.isSafeInteger(value);
    if (isWhole && value >= 0 && value <= max) return value;
    const most = max === Number.MAX_SAFE_INTEGER ? "2^53 - 1" : max;
    return this.refuse(key, `has to be a whole number from 0 to ${most}`);
  }

  list(key: string): TomlValue[] {
    const value = this.required(key);
    return Array.isArray(value) ? value : this.refuse(key, "has to be a list");
  }

  table(key: string): Reader {
    const value = this.required(key);
    if (typeof value !== "object" || Array.isArray(value) || value instanceof Date) {
      return this.refuse(key, "has to be a table");
    }
    return new Reader(this.file, `${this.path}${key}.`, value);
  }

  refuse(key: string, problem: string): never {
    throw new ConfigError(`${this.file}: ${this.path}${key}: ${problem}`);
  }

  private required(key: string): TomlValue {
    return this.values[key] ?? this.refuse(key, "is missing");
  }
}

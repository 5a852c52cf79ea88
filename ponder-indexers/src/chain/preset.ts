// The public chains with registries of ERC-8004, from the file that the other processes have
// built in.
import { fileURLToPath } from "node:url";
import type { Address } from "viem";
import { readFile } from "../config.ts";
import { addresses, type RegistryAddress } from "./addresses.ts";
import { Reader } from "./reader.ts";

const FILE = fileURLToPath(
  new URL("../../../rust-backend/crates/service/chains.toml", import.meta.url),
);

export interface Preset {
  /** The chain's, unless it has one of its own. */
  name: string;
  id: number;
  registries: RegistryAddress[];
  /** Those that are known. */
  firstBlocks: ReadonlyMap<Address, number>;
  /** Where a registry is to be, and is on no chain yet. */
  reserved: readonly Address[];
}

/** The preset that a chain of the file names. */
export function presetOf(chain: Reader): Preset | undefined {
  if (!chain.has("preset")) return undefined;
  const name = chain.text("preset");
  const all = Reader.of(readFile(FILE), FILE);
  const list = all.list("chains");
  const tables = list.keys().map(key => list.table(key));
  const found = tables.find(table => table.text("name") === name);
  if (found === undefined) {
    const remedy = "`agentauri chains list` names them all";
    return chain.refuse("preset", `is no chain that is built in; ${remedy}`);
  }
  const network = found.text("network");
  const registries = addresses(all.table("registries"), network);
  return {
    name,
    id: found.integer("id"),
    registries,
    firstBlocks: firstBlocks(found, registries),
    reserved: addresses(all.table("reserved"), network).map(({ address }) => address),
  };
}

/** The block from which these registries are read; undefined where one's first is not known. */
export function firstBlockOf(
  { firstBlocks, reserved }: Preset,
  registries: readonly RegistryAddress[],
): number | undefined {
  const deployed = registries.filter(({ address }) => !reserved.includes(address));
  const known = deployed.flatMap(({ address }) => firstBlocks.get(address) ?? []);
  const areKnown = known.length > 0 && known.length === deployed.length;
  return areKnown ? Math.min(...known) : undefined;
}

function firstBlocks(
  preset: Reader,
  registries: readonly RegistryAddress[],
): ReadonlyMap<Address, number> {
  if (!preset.has("first_blocks")) return new Map();
  const blocks = preset.table("first_blocks");
  const known = registries.filter(({ name }) => blocks.has(name));
  return new Map(known.map(({ name, address }) => [address, blocks.integer(name)]));
}

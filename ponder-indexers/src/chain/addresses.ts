// The addresses of a chain's registries.
import { type Address, checksumAddress } from "viem";
import { REGISTRY_NAMES, type RegistryName } from "../registries.ts";
import type { Reader } from "./reader.ts";

export interface RegistryAddress {
  name: RegistryName;
  /** In lower case. */
  address: Address;
}

/** Reads a table of addresses: at least one, no two alike. */
export function addresses(parent: Reader, key: string): RegistryAddress[] {
  const table = parent.table(key);
  table.only(REGISTRY_NAMES);
  const found: RegistryAddress[] = [];
  for (const name of REGISTRY_NAMES.filter(name => table.has(name))) {
    const read = address(table, name);
    if (found.some(other => other.address === read)) {
      table.refuse(name, "is the address of another registry of this chain");
    }
    found.push({ name, address: read });
  }
  if (found.length === 0) {
    parent.refuse(key, `is empty, and has to have one of ${REGISTRY_NAMES.join(", ")}`);
  }
  return found;
}

function address(table: Reader, key: string): Address {
  const text = table.text(key);
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) {
    table.refuse(key, "is not an address: 0x and 40 hexadecimal digits");
  }
  const lower = text.toLowerCase() as Address;
  if (/^0x0*$/.test(lower)) table.refuse(key, "is the zero address, where no contract can be");
  // In one case alone it has no checksum.
  const isChecksummed = /[a-f]/.test(text.slice(2)) && /[A-F]/.test(text);
  if (isChecksummed && text !== checksumAddress(lower)) {
    const reason = "so a digit or a letter's case is wrong: copy it again";
    table.refuse(key, `has a wrong checksum (EIP-55), ${reason}`);
  }
  return lower;
}

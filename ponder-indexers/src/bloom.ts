// The bloom filter of a block's logs (Ethereum Yellow Paper, 4.4.1): no address or topic that is
// in a log is missing in it; one that is in none may be there by chance.
import { type Hex, keccak256 } from "viem";

const BITS = 2048;
const EMPTY = /^0x0*$/;

/** Whether a log of one of the addresses may be in the block. */
export function mayHaveLogsOf(addresses: readonly Hex[], bloom: Hex | null): boolean {
  // Chains without a filter send zeros.
  if (bloom === null || EMPTY.test(bloom)) return true;
  const filter = Buffer.from(bloom.slice(2), "hex");
  return addresses.some(address => has(filter, address));
}

function has(filter: Buffer, address: Hex): boolean {
  const hash = Buffer.from(keccak256(address).slice(2), "hex");
  return [0, 2, 4].every(pair => {
    const bit = hash.readUInt16BE(pair) % BITS;
    const byte = filter[filter.length - 1 - (bit >> 3)] ?? 0;
    return (byte & (1 << (bit & 7))) !== 0;
  });
}

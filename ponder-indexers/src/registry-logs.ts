// The logs of the registries, whole and raw. Ponder's own log sources drop without a word what
// does not decode, and know no log without topics.
import type { Address, Hex, RpcLog } from "viem";
import { mayHaveLogsOf } from "./bloom.ts";

/** Asks the chain's nodes, with Ponder's rate limits and retries. */
export type Ask = (method: string, params: unknown[]) => Promise<unknown>;

export interface Block {
  number: bigint;
  hash: Hex;
  logsBloom: Hex | null;
}

/** In their order. A block that was replaced meanwhile has none, or is an error. */
export async function logsOfBlock(
  addresses: readonly Address[],
  block: Block,
  ask: Ask,
): Promise<RpcLog[]> {
  if (!mayHaveLogsOf(addresses, block.logsBloom)) return [];
  const filter = { address: addresses, blockHash: block.hash };
  const logs = (await ask("eth_getLogs", [filter])) as RpcLog[];
  if (logs.some(log => log.blockHash !== block.hash)) {
    throw new Error(`asked for the logs of block ${block.hash}, a node sent others`);
  }
  return checked(addresses, logs);
}

/** Of blocks that are settled, in their order. A range beyond a node's limits is halved. */
export async function logsOfRange(
  addresses: readonly Address[],
  from: number,
  to: number,
  ask: Ask,
): Promise<RpcLog[]> {
  const filter = { address: addresses, fromBlock: quantity(from), toBlock: quantity(to) };
  let logs: RpcLog[];
  try {
    logs = (await ask("eth_getLogs", [filter])) as RpcLog[];
  } catch (error) {
    if (from === to) throw error;
    const middle = Math.floor((from + to) / 2);
    const lower = await logsOfRange(addresses, from, middle, ask);
    return lower.concat(await logsOfRange(addresses, middle + 1, to, ask));
  }
  if (logs.some(log => Number(log.blockNumber) < from || Number(log.blockNumber) > to)) {
    throw new Error(`asked for the logs of blocks ${from} to ${to}, a node sent others`);
  }
  return checked(addresses, logs);
}

function quantity(number: number): Hex {
  return `0x${number.toString(16)}`;
}

/** Refuses what no honest node sends. */
function checked(addresses: readonly Address[], logs: RpcLog[]): RpcLog[] {
  let before: readonly [number, number] = [-1, -1];
  for (const log of logs) {
    const place = [Number(log.blockNumber), Number(log.logIndex)] as const;
    const isNext = place[0] > before[0] || (place[0] === before[0] && place[1] > before[1]);
    const isOurs = addresses.includes(log.address.toLowerCase() as Address);
    if (!isNext || !isOurs || log.removed || log.blockHash === null) {
      const what = `log ${log.logIndex} of ${log.address} in block ${log.blockNumber}`;
      throw new Error(`a node sent ${what}, which was not asked for, is removed or out of order`);
    }
    before = place;
  }
  return logs;
}

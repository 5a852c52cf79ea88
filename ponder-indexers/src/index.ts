// What Ponder does with each block: it stores the registries' logs, and then that it passed it.
import { setTimeout as delay } from "node:timers/promises";
import { type Context, ponder } from "ponder:registry";
import { cursor, registryEvent, unread } from "ponder:schema";
import { sql } from "ponder";
import type { Address, Hex, RpcLog } from "viem";
import { mayHaveLogsOf } from "./bloom.ts";
import { askedUrls } from "./chain/rpc-url.ts";
import { chainFromEnvironment, liveFromEnvironment } from "./chain.ts";
import { type BlockOfLog, eventRow } from "./event-row.ts";
import { rangeStart } from "./history.ts";
import { type Ask, type Block, logsOfBlock, logsOfRange } from "./registry-logs.ts";
import { placeOf, untilReplaced } from "./replaced.ts";
import { say } from "./say.ts";
import { fromText, toText } from "./unread.ts";

/**
 * How long a block waits for its logs: its transaction is open, and until it ends nobody's newer
 * events are judged. Then the process ends, and is started again.
 */
const ANSWER_MS_MAX = 15_000;
const ASK_AGAIN_MS = 250;

const chain = chainFromEnvironment(process.env);
const addresses = chain.registries.map(({ address }) => address);
const rpcUrls = askedUrls(chain.rpcUrls);
const registryAt = new Map(chain.registries.map(({ name, address }) => [address, name]));

ponder.on("registries:setup", async ({ context }) => {
  await context.db.sql.execute(sql`SELECT public.ponder_attach(${process.env.DATABASE_SCHEMA})`);
});

if (liveFromEnvironment(process.env) > chain.startBlock) {
  ponder.on("history:block", async ({ event: { block }, context }) => {
    const ask = asking(context);
    const end = Number(block.number);
    const logs = await logsOfRange(addresses, rangeStart(chain.startBlock, end), end, ask);
    const blocks = await blocksOf(logs, ask);
    await store(context, block, logs, log => blocks.get(log.blockHash as Hex) as BlockOfLog);
  });
}

ponder.on("everyBlock:block", async ({ event: { block }, context }) => {
  const row = await context.db.find(unread, { chainId: chain.id });
  const before = row === null ? [] : fromText(row.blocks);
  const blocks = [...before, block];
  const deadline = performance.now() + ANSWER_MS_MAX;
  let read = 0;
  for (const next of blocks) {
    const logs = await logsUnlessReplaced(next, asking(context), deadline - performance.now());
    if (logs === undefined) {
      // The blocks above stand on it.
      const { number, hash } = next;
      say("Let go of a block that was replaced", {
        chain: chain.name,
        number: Number(number),
        hash,
      });
      break;
    }
    // Writes the cursor, so that the trigger on it sees each of the blocks pass.
    if (read > 0) await context.db.sql.select().from(cursor);
    await store(context, next, logs, () => next);
    read++;
  }
  if (before.length === 0 && read === blocks.length) return;
  const left = { blocks: toText(blocks.slice(read)) };
  await context.db
    .insert(unread)
    .values({ chainId: chain.id, ...left })
    .onConflictDoUpdate(left);
});

/** Undefined where the nodes show that the block is not on their chain. */
async function logsUnlessReplaced(
  block: Block,
  ask: Ask,
  ms: number,
): Promise<RpcLog[] | undefined> {
  const ended = new AbortController();
  const replaced = untilReplaced(rpcUrls, block, ended.signal).then(() => undefined);
  // Ended by us, once there is an answer.
  replaced.catch(() => undefined);
  try {
    return await within(ms, Promise.race([logsOnceThere(block, ask, ended.signal), replaced]));
  } finally {
    ended.abort();
  }
}

/** Where its bloom filter promises logs, that there are none counts from a node that has it. */
async function logsOnceThere(block: Block, ask: Ask, signal: AbortSignal): Promise<RpcLog[]> {
  for (;;) {
    const logs = await logsOfBlock(addresses, block, ask);
    if (logs.length > 0 || !mayHaveLogsOf(addresses, block.logsBloom)) return logs;
    if ((await placeOf(rpcUrls, block)) === "there") return logs;
    await delay(ASK_AGAIN_MS, undefined, { signal });
  }
}

async function store(
  context: Context,
  passed: BlockOfLog & { parentHash: Hex },
  logs: RpcLog[],
  blockOf: (log: RpcLog) => BlockOfLog,
): Promise<void> {
  const rows = logs.map(log => {
    const registry = registryAt.get(log.address.toLowerCase() as Address);
    if (registry === undefined) throw new Error(`${log.address} is no registry`);
    return eventRow(chain.id, registry, blockOf(log), log);
  });
  if (rows.length > 0) await context.db.insert(registryEvent).values(rows);
  const place = {
    blockNumber: Number(passed.number),
    blockHash: passed.hash,
    parentHash: passed.parentHash,
    timestamp: Number(passed.timestamp),
  };
  await context.db
    .insert(cursor)
    .values({ chainId: chain.id, ...place })
    .onConflictDoUpdate(place);
}

/** By hash. Most nodes write the time of a block on its logs; the others are asked for it. */
async function blocksOf(logs: RpcLog[], ask: Ask): Promise<Map<Hex, BlockOfLog>> {
  const ofEach = new Map(logs.map(log => [log.blockHash as Hex, log]));
  const blocks = await Promise.all(
    Array.from(ofEach, async ([hash, log]): Promise<[Hex, BlockOfLog]> => {
      const number = BigInt(log.blockNumber as Hex);
      const { blockTimestamp } = log as { blockTimestamp?: Hex };
      return [hash, { number, hash, timestamp: BigInt(blockTimestamp ?? (await timeOf(hash))) }];
    }),
  );
  return new Map(blocks);

  async function timeOf(hash: Hex): Promise<Hex> {
    const block = (await ask("eth_getBlockByHash", [hash, false])) as { timestamp: Hex } | null;
    if (block === null) throw new Error(`a node sent logs of block ${hash}, and does not know it`);
    return block.timestamp;
  }
}

function asking(context: Context): Ask {
  return (method, params) => context.client.request({ method, params } as never);
}

async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  const timeout = new AbortController();
  const late = delay(ms, undefined, { signal: timeout.signal }).then(() => {
    throw new Error(`no node has answered within ${ms} ms`);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    timeout.abort();
  }
}

// That hostile logs come onto the chain as they were drawn, however late the node mines.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  logsOf,
  type PrivateChain,
  type RawLog,
  startChain,
} from "../../devnet/test/private-chain.ts";
import { emit, emitHostileLogs, HOSTILE } from "./hostile-logs.ts";
import { eventually } from "./patience.ts";

/** A caller that did not wait would have gone on after so many more answers of the node. */
const ANSWERS = 5;

test("emit returns only once its log is mined", async t => {
  const chain = await withoutMining(t);
  let hasReturned = false;
  const log: RawLog = { address: HOSTILE.identity, topics: [], data: "0x0102" };
  const emitted = emit(chain, log).then(() => {
    hasReturned = true;
  });
  await untilWaiting(chain);
  assert.equal(hasReturned, false);
  await chain.node.mine();
  await emitted;
});

test("every hostile log is emitted as drawn, however late blocks come", async t => {
  const chain = await withoutMining(t);
  const first = Number(await chain.anvil.rpc.ask("eth_blockNumber")) + 1;
  let isDone = false;
  const emitted = emitHostileLogs(chain, 3).finally(() => {
    isDone = true;
  });
  while (!isDone) {
    await untilWaiting(chain, () => isDone);
    await chain.node.mine();
  }
  const drawn = await emitted;
  const last = Number(await chain.anvil.rpc.ask("eth_blockNumber"));
  assert.deepEqual(await logsOf(chain, first, last), drawn);
});

async function withoutMining(t: TestContext): Promise<PrivateChain> {
  const chain = await startChain("--gas-limit", "1000000000");
  t.after(() => chain.anvil.end());
  await chain.node.setAutomine(false);
  return chain;
}

/** Until a transaction waits to be mined, and whoever sent it has long been told so. */
async function untilWaiting(chain: PrivateChain, orElse = () => false): Promise<void> {
  const isWaiting = async () => {
    const { pending } = await chain.anvil.rpc.ask<{ pending: string }>("txpool_status");
    return Number(pending) > 0 || orElse();
  };
  await eventually("a transaction waits", isWaiting);
  for (let answers = 0; answers < ANSWERS; answers++) await isWaiting();
}

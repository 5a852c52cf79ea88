// What is safe and final on a chain whose writer is Ponder.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "./patience.ts";
import { NodeProxy } from "./proxy.ts";
import { type Head, type Process, type Store, untilHead, World } from "./world.ts";

let world: World;
before(async () => {
  world = await World.start();
  await world.traffic(1, 40, 4);
  await world.mine(10);
  await world.chain.node.setAutomine(false);
});
after(async () => world?.end());

test("what the nodes call safe and finalized is reported, and rises with the chain", async () => {
  await withPonder("tags", [], async ({ ponder, store }) => {
    for (const blocks of [80, 5]) {
      await world.mine(blocks);
      const [safeNow, finalizedNow] = [await tagged("safe"), await tagged("finalized")];
      await eventually("both are reported", async () => {
        assert.ok(!ponder.hasEnded, ponder.tail);
        return (
          (await safe(store)) === safeNow.number &&
          (await finalized(store))?.number === finalizedNow.number
        );
      });
      assert.deepEqual(await finalized(store), finalizedNow);
      assert.equal(await loggedSafe(store), safeNow.number);
    }
    assert.deepEqual(await heightsWithoutTime(store), []);
  });
});

test("where the operator says a depth, it counts, and the nodes are not asked", async () => {
  await withPonder("depth", ["finality_depth = 5"], async ({ proxy, ponder, store }) => {
    let asked = 0;
    proxy.answer = ({ params: [block] }) => {
      if (block === "safe" || block === "finalized") asked++;
      return undefined;
    };
    await world.mine(10);
    const head = await untilHead(world, [() => store.checkpoint()], [ponder]);
    await eventually("it is reported", async () => {
      return (await finalized(store))?.number === head.number - 5;
    });
    assert.equal(await safe(store), undefined);
    assert.equal(asked, 0);
  });
});

test("a reorg sets the safe block back to its fork; a silent node changes nothing", async () => {
  await withPonder("reorg", [], async ({ proxy, ponder, store }) => {
    // Safe is the head itself, as on no real chain.
    let isSilent = false;
    proxy.answer = async ({ method, params: [block] }) => {
      if (method !== "eth_getBlockByNumber" || block !== "safe") return undefined;
      if (isSilent) return { error: { code: -32602, message: "unknown block tag" } };
      return { result: await world.chain.anvil.rpc.ask(method, ["latest", false]) };
    };
    await world.mine(4);
    const head = await untilHead(world, [() => store.checkpoint()], [ponder]);
    await eventually("the head is safe", async () => (await safe(store)) === head.number);
    isSilent = true;
    await eventually("the silence is told", async () => ponder.output.includes("Cannot report"));
    await world.reorganise(3);
    await world.mineOneEvent();
    await untilHead(world, [() => store.checkpoint()], [ponder]);
    assert.equal(await safe(store), head.number - 3);
    assert.equal(await loggedSafe(store), head.number - 3);
    assert.deepEqual(await heightsWithoutTime(store), []);
  });
});

interface Scene {
  proxy: NodeProxy;
  ponder: Process;
  store: Store;
}

/** Ponder at the head of the chain whose writer it is, which it reads through a proxy. */
async function withPonder(
  name: string,
  lines: string[],
  play: (scene: Scene) => Promise<void>,
): Promise<void> {
  const proxy = await NodeProxy.start(world.chain.anvil.url);
  const { url, store } = await world.database(name);
  const urls = Array.from({ length: 16 }, (_, at) => `"${proxy.url}/?${at}"`);
  const startBlock = `start_block = ${(await world.head()).number - 5}`;
  const written = ['writer = "ponder"', `rpc_urls = [${urls}]`, startBlock, ...lines];
  const ponder = world.ponder(world.config(`${name}.toml`, ...written), url);
  try {
    await untilHead(world, [() => store.checkpoint()], [ponder]);
    // Beyond what was history at the start.
    await world.mine(1);
    await untilHead(world, [() => store.checkpoint()], [ponder]);
    await play({ proxy, ponder, store });
  } finally {
    await ponder.kill();
    await store.close();
    await proxy.end();
  }
}

async function tagged(tag: string): Promise<Head> {
  const params = [tag, false];
  const block = await world.chain.anvil.rpc.ask<{ number: string; hash: string }>(
    "eth_getBlockByNumber",
    params,
  );
  return { number: Number(block.number), hash: block.hash };
}

async function safe(store: Store): Promise<number | undefined> {
  const [row] = await store.rows("SELECT block_number FROM chain_heights WHERE kind = 'safe'");
  return row && Number(row.block_number);
}

async function finalized(store: Store): Promise<Head | undefined> {
  const [row] = await store.rows(
    `SELECT block_number, block_hash FROM chain_heights
     WHERE kind = 'finalized' AND NOT is_guess`,
  );
  return row && { number: Number(row.block_number), hash: row.block_hash as string };
}

/** Entries of the log that lack their block's time. */
async function heightsWithoutTime(store: Store): Promise<unknown[]> {
  return store.rows(
    `SELECT checkpoint_block, safe_block, finalized_block FROM event_log
     WHERE coalesce(checkpoint_block, safe_block, finalized_block) >= 0 AND block_time IS NULL`,
  );
}

/** What the chain's log says last. */
async function loggedSafe(store: Store): Promise<number | undefined> {
  const [row] = await store.rows(
    `SELECT safe_block FROM event_log WHERE safe_block IS NOT NULL
     ORDER BY xid DESC, seq DESC LIMIT 1`,
  );
  return row && Number(row.safe_block);
}

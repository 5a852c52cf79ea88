// Blocks that are replaced while Ponder reads them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { placeOf } from "../src/replaced.ts";
import { fromText, toText } from "../src/unread.ts";
import { eventually } from "./patience.ts";
import { NodeProxy, type Question } from "./proxy.ts";
import { type Head, type Process, type Store, untilHead, World } from "./world.ts";

const UNKNOWN_BLOCK = { error: { code: -32001, message: "unknown block" } };

let world: World;
before(async () => {
  world = await World.start();
  await world.traffic(1, 40, 4);
  await world.mine(10);
  await world.chain.node.setAutomine(false);
});
after(async () => world?.end());

test("a block that is replaced while its logs are asked for is let go of", async () => {
  await withPonder(async ({ proxy, ponder, store }) => {
    const [asked, replaced] = [gate(), gate()];
    const orphan = await nextBlock(proxy, ({ hash }) => {
      proxy.answer = async question => {
        if (!asksForLogsOf(question, hash)) return undefined;
        asked.open();
        // The node is asked once it has another block there, and answers for itself.
        await replaced.opened;
        return undefined;
      };
    });
    await asked.opened;
    await world.reorganise(1);
    replaced.open();
    await world.mineOneEvent();
    const head = await untilHead(world, [() => store.checkpoint()], [ponder]);
    assert.ok(head.number > orphan.number);
    assert.deepEqual(await store.validIds(), await world.canonicalIds());
    const orphans = await store.rows("SELECT FROM events WHERE block_hash = $1", orphan.hash);
    assert.equal(orphans.length, 0, "it was never read");
    assert.match(ponder.output, /Let go of a block.*"number":\d+/);
  });
});

test("a block is let go of, too, when the chain has become shorter than it", async () => {
  await withPonder(async ({ proxy, ponder, store }) => {
    const [asked, gone] = [gate(), gate()];
    await nextBlock(proxy, ({ hash }) => {
      proxy.answer = async question => {
        if (!asksForLogsOf(question, hash)) return undefined;
        asked.open();
        await gone.opened;
        return undefined;
      };
    });
    await asked.opened;
    await world.chain.anvil.rpc.ask("anvil_rollback", [1]);
    gone.open();
    // Which it can follow only once it has let go, and no block has taken the place.
    await eventually("the reorg is followed", async () => ponder.output.includes("Reorged block"));
    await world.mineOneEvent();
    await untilHead(world, [() => store.checkpoint()], [ponder]);
    assert.deepEqual(await store.validIds(), await world.canonicalIds());
  });
});

test("events of a block let go of are there once the chain flips back to it", async () => {
  await withPonder(async ({ proxy, ponder, store, restart }) => {
    const passed = await store.checkpoint();
    const first = await nextBlock(proxy, head => flipAway(proxy, head));
    await eventually("it is let go of", async () => (await unread(store)).length === 1);
    // What stands on it waits, too, through a restart; nothing says that they are passed.
    await world.mineOneEvent();
    await eventually("so is the next one", async () => (await unread(store)).length === 2);
    assert.deepEqual(await store.checkpoint(), passed);
    assert.ok(!ponder.hasEnded, ponder.tail);
    const again = await restart();
    await eventually("it is where it was", async () => (await unread(store)).length === 2);
    assert.deepEqual(await store.checkpoint(), passed);

    proxy.answer = () => undefined;
    await world.mineOneEvent();
    await untilHead(world, [() => store.checkpoint()], [again]);
    assert.deepEqual(await store.validIds(), await world.canonicalIds());
    assert.deepEqual(await unread(store), []);
    const heights = await store.rows<{ block_number: string }>(
      "SELECT block_number FROM observed_blocks WHERE block_number >= $1 ORDER BY 1",
      first.number,
    );
    assert.deepEqual(
      heights.map(row => Number(row.block_number) - first.number),
      [0, 1, 2],
      "each is remembered, so that a reorg of it is seen",
    );
    // A reorg puts back what it undoes: the first is unread again, and is read on the other branch.
    await world.reorganise(2);
    await world.mineOneEvent();
    await untilHead(world, [() => store.checkpoint()], [again]);
    assert.deepEqual(await store.validIds(), await world.canonicalIds());
  });
});

test("that no node answers does not mean that a block is gone", async () => {
  await withPonder(async ({ proxy, ponder, store }) => {
    const passed = await store.checkpoint();
    await nextBlock(proxy, ({ hash }) => {
      let isDown = false;
      proxy.answer = question => {
        isDown ||= asksForLogsOf(question, hash);
        if (isDown) throw new Error("down");
        return undefined;
      };
    });
    assert.notEqual(await ponder.ended(), 0);
    assert.match(ponder.output, /no node has answered within/);
    assert.deepEqual(await store.checkpoint(), passed);
    assert.deepEqual(await unread(store), []);
  });
});

test("of several nodes one that has the block counts, and one that is down does not", async () => {
  const block = await world.head();
  const named = { number: BigInt(block.number), hash: block.hash as `0x${string}` };
  const [other, shorter, down] = await Promise.all(
    [1, 2, 3].map(() => NodeProxy.start(world.chain.anvil.url)),
  );
  assert.ok(other && shorter && down);
  other.answer = () => ({ result: { hash: `0x${"ab".repeat(32)}` } });
  shorter.answer = () => ({ result: null });
  down.answer = () => {
    throw new Error("down");
  };
  const cases = [
    [[other.url, world.chain.anvil.url, shorter.url], "there"],
    [[shorter.url, other.url, down.url], "replaced"],
    [[down.url, shorter.url], "absent"],
    [[down.url], "nobody answered"],
  ] as const;
  const plain = (url: string) => ({ url, headers: {}, hasValues: false });
  for (const [urls, place] of cases) assert.equal(await placeOf(urls.map(plain), named), place);
  for (const proxy of [other, shorter, down]) await proxy.end();
});

test("blocks that wait are kept in their order, and not more than a reorg can hold", () => {
  const blocks = Array.from({ length: 257 }, (_, at) => {
    const hash = `0x${String(at).padStart(64, "0")}` as const;
    return { number: BigInt(at), hash, parentHash: hash, timestamp: 7n };
  });
  const kept = fromText(toText(blocks.slice(1)));
  assert.deepEqual(
    kept,
    blocks.slice(1).map(block => ({ ...block, logsBloom: null })),
  );
  assert.throws(() => toText(blocks), /257 blocks stand on block 0 /);
});

interface Scene {
  proxy: NodeProxy;
  ponder: Process;
  store: Store;
  restart(): Promise<Process>;
}

/** Ponder at the head of the chain, which it reads through a proxy. */
async function withPonder(play: (scene: Scene) => Promise<void>): Promise<void> {
  const proxy = await NodeProxy.start(world.chain.anvil.url);
  const { url, store } = await world.database(`replaced-${new URL(proxy.url).port}`);
  const urls = Array.from({ length: 16 }, (_, at) => `"${proxy.url}/?${at}"`);
  const config = world.config("replaced.toml", 'writer = "ponder"', `rpc_urls = [${urls}]`);
  const ponder = world.ponder(config, url);
  const all = [ponder];
  const restart = async () => {
    await ponder.kill();
    const again = world.ponder(config, url);
    all.push(again);
    return again;
  };
  try {
    await untilHead(world, [() => store.checkpoint()], [ponder]);
    // Beyond what was history at the start.
    await world.mine(1);
    await untilHead(world, [() => store.checkpoint()], [ponder]);
    await play({ proxy, ponder, store, restart });
  } finally {
    for (const process of all) await process.kill();
    await store.close();
    await proxy.end();
  }
}

/** Mines a block with an event. Nobody hears of it until `prepare` has set the scene for it. */
async function nextBlock(proxy: NodeProxy, prepare: (head: Head) => void): Promise<Head> {
  const prepared = gate();
  proxy.answer = async question => {
    await prepared.opened;
    // By the scene that is set now: a question from before it may be about the new block, too.
    return proxy.answer(question);
  };
  await world.mineOneEvent();
  const head = await world.head();
  prepare(head);
  prepared.open();
  return head;
}

function gate(): { opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>(resolve => {
    open = resolve;
  });
  return { opened, open };
}

/** The node is on another branch from the block on, but still announces this one. */
function flipAway(proxy: NodeProxy, from: Head): void {
  proxy.answer = async question => {
    const [first] = question.params;
    if (question.method === "eth_getLogs") return UNKNOWN_BLOCK;
    if (question.method !== "eth_getBlockByNumber" || !isNumber(first)) return undefined;
    if (question.params[1] !== false || Number(first) < from.number) return undefined;
    return { result: { number: first, hash: `0x${"cd".repeat(32)}` } };
  };
}

function isNumber(block: unknown): boolean {
  return typeof block === "string" && block.startsWith("0x");
}

function asksForLogsOf({ method, params: [filter] }: Question, hash: string): boolean {
  return method === "eth_getLogs" && (filter as { blockHash?: string }).blockHash === hash;
}

/** The blocks that wait in the current schema. */
async function unread(store: Store): Promise<unknown[]> {
  const [schema] = await store.rows<{ schema_name: string }>(
    "SELECT schema_name FROM ponder_schemas WHERE status = 'current'",
  );
  const [row] = await store.rows<{ blocks: string }>(
    `SELECT blocks FROM "${schema?.schema_name}".unread`,
  );
  return row === undefined ? [] : JSON.parse(row.blocks);
}

// Nodes that want a key: how they are asked, and that the key is said to nobody else.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how the file names a variable
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { after, before, test } from "node:test";
import { inspect } from "node:util";
import { Reader } from "../src/chain/reader.ts";
import { type RpcUrl, rpcUrls } from "../src/chain/rpc-url.ts";
import { blockAt } from "../src/node.ts";
import { nodesInTurn, transportOf } from "../src/transport.ts";
import { eventually } from "./patience.ts";
import { NodeProxy } from "./proxy.ts";
import { untilHead, World } from "./world.ts";

const KEYS = { KEY: "0123456789abcdef", TOKEN: "t0ken-of-a-node", PASSWORD: "p@ss:w0rd" };
const BASIC = `Basic ${Buffer.from(`me:${KEYS.PASSWORD}`).toString("base64")}`;
const OTHER_CHAIN = '[[chains]]\npreset = "base"\nrpc_urls = ["https://a.example/${NOT_SET}"]\n';

let world: World;
before(async () => {
  world = await World.start();
  await world.traffic(1, 40, 4);
  await world.mine(10);
});
after(async () => world?.end());

test("nodes that want a path, a header or a password are read, beside other chains", async () => {
  await withDoors(async ([first, second]) => {
    const { url, store } = await world.database("keys");
    const config = world.config(
      "keys.toml",
      'preset = "sepolia"',
      'writer = "ponder"',
      `rpc_urls = [${written(first)}, ${withPassword(second)}]`,
    );
    writeFileSync(config, OTHER_CHAIN + readFileSync(config, "utf8"));
    world.environment = KEYS;
    const ponder = world.ponder(config, url);
    try {
      await untilHead(world, [() => store.checkpoint()], [ponder]);
      assert.deepEqual([first.refused, second.refused], [0, 0]);
      first.isAway = true;
      await world.traffic(2, 20, 2);
      await untilHead(world, [() => store.checkpoint()], [ponder]);
      assert.ok(first.refused > 0, "it was asked");
      assert.equal(second.refused, 0);
      assert.deepEqual(await store.validIds(), await world.canonicalIds());
      const health = world.ponder(config, url, "health");
      assert.equal(await health.ended(), 0, health.tail);
      second.isAway = true;
      const unhealthy = world.ponder(config, url, "health");
      assert.equal(await unhealthy.ended(), 1);
      assert.match(unhealthy.output, /Status: 401/);
      for (const { output } of [ponder, health, unhealthy]) assertNoKey(output);
    } finally {
      await ponder.kill();
      await store.close();
    }
  });
});

test("a chain may have websockets alone", async () => {
  const proxy = await NodeProxy.start(world.chain.anvil.url);
  const { url, store } = await world.database("websockets");
  const node = proxy.url.replace("http://", "ws://me:${PASSWORD}@");
  const urls = `rpc_urls = ["${node}/\${KEY}"]`;
  world.environment = KEYS;
  const ponder = world.ponder(world.config("websockets.toml", 'writer = "ponder"', urls), url);
  const nextHead = async () => {
    const passed = (await store.checkpoint())?.number ?? 0;
    await eventually("it hears of a head", async () => {
      await world.mine(1);
      return ponder.hasEnded || ((await store.checkpoint())?.number ?? 0) > passed;
    });
  };
  try {
    // It begins with the next head that it hears of.
    await eventually("it is there", async () => ponder.output.includes("Started live indexing"));
    await nextHead();
    await untilHead(world, [() => store.checkpoint()], [ponder]);
    await proxy.cut();
    const before = proxy.tunnels.length;
    await eventually("it asks again", async () => proxy.tunnels.length >= before + 2);
    await world.traffic(3, 20, 2);
    await nextHead();
    await untilHead(world, [() => store.checkpoint()], [ponder]);
    assert.deepEqual(await store.validIds(), await world.canonicalIds());
    assertNoKey(ponder.output);
  } finally {
    await ponder.kill();
    await store.close();
    await proxy.end();
  }
});

test("a node that fails passes the question on, and is asked last from then on", async () => {
  await withDoors(async ([first, second]) => {
    const node = nodesInTurn(read(`${written(first)}, ${withPassword(second)}`))({});
    const ask = () => node.request({ method: "eth_chainId" });
    assert.equal(await ask(), "0x7a69");
    assert.deepEqual([first.admitted, second.admitted], [1, 0]);
    first.isAway = true;
    await Promise.all([ask(), ask(), ask()]);
    first.isAway = false;
    await ask();
    assert.deepEqual([first.admitted, second.admitted], [1, 4]);
    second.isAway = true;
    await ask();
    first.isAway = true;
    await assert.rejects(ask, { status: 401 });
  });
});

test("headers are not sent to where a node redirects", async () => {
  await withDoors(async ([first, second]) => {
    const [url] = read(written(first));
    assert.ok(url);
    first.proxy.redirect = second.proxy.url;
    await assert.rejects(blockAt(url, "finalized"), { status: 307 });
    assert.equal(second.admitted + second.refused, 0);
  });
});

test("no error quotes a key, whatever its URL is for", async () => {
  const urls = [
    '"http://127.0.0.1:1/v3/${KEY}?k=${TOKEN}"',
    '"http://me:${PASSWORD}@127.0.0.1:1/${KEY}"',
    '{ url = "http://127.0.0.1:1/", headers = { authorization = "Bearer ${TOKEN}" } }',
    '"ws://me:${PASSWORD}@127.0.0.1:1/${KEY}?${TOKEN}"',
  ];
  for (const rpcUrl of read(urls.join())) {
    const node = transportOf(rpcUrl, { retryCount: 0 })({});
    const error = await node.request({ method: "eth_chainId" }).catch(error => error);
    assert.ok(error instanceof Error);
    assertNoKey(inspect(error, { depth: 9, showHidden: true }));
  }
});

test("a websocket that was lost is made anew, and its URL is told to nobody", async () => {
  const told: string[] = [];
  const original = console.error;
  console.error = (...words) => told.push(inspect(words, { depth: 9 }));
  const door = await NodeProxy.start(world.chain.anvil.url);
  try {
    const url = door.url.replace("http://", "ws://me:${PASSWORD}@");
    const [rpcUrl] = read(`"${url}/\${KEY}"`);
    assert.ok(rpcUrl);
    assert.equal((await blockAt(rpcUrl, 0n))?.number, 0);
    assert.deepEqual(door.tunnels.length, 1);
    const [{ headers, url: path } = assert.fail()] = door.tunnels;
    assert.deepEqual([headers.authorization, path], [BASIC, `/${KEYS.KEY}`]);
    await door.cut();
    await assert.rejects(blockAt(rpcUrl, 0n));
    assert.equal((await blockAt(rpcUrl, 0n))?.number, 0);
    assert.equal(door.tunnels.length, 2);
  } finally {
    await door.end();
    console.error = original;
  }
  assert.deepEqual(told, []);
});

/** A node that wants keys. */
class Door {
  isAway = false;
  admitted = 0;
  refused = 0;

  constructor(
    readonly proxy: NodeProxy,
    fits: (request: IncomingMessage) => boolean,
  ) {
    proxy.admits = request => {
      const isAdmitted = !this.isAway && fits(request);
      if (isAdmitted) this.admitted++;
      else this.refused++;
      return isAdmitted;
    };
  }
}

/** The first wants a path and a header, the second a password. */
async function withDoors(play: (doors: [Door, Door]) => Promise<void>): Promise<void> {
  const start = () => NodeProxy.start(world.chain.anvil.url);
  const [first, second] = await Promise.all([start(), start()]);
  const token = `Token ${KEYS.TOKEN}`;
  try {
    await play([
      new Door(first, ({ url, headers }) => {
        return url === `/v3/${KEYS.KEY}` && headers["x-token"] === token;
      }),
      new Door(second, ({ url, headers }) => url === "/" && headers.authorization === BASIC),
    ]);
  } finally {
    await Promise.all([first.end(), second.end()]);
  }
}

function written({ proxy }: Door): string {
  return `{ url = "${proxy.url}/v3/\${KEY}", headers = { X-Token = "Token \${TOKEN}" } }`;
}

function withPassword({ proxy }: Door): string {
  return `"${proxy.url.replace("//", "//me:${PASSWORD}@")}"`;
}

function read(urls: string): RpcUrl[] {
  return rpcUrls(Reader.of(`rpc_urls = [${urls}]`, "f.toml"), KEYS);
}

function assertNoKey(text: string): void {
  const secrets = [...Object.values(KEYS), encodeURIComponent(KEYS.PASSWORD), BASIC.slice(6)];
  for (const secret of secrets) assert.ok(!text.includes(secret), text);
}

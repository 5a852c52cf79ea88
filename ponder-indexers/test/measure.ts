// Command: how fast rows arrive, beside our own indexer on the same chain. Figures on stdout.
//
//   npm run measure -- [--samples N] [--events N] [--chain-indexer FILE]
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import pg from "pg";
import { eventually } from "./patience.ts";
import { type Process, untilHead, World } from "./world.ts";

const { values } = parseArgs({
  options: {
    samples: { type: "string", default: "200" },
    events: { type: "string", default: "20000" },
    "chain-indexer": { type: "string" },
  },
});
const world = await World.start();
if (values["chain-indexer"]) world.chainIndexer = values["chain-indexer"];
const http = world.chain.anvil.url;
const ponder = ['owner = "ponder"', `rpc_urls = ["${http}"]`];
const bySocket = ['owner = "ponder"', `rpc_urls = ["${http}", "${http.replace("http", "ws")}"]`];
try {
  await world.traffic(1, Number(values.events), 100);
  await world.mine(300);
  await backfill("chain-indexer", (config, url) => world.indexer(config, url), []);
  await backfill("Ponder", (config, url) => world.ponder(config, url), ponder);
  await latency("chain-indexer, polling every 20 ms", (config, url) => world.indexer(config, url));
  await latency("Ponder, polling every 100 ms", (config, url) => world.ponder(config, url), ponder);
  await latency("Ponder, by websocket", (config, url) => world.ponder(config, url), bySocket);
} finally {
  await world.end();
}

type Start = (config: string, url: string) => Process;

/** From a fresh process to the head of a long chain. */
async function backfill(name: string, start: Start, lines: string[]): Promise<void> {
  const { url, store } = await world.database(`backfill of ${name}`);
  const began = performance.now();
  const process = start(world.config("backfill.toml", ...lines), url);
  const seconds = () => (performance.now() - began) / 1_000;
  let count = 0;
  await eventually("every event is there", async () => {
    const [row] = await store.rows("SELECT count(*) FROM events");
    count = Number(row?.count);
    return count >= Number(values.events);
  });
  const all = seconds();
  await untilHead(world, [() => store.checkpoint()], [process]);
  const figures = { events: count, secondsToAllEvents: all, secondsToHead: seconds() };
  show(`backfill, ${name}`, { ...figures, eventsPerSecond: count / all });
  await process.kill("SIGTERM");
  await store.close();
}

/** From a block that is mined to its row, heard of at the commit. */
async function latency(name: string, start: Start, lines: string[] = []): Promise<void> {
  const { url, store } = await world.database(`latency of ${name}`);
  let block = (await world.head()).number;
  const config = world.config("latency.toml", `start_block = ${block}`, ...lines);
  const process = start(config, url);
  // By websocket Ponder asks for nothing until it hears of a block.
  await eventually("the start block is there", async () => {
    await world.mine(1);
    block += 1;
    await delay(500);
    return (await store.checkpoint()) !== undefined;
  });
  await untilHead(world, [() => store.checkpoint()], [process]);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("LISTEN new_event");
  const heard = new Map<number, number>();
  client.on("notification", ({ payload = "{}" }) => {
    const { block_number } = JSON.parse(payload);
    if (!heard.has(block_number)) heard.set(block_number, performance.now());
  });
  const mined = new Map<number, number>();
  await world.chain.node.setAutomine(false);
  for (let sample = 0; sample < Number(values.samples); sample++) {
    await delay(150 + Math.random() * 250);
    await world.mineOneEvent();
    mined.set(++block, performance.now());
  }
  await world.chain.node.setAutomine(true);
  await eventually("every block is heard of", async () => heard.size >= mined.size);
  const times = [...mined].map(([block, at]) => (heard.get(block) ?? 0) - at).sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor((times.length - 1) * share)];
  show(name, { samples: times.length, p50Ms: at(0.5), p99Ms: at(0.99) });
  await client.end();
  await process.kill("SIGTERM");
  await store.close();
}

function show(what: string, figures: Record<string, number | undefined>): void {
  const rounded = Object.entries(figures).map(([key, value]) => [
    key,
    Math.round((value ?? 0) * 10) / 10,
  ]);
  process.stdout.write(`${JSON.stringify({ what, ...Object.fromEntries(rounded) })}\n`);
}

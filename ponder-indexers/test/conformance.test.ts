// Ponder's rows against those of our own indexer, over a chain that changes its mind.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Random } from "../../devnet/src/random.ts";
import { emitHostileLogs, HOSTILE } from "./hostile-logs.ts";
import { type Process, type Store, untilHead, World } from "./world.ts";

/** How deep each round's reorg is, and what happens to Ponder at it. */
const ROUNDS = [
  { depth: 1, fate: "goes on" },
  { depth: 20, fate: "SIGKILL" },
  { depth: 3, fate: "is away" },
  { depth: 12, fate: "SIGTERM" },
  { depth: 7, fate: "goes on" },
] as const;
/** In a soak by hand: so many rounds of chance. */
const ROUNDS_BY_HAND = Number(process.env.AGENTAURI_TEST_SOAK_ROUNDS ?? 0);

/** The chain's writer where both index it, and what the file says to that. */
const WRITERS: [string, ...string[]][] = [
  ["chain-indexer"],
  ["ponder", 'writer = "ponder"', "indexed = true"],
];

let world: World;
before(async () => {
  world = await World.start();
  await world.traffic(1, 400, 4);
  // More than is asked for block by block, so that both ways are taken.
  await world.mine(320);
  await world.traffic(2, 40, 2);
});
after(async () => world?.end());

test("its rows are our indexer's, column by column, through reorgs and restarts", async () => {
  const [ours, theirs] = [await world.database("ours"), await world.database("theirs")];
  const config = world.config("ponder.toml", 'writer = "ponder"');
  const indexer = world.indexer(world.config("ours.toml"), ours.url);
  let ponder = world.ponder(config, theirs.url);
  const where = [() => ours.store.checkpoint(), () => theirs.store.checkpoint()];
  const seenByBoth = new Set<string>();
  for (const [round, { depth, fate }] of rounds().entries()) {
    await untilHead(world, where, [indexer, ponder]);
    for (const id of await world.canonicalIds()) seenByBoth.add(id);
    if (fate === "is away") await ponder.kill("SIGKILL");
    await world.reorganise(depth);
    if (fate === "SIGKILL" || fate === "SIGTERM") await ponder.kill(fate);
    await world.traffic(100 + round, 60, 2);
    if (ponder.hasEnded) ponder = world.ponder(config, theirs.url);
  }
  const head = await untilHead(world, where, [indexer, ponder]);
  assert.deepEqual(await theirs.store.cursor(), head);

  const valid = await world.canonicalIds();
  assert.deepEqual(await ours.store.validIds(), valid);
  assert.deepEqual(await theirs.store.validIds(), valid);
  const [ourEvents, theirEvents] = [await ours.store.events(), await theirs.store.events()];
  let orphans = 0;
  for (const id of new Set([...valid, ...seenByBoth])) {
    const our = ourEvents.get(id);
    assert.ok(our, id);
    assert.deepEqual(theirEvents.get(id), our);
    if (our.invalidated) orphans++;
  }
  const kinds = new Set([...theirEvents.values()].map(event => event.event_type));
  assert.equal(kinds.size, 16, `every event and the unknown ones: ${[...kinds]}`);
  assert.ok(orphans >= 30, `${orphans} orphans`);
  await assertNothingFlapped(theirs.store);
  await indexer.kill("SIGTERM");
  assert.equal(await ponder.kill("SIGTERM"), 0, ponder.tail);
  await Promise.all([ours.store.close(), theirs.store.close()]);
});

for (const [writer, ...lines] of WRITERS) {
  test(`beside each other, where ${writer} is the chain's writer, nothing flaps`, async () => {
    await beside(writer, lines);
  });
}

/** Both on one database: nothing is doubled, taken back twice or skipped. */
async function beside(writer: string, lines: string[]): Promise<void> {
  const { url, store } = await world.database(`written by ${writer}`);
  const config = world.config(`beside-${writer}.toml`, ...lines);
  const start = {
    indexer: () => world.indexer(config, url),
    ponder: () => world.ponder(config, url),
  };
  const processes = { indexer: start.indexer(), ponder: start.ponder() };
  const where = [() => store.checkpoint(), () => store.cursor(), () => store.ancestry()];
  const restart = async (which: "indexer" | "ponder") => {
    await processes[which].kill();
    processes[which] = start[which]();
  };
  const both = (): Process[] => [processes.indexer, processes.ponder];
  const seen = new Set<string>();
  for (const [round, which] of (["ponder", "indexer"] as const).entries()) {
    await untilHead(world, where, both());
    for (const id of await world.canonicalIds()) seen.add(id);
    await world.reorganise(4 + 8 * round);
    await restart(which);
    await world.traffic(200 + round, 60, 2);
  }
  await untilHead(world, where, both());
  await restart("ponder");
  await restart("indexer");
  // Only who is at work again passes it.
  await world.mine(1);
  await untilHead(world, where, both());

  assert.deepEqual(await store.validIds(), await world.canonicalIds());
  const events = await store.events();
  for (const id of seen) assert.ok(events.has(id), id);
  await assertNothingFlapped(store);
  const [{ decided } = {}] = await store.rows(
    "SELECT bool_or(owns) AS decided FROM ponder_schemas",
  );
  assert.equal(decided, writer === "ponder");
  for (const process of both()) assert.equal(await process.kill("SIGTERM"), 0, process.tail);
  await store.close();
}

test("a log of any shape is the same row", async () => {
  const [ours, theirs] = [await world.database("our-hostile"), await world.database("hostile")];
  const { length: count } = await emitHostileLogs(world.chain, 3);
  const config = world.configOf(HOSTILE, "hostile.toml");
  const processes = [world.indexer(config, ours.url), world.ponder(config, theirs.url)];
  await untilHead(world, [() => ours.store.checkpoint(), () => theirs.store.cursor()], processes);
  const [ourEvents, theirEvents] = [await ours.store.events(), await theirs.store.events()];
  assert.equal(ourEvents.size, count);
  assert.equal(theirEvents.size, count);
  for (const [id, our] of ourEvents) assert.deepEqual(theirEvents.get(id), our);
  const unknown = [...ourEvents.values()].filter(event => event.event_type === "unknown").length;
  assert.ok(unknown > count / 4 && unknown < count * 0.75, `${unknown} of ${count} are unknown`);
  for (const process of processes) await process.kill("SIGTERM");
  await Promise.all([ours.store.close(), theirs.store.close()]);
});

function rounds() {
  if (ROUNDS_BY_HAND === 0) return ROUNDS;
  const random = new Random(1);
  const fates = ROUNDS.map(({ fate }) => fate);
  return Array.from({ length: ROUNDS_BY_HAND }, () => {
    return { depth: random.between(1, 20), fate: random.pick(fates) };
  });
}

/** Each event was inserted once, and each orphan taken back once; the log has no more to say. */
async function assertNothingFlapped(store: Store): Promise<void> {
  const flapped = await store.rows(
    `SELECT id, invalidated, revision FROM events
     WHERE revision <> CASE WHEN invalidated THEN 1 ELSE 0 END`,
  );
  assert.deepEqual(flapped, []);
  const doubled = await store.rows(
    `SELECT event_id, count(*) FROM event_log JOIN events ON id = event_id
     GROUP BY event_id, events.revision HAVING count(*) <> events.revision + 1`,
  );
  assert.deepEqual(doubled, []);
}

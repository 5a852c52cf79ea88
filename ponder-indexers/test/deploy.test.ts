// One build after another, as an operator deploys them.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "./patience.ts";
import { type Store, untilHead, World } from "./world.ts";

let world: World;
before(async () => {
  world = await World.start();
  await world.traffic(1, 60, 4);
  await world.mine(40);
});
after(async () => world?.end());

test("a new build takes over once it has caught up, and the one before is dropped", async () => {
  const { url, store } = await world.database("deployed");
  const first = world.ponder(world.config("first.toml", 'writer = "ponder"'), url);
  await untilHead(world, [() => store.checkpoint()], [first]);
  const [old] = await schemas(store);
  const before = await store.events();
  const entries = await eventEntries(store);

  const second = world.config("second.toml", 'writer = "ponder"', "start_block = 0");
  const log = join(world.folder, "second.log");
  const deploy = world.ponder(second, url, "deploy", "--port", "0", "--log", log);
  assert.equal(await deploy.ended(), 0, deploy.tail);
  const { pid } = JSON.parse(deploy.output.trim().split("\n").at(-1) ?? "");
  try {
    assert.equal(await first.ended(), 0, first.tail);
    const [current, ...others] = await schemas(store);
    assert.deepEqual([current?.status, others], ["current", []]);
    assert.notEqual(current?.schema_name, old?.schema_name);
    const left = await store.rows("SELECT to_regnamespace($1) AS left", old?.schema_name);
    assert.deepEqual(left, [{ left: null }]);
    assert.deepEqual(await store.events(), before);
    assert.equal(await eventEntries(store), entries);

    await world.reorganise(5);
    await world.traffic(2, 60, 2);
    await untilHead(world, [() => store.checkpoint()], []);
    assert.deepEqual(await store.validIds(), await world.canonicalIds());

    const again = world.ponder(second, url, "deploy");
    assert.equal(await again.ended(), 1);
    assert.match(again.output, /is running already/);
    const health = world.ponder(second, url, "health");
    assert.equal(await health.ended(), 0, health.output);
  } finally {
    process.kill(pid, "SIGTERM");
  }
  await eventually("the process has ended", async () => !isAlive(pid));
  await world.mine(11);
  const health = world.ponder(second, url, "health");
  assert.equal(await health.ended(), 1);
  const report = JSON.parse(health.output);
  assert.deepEqual([report.healthy, report.behind], [false, 11]);

  // The lock that Ponder leaves behind would hold for 25 s.
  const back = world.ponder(second, url);
  await untilHead(world, [() => store.checkpoint()], [back]);
  await back.kill();
  await world.mine(1);
  const killed = world.ponder(second, url);
  await untilHead(world, [() => store.checkpoint()], [killed]);
  await killed.kill("SIGTERM");
  await store.close();
});

test("what cannot work is refused, and says why", async () => {
  const url = await world.postgres.create("empty");
  const config = world.config("refused.toml");
  const cases: [string, string, string[], number, RegExp][] = [
    [config, url, ["start"], 1, /no table ponder_schemas: run agentauri migrate/],
    [config, "", ["start"], 2, /DATABASE_URL: is not set/],
    ["none.toml", url, ["health"], 2, /none\.toml: cannot be read/],
    [config, url, ["begin"], 2, /has to be one of start, deploy, health/],
    [config, url, ["start", "--port", "x"], 2, /--port must be a whole number up to 65535/],
    [config, url, ["start", "--chain", "other"], 2, /none is called other; there are: devnet/],
  ];
  for (const [file, database, options, code, message] of cases) {
    const process = world.ponder(file, database, ...options);
    assert.equal(await process.ended(), code, process.tail);
    assert.match(process.output, message);
  }
});

function schemas(store: Store): Promise<{ schema_name: string; status: string }[]> {
  return store.rows("SELECT schema_name, status FROM ponder_schemas ORDER BY started_at");
}

async function eventEntries(store: Store): Promise<unknown> {
  const [row] = await store.rows("SELECT count(*) FROM event_log WHERE event_id IS NOT NULL");
  return row?.count;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

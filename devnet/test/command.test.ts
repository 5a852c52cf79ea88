import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "./patience.ts";
import { type PrivateChain, startChain } from "./private-chain.ts";

const FOLDER = fileURLToPath(new URL("..", import.meta.url));
const ADDRESS = `0x${"1".repeat(40)}`;
const NOWHERE = "http://127.0.0.1:1";
const REGISTRIES = ["--identity", ADDRESS, "--reputation", ADDRESS, "--validation", ADDRESS];
const COMPLETE = ["--rpc", NOWHERE, ...REGISTRIES, "--seed", "1"];

test("wrong usage exits 2 and names the option", async () => {
  const cases: [command: string, options: string[], named: string][] = [
    ["deploy", [], "--rpc"],
    ["deploy", ["--rpc", "localhost:8545"], "--rpc"],
    ["deploy", ["--rpc", NOWHERE, "--colour", "red"], "--colour"],
    ["traffic", ["--rpc", NOWHERE], "--identity"],
    ["traffic", ["--rpc", NOWHERE, ...REGISTRIES], "--seed"],
    ["traffic", [...COMPLETE, "--identity", "0x12"], "--identity"],
    ["traffic", [...COMPLETE, "--seed", "one"], "--seed"],
    ["traffic", [...COMPLETE, "--events", "0"], "--events"],
    ["traffic", [...COMPLETE, "--rate", "-5"], "--rate"],
    ["traffic", [...COMPLETE, "--batch"], "--batch"],
  ];
  for (const [command, options, named] of cases) {
    const { code, stdout, stderr } = await run(command, options);
    assert.equal(code, 2, stderr);
    assert.ok(stderr.includes(named), `${named} in ${stderr}`);
    assert.equal(stdout, "");
  }
});

test("--help shows examples and exits 0", async () => {
  for (const command of ["deploy", "traffic"]) {
    const { code, stdout } = await run(command, ["--help"]);
    assert.equal(code, 0);
    assert.match(stdout, /Examples?:\n {2}tsx src/);
  }
});

test("a node that does not answer is a failure that says so, not a usage error", async () => {
  for (const [command, options] of [
    ["deploy", ["--rpc", NOWHERE]],
    ["traffic", COMPLETE],
  ] as const) {
    const { code, stderr } = await run(command, options);
    assert.equal(code, 1);
    assert.match(stderr, /no answer from http:\/\/127\.0\.0\.1:1: ECONNREFUSED/);
  }
});

test("each command prints exactly one line of JSON", async t => {
  const chain = await startChain();
  t.after(() => chain.anvil.end());
  const deployed = await run("deploy", ["--rpc", chain.anvil.url]);
  assert.equal(deployed.code, 0, deployed.stderr);
  assert.deepEqual(Object.keys(onlyLine(deployed.stdout)), Object.keys(chain.deployment));
  const sent = await run("traffic", [...target(chain), "--events", "20"]);
  assert.equal(sent.code, 0, sent.stderr);
  const keys = ["transactions", "logs", "byRegistry", "firstBlock", "lastBlock"];
  assert.deepEqual(Object.keys(onlyLine(sent.stdout)), keys);
});

test("a reverted transaction fails the run and is explained", async t => {
  const chain = await startChain();
  t.after(() => chain.anvil.end());
  // The reputation registry of another set knows nothing of the agents of this one.
  const other = JSON.parse((await run("deploy", ["--rpc", chain.anvil.url])).stdout);
  const mixed = target({ ...chain, deployment: { ...chain.deployment, ...pick(other) } });
  const { code, stdout, stderr } = await run("traffic", mixed);
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /^giveFeedback \(transaction 0x[0-9a-f]{64}\) reverted: /);
});

test("SIGTERM and SIGINT end traffic early, with a summary of what was sent", async t => {
  const chain = await startChain();
  t.after(() => chain.anvil.end());
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const head = () => chain.anvil.rpc.ask<string>("eth_blockNumber");
    const blocks = await head();
    const options = [...target(chain), "--events", "100000", "--rate", "200"];
    const { code, stdout, stderr } = await run("traffic", options, async stop => {
      await eventually("a block of the traffic", async () => (await head()) !== blocks);
      stop(signal);
    });
    assert.equal(code, 0, stderr);
    const { logs, firstBlock } = onlyLine(stdout);
    // All of it would take more than eight minutes.
    assert.ok(Number(logs) >= 1 && Number(logs) < 100_000);
    assert.equal(firstBlock, Number(blocks) + 1);
  }
});

function target({ anvil, deployment }: PrivateChain): string[] {
  const { identity, reputation, validation } = deployment;
  const registries = ["--identity", identity, "--reputation", reputation];
  return ["--rpc", anvil.url, ...registries, "--validation", validation, "--seed", "1"];
}

const pick = ({ reputation }: PrivateChain["deployment"]) => ({ reputation });

function onlyLine(stdout: string): Record<string, unknown> {
  assert.match(stdout, /^[^\n]+\n$/);
  return JSON.parse(stdout);
}

/** Runs a command to its end; `meanwhile` may send it a signal. */
async function run(
  command: string,
  options: readonly string[],
  meanwhile?: (stop: (signal: NodeJS.Signals) => void) => Promise<void>,
) {
  const args = ["--import", "tsx", `src/${command}.ts`, ...options];
  const child = spawn(process.execPath, args, { cwd: FOLDER, stdio: ["ignore", "pipe", "pipe"] });
  const closed = once(child, "close");
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  await meanwhile?.(signal => child.kill(signal));
  const [code] = await closed;
  const [stdout, stderr] = await output;
  return { code: code as number | null, stdout, stderr };
}

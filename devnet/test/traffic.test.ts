import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Hex } from "viem";
import { decodeEventLog, hexToBytes } from "viem/utils";
import { CONTRACT_NAMES } from "../src/artifact.ts";
import { drive, type Order } from "../src/drive.ts";
import { LONG_TAG } from "../src/hostile.ts";
import { VALUE_MAX, VALUE_MIN } from "../src/reputation.ts";
import type { Summary } from "../src/totals.ts";
import { REGISTRY_NAMES } from "../src/world.ts";
import { EVENT_TABLE, eventName } from "./event-table.ts";
import { logsOf, type PrivateChain, type RawLog, startChain } from "./private-chain.ts";

const EVENTS = 600;
const NEVER = new AbortController().signal;
let chain: PrivateChain;
let summary: Summary;
let logs: RawLog[];

before(async () => {
  chain = await startChain();
  summary = await drive(chain.node, order(chain), NEVER);
  logs = await allLogs(chain, summary);
});
after(() => chain.anvil.end());

test("the printed counts are those of the node's own logs", () => {
  assert.ok(summary.logs >= EVENTS && summary.logs < EVENTS + 4);
  assert.equal(summary.logs, logs.length);
  for (const name of REGISTRY_NAMES) {
    assert.equal(summary.byRegistry[name], logsAt(name).length, name);
  }
});

test("every kind of event is there, those that nobody knows included", () => {
  for (const [index, contract] of CONTRACT_NAMES.entries()) {
    const name = REGISTRY_NAMES[index] ?? assert.fail();
    const seen = new Set(logsAt(name).map(log => eventName(contract, log.topics[0])));
    const unknown = name === "reputation" ? ["no topic", "unknown"] : [];
    assert.deepEqual([...seen].sort(), [...Object.keys(EVENT_TABLE[contract]), ...unknown].sort());
  }
  const topicless = logsAt("reputation").find(log => log.topics.length === 0);
  assert.ok(topicless && topicless.data.length > 2);
});

test("feedback has every number of decimals, negative values and both extremes of int128", () => {
  const given = feedbackArguments();
  const decimals = new Set(given.map(({ valueDecimals }) => valueDecimals));
  assert.equal(decimals.size, 19);
  const values = given.map(({ value }) => value);
  assert.ok(values.includes(VALUE_MIN) && values.includes(VALUE_MAX));
  assert.ok(values.some(value => value < 0n && value > VALUE_MIN));
});

test("a validation's answer is overwritten upwards and downwards", () => {
  const answers = new Map<string, number[]>();
  for (const log of named("validation", "ValidationResponse")) {
    const request = log.topics[3] ?? "";
    answers.set(request, [...(answers.get(request) ?? []), Number(log.data.slice(0, 66))]);
  }
  assert.ok([...answers.values()].some(sequence => sequence.slice(0, 3).join() === "60,95,20"));
});

test("strings hold NUL, invalid UTF-8, a tag of 100 kB and a URI of 50 kB", () => {
  const data = logs.map(log => Buffer.from(hexToBytes(log.data)));
  const holds = (...bytes: number[]) => data.some(bits => bits.includes(Buffer.from(bytes)));
  assert.ok(holds(...Buffer.from("before\u0000after")));
  assert.ok(holds(0xff, 0xfe, 0xfd));
  assert.ok(holds(0xed, 0xa0, 0x80, 0xed, 0xbf, 0xbf));
  assert.ok(holds(...Buffer.from(LONG_TAG)));
  assert.ok(logsAt("identity").filter(log => log.data.length > 100_000).length >= 2);
});

test("the same seed emits the same logs, however the node mines", async t => {
  for (const [options, batch] of [
    [[], 40],
    [["--block-time", "1"], undefined],
  ] as const) {
    const other = await startChain(...options);
    t.after(() => other.anvil.end());
    const again = await drive(other.node, { ...order(other), batch }, NEVER);
    assert.deepEqual(await allLogs(other, again), logs);
  }
});

test("another seed emits other logs, on a chain that has seen traffic before", async t => {
  const before = await startChain();
  t.after(() => before.anvil.end());
  await drive(before.node, { ...order(before), events: 100 }, NEVER);
  const other = await drive(before.node, { ...order(before), seed: 2, events: 100 }, NEVER);
  assert.notDeepEqual(await allLogs(before, other), logs.slice(0, other.logs));
  const same = await drive(before.node, { ...order(before), events: 100 }, NEVER);
  assert.equal(same.firstBlock, (other.lastBlock ?? 0) + 1);
});

test("a batch is one block, and the node mines at once again afterwards", async t => {
  const batched = await startChain();
  t.after(() => batched.anvil.end());
  const sent = await drive(batched.node, { ...order(batched), events: 38, batch: 10 }, NEVER);
  assert.equal(sent.transactions, 26);
  assert.equal((sent.lastBlock ?? 0) - (sent.firstBlock ?? 0) + 1, 3);
  assert.equal(await batched.node.automine(), true);
});

function order({ deployment }: PrivateChain): Order {
  return { ...deployment, seed: 1, events: EVENTS, rate: undefined, batch: undefined };
}

async function allLogs(from: PrivateChain, { firstBlock, lastBlock }: Summary) {
  return logsOf(from, firstBlock ?? assert.fail(), lastBlock ?? assert.fail());
}

function logsAt(name: (typeof REGISTRY_NAMES)[number]): RawLog[] {
  return logs.filter(log => log.address === chain.deployment[name]);
}

function named(name: (typeof REGISTRY_NAMES)[number], event: string): RawLog[] {
  const { [REGISTRY_NAMES.indexOf(name)]: contract = assert.fail() } = CONTRACT_NAMES;
  return logsAt(name).filter(log => eventName(contract, log.topics[0]) === event);
}

function feedbackArguments(): { value: bigint; valueDecimals: number }[] {
  const { abi } = chain.registries.reputation;
  return named("reputation", "NewFeedback").map(({ topics, data }) => {
    const log = { topics: topics as [Hex, ...Hex[]], data };
    const { args } = decodeEventLog({ abi, eventName: "NewFeedback", ...log });
    return args as unknown as { value: bigint; valueDecimals: number };
  });
}

// What becomes of single logs. Whole chains of them: conformance.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Abi, encodeAbiParameters, type Hex, type RpcLog, toEventSelector } from "viem";
import { CONTRACT_NAMES, loadArtifact } from "../../devnet/src/artifact.ts";
import { mayHaveLogsOf } from "../src/bloom.ts";
import { agentOfRaw, decode } from "../src/decode.ts";
import { eventRow } from "../src/event-row.ts";
import { EVENTS, REGISTRY_NAMES } from "../src/registries.ts";

const URI_UPDATED = selector("identity", "URIUpdated");
const AGENT: Hex = `0x${"0".repeat(62)}2a`;
const OWNER: Hex = `0x${"0".repeat(24)}${"a1".repeat(20)}`;

test("every event of the contracts is known, with its arguments", async () => {
  for (const [at, registry] of REGISTRY_NAMES.entries()) {
    const { abi } = await loadArtifact(CONTRACT_NAMES[at] as (typeof CONTRACT_NAMES)[number]);
    const events = (abi as Abi).filter(item => item.type === "event");
    assert.ok(events.length > 4);
    for (const event of events) {
      const ours = EVENTS[registry].get(toEventSelector(event));
      const shape = (inputs: typeof event.inputs = []) =>
        inputs.map(({ name, type, indexed }) => ({ name, type, indexed: indexed === true }));
      assert.deepEqual(shape(ours?.inputs), shape(event.inputs), event.name);
    }
  }
});

test("a raw log of a known shape is about its agent", () => {
  const tail = "string,string,string,string,string,bytes32";
  const earlier = toEventSelector(`NewFeedback(uint256,address,uint64,int256,uint8,${tail})`);
  assert.equal(earlier.slice(0, 10), "0x413f2d30");
  assert.equal(agentOfRaw("reputation", [earlier, AGENT, OWNER, OWNER]), "42");
  assert.equal(agentOfRaw("reputation", [earlier]), null);
  assert.equal(agentOfRaw("identity", [earlier, AGENT, OWNER, OWNER]), null);
  const indexed = { Transfer: 3, Approval: 3, Registered: 1, MetadataUpdate: 0 };
  for (const [event, place] of Object.entries(indexed)) {
    const topics = [selector("identity", event), OWNER, OWNER, OWNER];
    topics[place || 3] = AGENT;
    assert.equal(agentOfRaw("identity", topics), place === 0 ? null : "42", event);
  }
  const request = [selector("validation", "ValidationRequest"), OWNER, AGENT] as const;
  assert.equal(agentOfRaw("validation", request), "42");
  assert.equal(agentOfRaw("validation", [AGENT, AGENT, AGENT]), null);
});

test("strings keep their marks, and lose only what a database refuses", () => {
  const text = (bytes: string) =>
    decode("identity", [URI_UPDATED, AGENT, OWNER], abiBytes(`0x${bytes}`))?.data.newURI;
  assert.equal(text("efbbbf61"), "\ufeffa");
  assert.equal(text("610062"), "a\ufffdb");
  assert.equal(text("ff41c0"), "\ufffdA\ufffd");
  assert.equal(text(""), "");
});

test("a log that does not fit its event to the letter is stored raw", () => {
  const data = abiBytes("0x6162");
  const fits = [URI_UPDATED, AGENT, OWNER] as const;
  assert.ok(decode("identity", fits, data));
  // What follows the data is nobody's.
  assert.ok(decode("identity", fits, `${data}00`));
  const word = (value: string) => value.padStart(64, "0");
  const unfit: [string, readonly Hex[], Hex][] = [
    ["no topics", [], data],
    ["an unknown event", [AGENT], data],
    ["another registry's event", [selector("reputation", "NewFeedback"), AGENT, OWNER], data],
    ["a topic too few", [URI_UPDATED, AGENT], data],
    ["a topic too many", [...fits, AGENT], data],
    ["a dirty address", [URI_UPDATED, AGENT, `0x01${OWNER.slice(4)}`], data],
    ["no data", fits, "0x"],
    ["data that ends early", fits, data.slice(0, 2 + 128 + 2) as Hex],
    ["an offset behind the end", fits, `0x${word("60")}${word("0")}`],
    ["a huge offset", fits, `0x${"f".repeat(64)}${word("0")}`],
    ["a huge length", fits, `0x${word("20")}${"f".repeat(64)}`],
    ["data beyond a mebibyte", fits, abiBytes(`0x${"61".repeat(1 << 20)}`)],
  ];
  for (const [what, topics, bytes] of unfit) {
    assert.equal(decode("identity", topics, bytes), null, what);
  }
  const event = eventRow(1, "identity", block(), log([], "0xAB"));
  const { eventType, data: none, topics, logData } = event;
  assert.deepEqual([eventType, none, topics, logData], ["unknown", null, "", "0xab"]);
});

test("a log too long to be read says how long it is", () => {
  const row = (topics: Hex[], data: Hex) => eventRow(1, "reputation", block(), log(topics, data));
  const raw = (bytes: number) => row([], `0x${"ab".repeat(bytes)}`);
  assert.equal(raw(1 << 16).data, null);
  assert.equal(raw((1 << 16) + 1).data, '{"log_data_bytes":65537}');
  const shortened = raw(5 << 20);
  assert.equal(shortened.data, '{"log_data_bytes":5242880}');
  assert.equal(shortened.logData?.length, 2 + 2 * (4 << 20));
});

test("strings that are read several times are left raw once they are long", () => {
  const topics = [selector("reputation", "NewFeedback"), AGENT, OWNER, AGENT];
  const read = (length: number) => {
    const words = [1, 87, 0, 256, 256, 256, 256, 0, length];
    const head = words.map(word => word.toString(16).padStart(64, "0")).join("");
    const data: Hex = `0x${head}${"01".repeat(length)}`;
    return eventRow(1, "reputation", block(), log(topics, data));
  };
  assert.equal(read(200_000).eventType, "NewFeedback");
  const long = read(400_000);
  assert.deepEqual([long.eventType, long.data], ["unknown", '{"log_data_bytes":400288}']);
});

test("integers wider than 32 bits are strings, and no wider than their type", () => {
  const approval = selector("identity", "ApprovalForAll");
  const bool = (last: string) =>
    decode("identity", [approval, OWNER, OWNER], `0x${last.padStart(64, "0")}`)?.data.approved;
  assert.deepEqual([bool("0"), bool("1"), bool("2")], [false, true, undefined]);
  const types = "uint64 int128 uint8 string string string string bytes32".split(" ");
  const parameters = types.map(type => ({ type }));
  const lowest = -(2n ** 127n);
  const data = encodeAbiParameters(parameters, [7n, lowest, 18, "", "", "", "", AGENT]);
  const topics = [selector("reputation", "NewFeedback"), AGENT, OWNER, AGENT];
  const feedback = decode("reputation", topics, data);
  assert.equal(feedback?.agentId, "42");
  assert.equal(feedback?.data.value, lowest.toString());
  assert.equal(feedback?.data.feedbackIndex, "7");
  assert.equal(feedback?.data.valueDecimals, 18);
  assert.deepEqual(Object.keys(feedback?.data ?? {}).slice(0, 3), [
    "agentId",
    "clientAddress",
    "feedbackIndex",
  ]);
  // A sign that reaches into half of the word.
  const halfSigned = data.replace("f".repeat(32), "0".repeat(32)) as Hex;
  assert.equal(decode("reputation", topics, halfSigned), null);
});

test("a bloom filter without our addresses spares a question, an empty one none", () => {
  const ours: Hex = `0x${"11".repeat(20)}`;
  assert.equal(mayHaveLogsOf([ours], `0x${"00".repeat(256)}`), true);
  assert.equal(mayHaveLogsOf([ours], null), true);
  assert.equal(mayHaveLogsOf([ours], `0x${"00".repeat(255)}01`), false);
  assert.equal(mayHaveLogsOf([ours], `0x${"ff".repeat(256)}`), true);
});

function selector(registry: (typeof REGISTRY_NAMES)[number], name: string): Hex {
  const found = [...EVENTS[registry].values()].find(event => event.name === name);
  assert.ok(found, name);
  return toEventSelector(found);
}

function abiBytes(bytes: Hex): Hex {
  return encodeAbiParameters([{ type: "bytes" }], [bytes]);
}

function block() {
  return { number: 1n, hash: "0xbb" as Hex, timestamp: 2n };
}

function log(topics: Hex[], data: Hex): RpcLog {
  const place = { logIndex: "0x0", transactionHash: "0xcc", blockNumber: "0x1", blockHash: "0xbb" };
  return { ...place, address: OWNER, topics, data, removed: false } as unknown as RpcLog;
}

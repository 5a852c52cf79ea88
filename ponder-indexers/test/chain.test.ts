// The TOML file: what is taken from it, and what is refused by name.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, chainFromEnvironment, chainOf } from "../src/chain.ts";
import { firstRangeEnd, RANGE_BLOCKS, rangeStart } from "../src/history.ts";

const ADDRESS = `0x${"Ab".repeat(20)}`;
const CHAIN = [
  "[[chains]]",
  'name = "one"',
  "id = 11155111",
  'rpc_urls = ["https://a.example/", "wss://a.example/"]',
  "[chains.registries]",
  `identity = "${ADDRESS}"`,
].join("\n");

test("a chain is read as the other processes read it", () => {
  assert.deepEqual(chainOf(CHAIN, "one", "f.toml"), {
    name: "one",
    id: 11155111,
    rpcUrls: ["https://a.example/", "wss://a.example/"],
    registries: [{ name: "identity", address: ADDRESS.toLowerCase() }],
    startBlock: 0,
    pollIntervalMs: 1_000,
    finalityDepth: undefined,
    owns: false,
  });
  const more =
    'writer = "ponder"\nstart_block = 7\npoll_interval_ms = 20\nfinality_depth = 0\nid =';
  const other = chainOf(CHAIN.replace("id =", more), "one", "f.toml");
  assert.deepEqual([other.owns, other.startBlock, other.pollIntervalMs], [true, 7, 100]);
  assert.equal(other.finalityDepth, 0);
});

test("what is wrong is refused with the file and the key", () => {
  const cases: [string, string, string][] = [
    ["id = 11155111", "id = -1", "f.toml: chains[0].id: has to be a whole number"],
    ["id = 11155111", "", "f.toml: chains[0].id: is missing"],
    [
      "id =",
      'writer = "nobody"\nid =',
      "f.toml: chains[0].writer: has to be one of chain-indexer,",
    ],
    ["id =", 'owner = "ponder"\nid =', "f.toml: chains[0].owner: `owner` is now `writer`"],
    [
      "id =",
      "finality_depth = 1000001\nid =",
      "finality_depth: has to be a whole number from 0 to 1",
    ],
    ["wss:", "ftp:", "f.toml: chains[0].rpc_urls[1]: is not an http"],
    [ADDRESS, "0x12", "f.toml: chains[0].registries.identity: is not an address"],
    ["identity =", `validation = "${ADDRESS}"\nidentity =`, "registries: has one address twice"],
    ['"one"', '"two"', "f.toml: chains: none is called one; there are: two"],
    ["[[chains]]", "[[chains]", "f.toml: "],
  ];
  for (const [from, to, message] of cases) {
    assert.throws(
      () => chainOf(CHAIN.replace(from, to), "one", "f.toml"),
      (error: Error) => error instanceof ConfigError && error.message.includes(message),
      message,
    );
  }
  const missing = { AGENTAURI_CONFIG: "no.toml", AGENTAURI_PONDER_CHAIN: "one" };
  assert.throws(() => chainFromEnvironment(missing), /^Error: no\.toml: cannot be read/);
});

test("the ranges of history meet without a gap, and the last one ends before the present", () => {
  for (const start of [0, 1, 499, 500, 12_345]) {
    for (const length of [1, 2, 499, 500, 501, 1_000, 1_234]) {
      const liveFrom = start + length;
      let next = start;
      for (let end = firstRangeEnd(start, liveFrom); end < liveFrom; end += RANGE_BLOCKS) {
        assert.equal(rangeStart(start, end), next);
        assert.ok(end >= next);
        next = end + 1;
      }
      assert.equal(next, liveFrom);
    }
  }
});

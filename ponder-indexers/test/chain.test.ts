// The TOML file: what is taken from it, and what is refused by name.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Chain, chainFromEnvironment, chainOf } from "../src/chain.ts";
import { ConfigError } from "../src/config.ts";
import { firstRangeEnd, RANGE_BLOCKS, rangeStart } from "../src/history.ts";

const ADDRESS = "0x8004A818BFB912233c491871b3d84c89A494BD9e";
const CHAIN = [
  "[[chains]]",
  'name = "one"',
  "id = 11155111",
  'rpc_urls = ["https://a.example/", "wss://a.example/"]',
  "[chains.registries]",
  `identity = "${ADDRESS}"`,
].join("\n");

test("a chain is read as the other processes read it", () => {
  assert.deepEqual(read(CHAIN), {
    name: "one",
    id: 11155111,
    rpcUrls: ["https://a.example/", "wss://a.example/"].map(url => {
      return { url, headers: {}, hasValues: false };
    }),
    registries: [{ name: "identity", address: ADDRESS.toLowerCase() }],
    startBlock: 0,
    pollIntervalMs: 1_000,
    finalityDepth: undefined,
    owns: false,
  });
  const more =
    'writer = "ponder"\nstart_block = 7\npoll_interval_ms = 20\nfinality_depth = 0\nid =';
  const other = read(CHAIN.replace("id =", more));
  assert.deepEqual([other.owns, other.startBlock, other.pollIntervalMs], [true, 7, 100]);
  assert.equal(other.finalityDepth, 0);
});

test("an address in one case has no checksum", () => {
  const upper = `0x${ADDRESS.slice(2).toUpperCase()}`;
  for (const written of [upper, ADDRESS.toLowerCase()]) {
    const [identity] = read(CHAIN.replace(ADDRESS, written)).registries;
    assert.equal(identity?.address, ADDRESS.toLowerCase());
  }
});

test("what is wrong is refused with the file and the key", () => {
  const cases: [string, string, string][] = [
    ["id = 11155111", "id = 0", "f.toml: chains[0].id: has to be a whole number from 1"],
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
    [
      "identity =",
      `validation = "${ADDRESS.toLowerCase()}"\nidentity =`,
      "f.toml: chains[0].registries.validation: is the address of another registry",
    ],
    ["BFB9", "BFb9", "registries.identity: has a wrong checksum (EIP-55), so a digit or"],
    [ADDRESS, `0x${"0".repeat(40)}`, "registries.identity: is the zero address, where no"],
    ["identity =", "identiti =", "registries.identiti: is unknown here; there are identity,"],
    ["id =", 'headers = { a = "x" }\nid =', "chains[0].headers: belongs to one URL: write rpc"],
    ["id =", 'preset = "bsae"\nid =', "f.toml: chains[0].preset: is no chain that is built in"],
    ['"one"', '"two"', "f.toml: chains: none is called one; there are: two"],
    ["[[chains]]", "[[chains]", "f.toml:1:10: Invalid TOML document: expected"],
  ];
  for (const [from, to, message] of cases) {
    assert.throws(
      () => read(CHAIN.replace(from, to)),
      (error: Error) => error instanceof ConfigError && error.message.includes(message),
      message,
    );
  }
  const missing = { AGENTAURI_CONFIG: "no.toml", AGENTAURI_PONDER_CHAIN: "one" };
  assert.throws(() => chainFromEnvironment(missing), /^Error: no\.toml: cannot be read/);
});

function read(text: string): Chain {
  return chainOf(text, "one", "f.toml", {});
}

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

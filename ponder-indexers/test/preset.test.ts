// Chains that are built in, and files in which other chains stand beside the one that is read.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how the file names a variable
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "smol-toml";
import { type Chain, chainOf } from "../src/chain.ts";
import { ConfigError } from "../src/config.ts";

const IDENTITY = "0x8004a169fb4a3325136eb29fa0ceb6d2e539a432";
const REPUTATION = "0x8004baa17c55a88189ae136b182e5fda19de9b63";
const OTHER = "0x8004cc8439f36fd5f9f049d9ff86523df6daab58";

/** What other processes may read, in every manner that the file knows. */
const MIXED = `
[[chains]]
preset = "base"
rpc_urls = ["wss://rpc.example.org/v3/\${BASE_KEY}"]

[[chains]]
preset = "no-such-chain"
rpc_urls = "not even a list"
id = 9223372036854775807

[[chains]]
name = "devnet"
id = 31337
rpc_urls = ["http://127.0.0.1:8545"]
registries = { identity = "${OTHER}" }

[[chains]]
preset = "sepolia"
name = "mine"
writer = "ponder"
rpc_urls = [
    { url = "https://a.example.org/\${MY_KEY}", headers = { Authorization = "Bearer \${TOKEN}" } },
    "wss://me:\${PASSWORD}@rpc.example.com/",
]

[[chains]]
preset = "arbitrum"
rpc_urls = ["https://arbitrum.example.org/"]
start_block = 420000000

[[chains]]
name = 5

[[chains]]
id = 6
`;
const VARIABLES = { MY_KEY: "k3y", TOKEN: "t0ken", PASSWORD: "p@ss" };

test("of a mixed file each chain is read by its own name or its preset's", () => {
  const names = ["base", "no-such-chain", "devnet", "mine", "arbitrum"].join(", ");
  assert.deepEqual(mixed("mine", VARIABLES), {
    name: "mine",
    id: 11155111,
    rpcUrls: [
      {
        url: "https://a.example.org/k3y",
        headers: { authorization: "Bearer t0ken" },
        hasValues: true,
      },
      { url: "wss://me:p%40ss@rpc.example.com/", headers: {}, hasValues: true },
    ],
    registries: [
      { name: "identity", address: "0x8004a818bfb912233c491871b3d84c89a494bd9e" },
      { name: "reputation", address: "0x8004b663056a597dffe9eccc1965a193b7388713" },
    ],
    startBlock: 9980000,
    pollIntervalMs: 1_000,
    finalityDepth: undefined,
    owns: true,
  });
  const devnet = mixed("devnet");
  assert.deepEqual([devnet.id, devnet.startBlock, devnet.owns], [31337, 0, false]);
  const base = mixed("base", { BASE_KEY: "k3y" });
  assert.deepEqual([base.id, base.startBlock], [8453, 41663799]);
  const arbitrum = mixed("arbitrum");
  assert.deepEqual([arbitrum.id, arbitrum.startBlock], [42161, 420_000_000]);
  refused(() => mixed("base"), "chains[0].rpc_urls[0]: ${BASE_KEY} is not set in the environment");
  refused(() => mixed("no-such-chain"), "chains[1].preset: is no chain that is built in; `agent");
  refused(() => mixed("sepolia"), `chains: none is called sepolia; there are: ${names}`);
});

test("one's own settings win over a preset's, and registries as a whole", () => {
  const own = 'name = "mine"\nid = 5\nstart_block = 7\nfinality_depth = 3';
  const chain = read("base", `${own}\nregistries = { validation = "${OTHER}" }`, "mine");
  assert.deepEqual([chain.id, chain.startBlock, chain.finalityDepth], [5, 7, 3]);
  assert.deepEqual(chain.registries, [{ name: "validation", address: OTHER }]);
});

test("a known first block is that of the registries that are read", () => {
  const start = (registries: string) => read("base", `registries = { ${registries} }`).startBlock;
  assert.equal(start(`identity = "${IDENTITY}"`), 41663799);
  assert.equal(start(`reputation = "${REPUTATION}"`), 41663801);
  assert.equal(start(`identity = "${IDENTITY}", reputation = "${REPUTATION}"`), 41663799);
  const unknown = "f.toml: chains[0].start_block: is missing: the first block of these registries";
  assert.equal(start(`identity = "${IDENTITY}", validation = "${OTHER}"`), 41663799);
  refused(() => start(`validation = "${OTHER}"`), unknown);
  const strange = `validation = "${OTHER.replace("8004", "8005")}"`;
  refused(() => start(`identity = "${IDENTITY}", ${strange}`), unknown);
  refused(() => read("arbitrum"), unknown);
});

test("every preset can be read, with a start block where its first is not known", () => {
  const file = new URL("../../rust-backend/crates/service/chains.toml", import.meta.url);
  const built = parse(readFileSync(file, "utf8")) as { chains: { name: string; id: number }[] };
  assert.ok(built.chains.length >= 50);
  for (const { name, id } of built.chains) {
    const chain = read(name, "start_block = 1");
    assert.deepEqual([chain.name, chain.id, chain.registries.length], [name, id, 2]);
  }
});

test("a name that is there twice is refused", () => {
  const twice = `${MIXED}\n[[chains]]\npreset = "base"\nname = "devnet"`;
  const said = 'f.toml: chains[7].name: "devnet" is there twice';
  refused(() => chainOf(twice, "devnet", "f.toml", {}), said);
  const both = `${MIXED}\n[[chains]]\npreset = "base"`;
  refused(() => chainOf(both, "base", "f.toml", {}), 'chains[7].preset: "base" is there twice');
});

function mixed(name: string, environment = {}): Chain {
  return chainOf(MIXED, name, "f.toml", environment);
}

function read(preset: string, more = "", name = preset): Chain {
  const text = `[[chains]]\npreset = "${preset}"\nrpc_urls = ["https://a.example/"]\n${more}`;
  return chainOf(text, name, "f.toml", {});
}

function refused(read: () => unknown, message: string): void {
  assert.throws(
    read,
    (error: Error) => error instanceof ConfigError && error.message.includes(message),
    message,
  );
}

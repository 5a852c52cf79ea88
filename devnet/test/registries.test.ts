import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { stringToHex } from "viem/utils";
import type { Call } from "../src/call.ts";
import type { Receipt } from "../src/node.ts";
import { revertReason } from "../src/revert.ts";
import { eventName } from "./event-table.ts";
import { type PrivateChain, sendCall, startChain } from "./private-chain.ts";

const ZERO_HASH = `0x${"00".repeat(32)}`;
const REQUEST_HASH = `0x${"ab".repeat(32)}`;
let chain: PrivateChain;

before(async () => {
  chain = await startChain();
});
after(() => chain.anvil.end());

test("ids count up from 0, and a registration is four events in the public order", async () => {
  const order = ["Transfer", "MetadataUpdate", "Registered", "MetadataSet"];
  const first = await accepted(identity(0, "register", ["uri"]));
  assert.deepEqual(names(first), order);
  assert.equal(Number(first.logs[0]?.topics[3]), 0);
  const second = await accepted(identity(0, "register", ["uri"]));
  assert.equal(Number(second.logs[0]?.topics[3]), 1);
  assert.ok(second.logs[3]?.data.includes(stringToHex("agentWallet").slice(2)));
  assert.ok(second.logs[3]?.data.includes(account(0).slice(2)));
});

test("a new URI is MetadataUpdate, then URIUpdated", async () => {
  const receipt = await accepted(identity(0, "setAgentURI", [0n, "new"]));
  assert.deepEqual(names(receipt), ["MetadataUpdate", "URIUpdated"]);
});

test("only who may act for an agent describes it, and never by the reserved key", async () => {
  assert.match(await refused(identity(5, "setAgentURI", [0n, "mine"])), /^NotAllowed/);
  assert.match(await refused(identity(5, "setMetadata", [0n, "key", "value"])), /^NotAllowed/);
  assert.match(await refused(identity(0, "setMetadata", [0n, "agentWallet", ""])), /^ReservedKey/);
  assert.match(await refused(identity(0, "setAgentURI", [9n, "none"])), /^NoSuchAgent/);
});

test("a transfer clears the wallet first and is refused to strangers", async () => {
  const sale = [account(0), account(1), 1n];
  assert.match(await refused(identity(5, "transferFrom", sale)), /^NotAllowed/);
  await accepted(identity(0, "approve", [account(5), 1n]));
  const receipt = await accepted(identity(5, "transferFrom", sale));
  assert.deepEqual(names(receipt), ["MetadataSet", "Transfer"]);
  assert.match(await refused(identity(5, "transferFrom", sale)), /^NotAllowed/);
  assert.match(await refused(identity(1, "transferFrom", sale)), /^NotItsOwner/);
});

test("feedback is numbered from 1 for each agent and client", async () => {
  const indices = [];
  for (const client of [6, 6, 7]) {
    const { logs } = await accepted(feedback(client, 0n, 5n, 1));
    indices.push(Number(logs[0]?.data.slice(0, 66)));
  }
  assert.deepEqual(indices, [1, 2, 1]);
});

test("feedback has at most 18 decimals and is not for one's own agent", async () => {
  assert.match(await refused(feedback(6, 0n, 1n, 19)), /^TooManyDecimals/);
  assert.match(await refused(feedback(0, 0n, 1n, 0)), /^OwnPraise/);
});

test("feedback is revoked once, and by its client alone", async () => {
  assert.match(await refused(reputation(8, "revokeFeedback", [0n, 1n])), /^NoSuchFeedback/);
  assert.match(await refused(reputation(6, "revokeFeedback", [0n, 3n])), /^NoSuchFeedback/);
  assert.match(await refused(reputation(6, "revokeFeedback", [0n, 0n])), /^NoSuchFeedback/);
  const receipt = await accepted(reputation(6, "revokeFeedback", [0n, 2n]));
  assert.deepEqual(names(receipt, "ReputationRegistry"), ["FeedbackRevoked"]);
  assert.match(await refused(reputation(6, "revokeFeedback", [0n, 2n])), /^AlreadyRevoked/);
});

test("a validation is asked for once and answered, again and again, by its validator", async () => {
  const ask = validation(0, "validationRequest", [account(8), 0n, "uri", REQUEST_HASH]);
  const answer = (from: number, response: number) =>
    validation(from, "validationResponse", [REQUEST_HASH, response, "uri", ZERO_HASH, "tag"]);
  assert.match(await refused(answer(8, 50)), /^NotTheValidator/);
  await accepted(ask);
  assert.match(await refused(ask), /^AlreadyAsked/);
  assert.match(await refused(answer(7, 50)), /^NotTheValidator/);
  assert.match(await refused(answer(8, 101)), /^ResponseTooHigh/);
  for (const response of [50, 100, 0]) await accepted(answer(8, response));
});

test("only the owner of a registry administers it", async () => {
  assert.match(await refused(validation(3, "initializeAgain", [])), /^NotTheOwner/);
  await accepted(validation(0, "transferOwnership", [account(3)]));
  await accepted(validation(3, "initializeAgain", []));
});

const account = (index: number) => chain.accounts[index] ?? assert.fail("no such account");

const identity = (from: number, name: string, args: unknown[]) =>
  chain.registries.identity.call(account(from), name, args);
const reputation = (from: number, name: string, args: unknown[]) =>
  chain.registries.reputation.call(account(from), name, args);
const validation = (from: number, name: string, args: unknown[]) =>
  chain.registries.validation.call(account(from), name, args);

const feedback = (client: number, agentId: bigint, value: bigint, decimals: number) =>
  reputation(client, "giveFeedback", [agentId, value, decimals, "a", "b", "c", "d", ZERO_HASH]);

const names = (receipt: Receipt, contract: Parameters<typeof eventName>[0] = "IdentityRegistry") =>
  receipt.logs.map(log => eventName(contract, log.topics[0]));

async function accepted(call: Call): Promise<Receipt> {
  const receipt = await sendCall(chain, call);
  assert.equal(receipt.status, "0x1", call.name);
  return receipt;
}

/** The reason, once the transaction has reverted without a log. */
async function refused(call: Call): Promise<string> {
  const receipt = await sendCall(chain, call);
  assert.equal(receipt.status, "0x0", call.name);
  assert.equal(receipt.logs.length, 0);
  const registry = Object.values(chain.registries).find(({ address }) => address === call.to);
  return revertReason(chain.node, call, registry);
}

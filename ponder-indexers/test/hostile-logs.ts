// Logs that no honest contract emits: events of the registries with words, topics and lengths that
// are wrong, and some that are right.
import assert from "node:assert/strict";
import type { AbiEvent, Address, Hash, Hex } from "viem";
import { encodeAbiParameters, encodeEventTopics, numberToHex } from "viem";
import { Random } from "../../devnet/src/random.ts";
import { awaitReceipt } from "../../devnet/src/receipt.ts";
import type { PrivateChain, RawLog } from "../../devnet/test/private-chain.ts";
import { EVENTS, REGISTRY_NAMES, type RegistryName } from "../src/registries.ts";

type Log = Omit<RawLog, "address">;

/** Addresses without a contract: what emits a log there is put there for it alone. */
export const HOSTILE: Record<RegistryName, Address> = {
  identity: `0x${"e1".repeat(20)}`,
  reputation: `0x${"e2".repeat(20)}`,
  validation: `0x${"e3".repeat(20)}`,
};

/** Emits one log a block, several for each event of each registry, and returns them. */
export async function emitHostileLogs(chain: PrivateChain, seed: number): Promise<RawLog[]> {
  const logs = [...hostileLogs(new Random(seed))];
  for (const log of logs) await emit(chain, log);
  return logs;
}

/**
 * Puts a contract at the log's address that emits it, and calls it. Returns once the call is
 * mined: a node that mines at once does so after its answer, with whatever code is there by then.
 */
export async function emit(chain: PrivateChain, log: RawLog): Promise<void> {
  await chain.anvil.rpc.ask("anvil_setCode", [log.address, emitter(log)]);
  const [from] = chain.accounts;
  const call = { from, to: log.address, gas: numberToHex(20_000_000) };
  const hash = await chain.anvil.rpc.ask<Hash>("eth_sendTransaction", [call]);
  const { logs } = await awaitReceipt(chain.node, hash);
  assert.deepEqual(
    logs.map(({ address, topics, data }) => ({ address, topics, data })),
    [log],
  );
}

function* hostileLogs(random: Random): Generator<RawLog> {
  for (const registry of REGISTRY_NAMES) {
    const address = HOSTILE[registry];
    for (const event of EVENTS[registry].values()) {
      for (const log of variants(event, random)) yield { address, ...log };
    }
    yield { address, topics: [], data: "0x00" };
    // Longer than is stored without its length.
    yield { address, topics: [], data: `0x${"ab".repeat(70_000)}` };
  }
}

function* variants(event: AbiEvent, random: Random): Generator<Log> {
  const log = right(event, random);
  yield log;
  yield { ...log, data: `${log.data}${"ab".repeat(random.below(40))}` };
  yield { ...log, data: log.data.slice(0, 2 + 2 * random.below(log.data.length / 2)) as Hex };
  yield { ...log, topics: log.topics.slice(0, -1) };
  if (log.topics.length < 4) yield { ...log, topics: [...log.topics, word(random)] };
  for (let at = 1; at < log.topics.length; at++) {
    yield { ...log, topics: log.topics.map((topic, is) => (is === at ? word(random) : topic)) };
  }
  for (let at = 2; at + 64 <= log.data.length; at += 64) {
    const other = word(random).slice(2);
    yield { ...log, data: `${log.data.slice(0, at)}${other}${log.data.slice(at + 64)}` as Hex };
  }
}

/** The event as its contract would emit it. */
function right(event: AbiEvent, random: Random): Log {
  const values = event.inputs.map(({ type }) => value(type, random));
  const named = Object.fromEntries(event.inputs.map((input, at) => [input.name, values[at]]));
  const topics = encodeEventTopics({ abi: [event], eventName: event.name, args: named as never });
  const plain = event.inputs.filter(input => !input.indexed);
  const data = encodeAbiParameters(
    // As bytes, so that it need not be UTF-8.
    plain.map(({ type }) => ({ type: type === "string" ? "bytes" : type })),
    plain.map(({ name }) => named[name ?? ""]),
  );
  return { topics: topics as Hex[], data };
}

function value(type: string, random: Random): unknown {
  if (type === "bool") return random.below(2) === 1;
  if (type === "address") return random.bytes(20);
  if (type === "bytes32") return random.bytes(32);
  if (type === "string" || type === "bytes") return random.bytes(random.below(70));
  const bits = Number(type.replace(/\D/g, ""));
  const wide = BigInt(random.bytes(32));
  const whole = type.startsWith("u") ? BigInt.asUintN(bits, wide) : BigInt.asIntN(bits, wide);
  return bits > 32 ? whole : Number(whole);
}

/** Anything, or what looks like an offset or a small number. */
function word(random: Random): Hex {
  return random.below(2) === 0 ? random.bytes(32) : numberToHex(random.below(400), { size: 32 });
}

/** The program CODECOPY(0, end, length); LOGn(0, length, …topics); STOP; data. */
function emitter({ topics, data }: Log): Hex {
  const push = (number: number) => `62${number.toString(16).padStart(6, "0")}`;
  const length = push(data.length / 2 - 1);
  const pushed = topics.map(topic => `7f${topic.slice(2)}`).reverse();
  const log = `${pushed.join("")}${length}5f${(0xa0 + topics.length).toString(16)}00`;
  const end = 4 + 4 + 1 + 1 + log.length / 2;
  return `0x${length}${push(end)}5f39${log}${data.slice(2)}`;
}

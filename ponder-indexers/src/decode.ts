// A log of a registry to its event's name and arguments, in the form of `events.data`. What does
// not fit its event's signature to the letter is no error: it is stored as it came.
import type { AbiEvent, AbiParameter, Hex } from "viem";
import { AGENT_ARGUMENTS, EARLIER_FEEDBACK, EVENTS, type RegistryName } from "./registries.ts";

export interface Decoded {
  eventType: string;
  /** The agent it is about, in decimal digits. */
  agentId: string | null;
  /** Arguments by their names on chain, in their order there. */
  data: Record<string, string | number | boolean>;
}

/** Bytes of log data that are decoded; longer logs are stored raw. */
const DECODED_BYTES_MAX = 1 << 20;
/** Bytes of JSON that arguments may be: strings that overlap in the data are read several times. */
const JSON_BYTES_MAX = 7 << 20;
/** Up to here no log's arguments are as long. */
export const SHORT_BYTES = 1 << 16;
const WORD_BYTES = 32;
/** A byte order mark is part of the text. */
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

class Malformed extends Error {}

/** Null where no event of the registry fits the log. */
export function decode(registry: RegistryName, topics: readonly Hex[], data: Hex): Decoded | null {
  const event = topics[0] === undefined ? undefined : EVENTS[registry].get(topics[0]);
  const bytes = Buffer.from(data.slice(2), "hex");
  if (event === undefined || bytes.length > DECODED_BYTES_MAX) return null;
  try {
    const decoded = read(event, topics.slice(1), bytes);
    return bytes.length > SHORT_BYTES && isLong(decoded) ? null : decoded;
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}

/** The agent of a log that is stored as it came, where its topic0 tells which topic holds it. */
export function agentOfRaw(registry: RegistryName, topics: readonly Hex[]): string | null {
  const place = agentTopic(registry, topics[0] ?? "0x");
  const topic = place > 0 ? topics[place] : undefined;
  return topic === undefined ? null : BigInt(topic).toString();
}

/** 0 where no topic holds it. */
function agentTopic(registry: RegistryName, topic0: Hex): number {
  if (registry === "reputation" && EARLIER_FEEDBACK.has(topic0)) return 1;
  const indexed = EVENTS[registry].get(topic0)?.inputs.filter(input => input.indexed) ?? [];
  return 1 + indexed.findIndex(({ name }) => AGENT_ARGUMENTS.has(name ?? ""));
}

function isLong({ data }: Decoded): boolean {
  return Buffer.byteLength(JSON.stringify(data)) > JSON_BYTES_MAX;
}

function read(event: AbiEvent, topics: readonly Hex[], bytes: Buffer): Decoded {
  const indexed = event.inputs.filter(input => input.indexed);
  if (indexed.length !== topics.length) throw new Malformed();
  let topic = 0;
  let place = 0;
  const data: Decoded["data"] = {};
  let agentId: string | null = null;
  for (const input of event.inputs) {
    const name = input.name ?? "";
    const value = input.indexed
      ? fromTopic(input, topics[topic++] as Hex)
      : fromData(input, bytes, WORD_BYTES * place++);
    data[name] = value;
    if (AGENT_ARGUMENTS.has(name)) agentId = String(value);
  }
  return { eventType: event.name, agentId, data };
}

/** An indexed string or bytes is its hash. */
function fromTopic({ type }: AbiParameter, topic: Hex) {
  const bytes = Buffer.from(topic.slice(2), "hex");
  return type === "string" || type === "bytes" ? hex(bytes) : fromWord(type, bytes);
}

function fromData({ type }: AbiParameter, bytes: Buffer, at: number) {
  if (type !== "string" && type !== "bytes") return fromWord(type, wordAt(bytes, at));
  const start = position(wordAt(bytes, at));
  const length = position(wordAt(bytes, start));
  const content = start + WORD_BYTES;
  if (length > bytes.length - content) throw new Malformed();
  const value = bytes.subarray(content, content + length);
  // JSONB and TEXT hold every character but U+0000.
  return type === "bytes" ? hex(value) : UTF8.decode(value).replaceAll("\0", "\ufffd");
}

/** Integers wider than 32 bits are decimal strings, whatever their value. */
function fromWord(type: string, word: Buffer): string | number | boolean {
  if (type === "address") {
    zeros(word, 12);
    return hex(word.subarray(12));
  }
  if (type === "bytes32") return hex(word);
  if (type === "bool") {
    const value = unsigned(word);
    if (value > 1n) throw new Malformed();
    return value === 1n;
  }
  const [, sign, digits] = /^(u?)int(\d+)$/.exec(type) ?? [];
  if (digits === undefined) throw new Error(`no event has an argument of type ${type}`);
  const bits = Number(digits);
  const value = sign === "u" ? unsigned(word) : BigInt.asIntN(256, unsigned(word));
  const fits = sign === "u" ? BigInt.asUintN(bits, value) : BigInt.asIntN(bits, value);
  if (fits !== value) throw new Malformed();
  return bits > 32 ? value.toString() : Number(value);
}

function wordAt(bytes: Buffer, at: number): Buffer {
  if (at > bytes.length - WORD_BYTES) throw new Malformed();
  return bytes.subarray(at, at + WORD_BYTES);
}

/** An offset or a length. Anything beyond 32 bits lies behind every end. */
function position(word: Buffer): number {
  zeros(word, WORD_BYTES - 4);
  return word.readUInt32BE(WORD_BYTES - 4);
}

function zeros(word: Buffer, count: number): void {
  if (word.subarray(0, count).some(byte => byte !== 0)) throw new Malformed();
}

function unsigned(word: Buffer): bigint {
  return BigInt(hex(word));
}

function hex(bytes: Buffer): Hex {
  return `0x${bytes.toString("hex")}`;
}

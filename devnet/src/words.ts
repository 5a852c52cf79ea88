// What well-behaved agents and clients write.
import type { Random } from "./random.ts";

const TAGS = ["uptime", "quality", "latency", "accuracy", "price", "support", ""];
const DETAILS = ["", "daily", "weekly", "chat", "search", "translation", "eu-west"];
const METADATA_KEYS = ["description", "version", "endpoint.mcp", "endpoint.a2a", "license"];

export const tag = (random: Random) => random.pick(TAGS);
export const detail = (random: Random) => random.pick(DETAILS);
export const metadataKey = (random: Random) => random.pick(METADATA_KEYS);

export function agentUri(random: Random): string {
  const number = random.below(10_000);
  return random.pick([
    `https://agent-${number}.example/card.json`,
    `ipfs://bafy${random.bytes(16).slice(2)}`,
    `data:application/json,{"name":"agent ${number}"}`,
  ]);
}

export function endpoint(random: Random): string {
  return random.pick(["", `https://agent-${random.below(10_000)}.example/mcp`]);
}

export function documentUri(random: Random, kind: string): string {
  return random.pick(["", `ipfs://${kind}-${random.bytes(8).slice(2)}`]);
}

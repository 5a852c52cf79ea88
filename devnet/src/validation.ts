// Calls to the validation registry.
import { encodeAbiParameters, keccak256 } from "viem/utils";
import type { Call, Text } from "./call.ts";
import { documentUri, tag } from "./words.ts";
import type { Request, World } from "./world.ts";

export const RESPONSE_MAX = 100;

export function requestValidation(world: World, uri?: Text): Call {
  const { random } = world;
  const agent = world.pickAgent();
  const validator = random.pick(world.cast.validators);
  // The agent's id makes it new even where earlier traffic had the same seed.
  const parts = [{ type: "uint256" }, { type: "bytes32" }] as const;
  const hash = keccak256(encodeAbiParameters(parts, [agent.id, random.bytes(32)]));
  world.addRequest({ hash, validator });
  const args = [validator, agent.id, uri ?? documentUri(random, "request"), hash];
  return world.registries.validation.call(agent.owner, "validationRequest", args);
}

export interface Answer {
  request: Request;
  response: number;
  uri: Text;
  tag: Text;
}

/** Answers any request, answered before or not; falls back to asking. */
export function respond(world: World, answer: Partial<Answer> = {}): Call {
  if (world.requests.length === 0) return requestValidation(world);
  const { random } = world;
  const { hash, validator } = answer.request ?? random.pick(world.requests);
  return world.registries.validation.call(validator, "validationResponse", [
    hash,
    answer.response ?? random.between(0, RESPONSE_MAX),
    answer.uri ?? documentUri(random, "response"),
    random.bytes(32),
    answer.tag ?? tag(random),
  ]);
}

/** One request whose answer is overwritten upwards, then downwards. */
export function* contestedValidation(world: World): Generator<Call> {
  yield requestValidation(world);
  const request = world.requests.at(-1);
  if (!request) throw new Error("a request was just made");
  for (const response of [60, 95, 20]) yield respond(world, { request, response });
}

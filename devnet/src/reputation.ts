// Calls to the reputation registry.
import type { Call, Text } from "./call.ts";
import { detail, documentUri, endpoint, tag } from "./words.ts";
import type { World } from "./world.ts";

export const VALUE_MAX = 2n ** 127n - 1n;
export const VALUE_MIN = -(2n ** 127n);
export const VALUE_DECIMALS_MAX = 18;
/** A log without topics and one with an unknown topic. */
const LOGS_OF_UNKNOWN = 2;

/** A score is value × 10^-valueDecimals. */
export interface Score {
  value: bigint;
  valueDecimals: number;
}

export interface FeedbackTexts {
  tag1: Text;
  tag2: Text;
  endpoint: Text;
  uri: Text;
}

export function giveFeedback(
  world: World,
  score: Score = usualScore(world),
  texts: Partial<FeedbackTexts> = {},
): Call {
  const { random } = world;
  const agent = world.pickAgent();
  const client = random.pick(world.cast.clients);
  world.addFeedback(agent, client);
  return world.registries.reputation.call(client, "giveFeedback", [
    agent.id,
    score.value,
    score.valueDecimals,
    texts.tag1 ?? tag(random),
    texts.tag2 ?? detail(random),
    texts.endpoint ?? endpoint(random),
    texts.uri ?? documentUri(random, "feedback"),
    random.bytes(32),
  ]);
}

/** Falls back to giving feedback where none is left to revoke. */
export function revokeFeedback(world: World): Call {
  if (world.feedback.length === 0) return giveFeedback(world);
  const feedback = world.random.pick(world.feedback);
  world.forgetFeedback(feedback);
  const args = [feedback.agent.id, feedback.index];
  return world.registries.reputation.call(feedback.client, "revokeFeedback", args);
}

/** Answered by the agent's owner or by a stranger; falls back to giving feedback. */
export function appendResponse(world: World, uri?: Text): Call {
  if (world.feedback.length === 0) return giveFeedback(world);
  const { random } = world;
  const { agent, client, index } = random.pick(world.feedback);
  const responder = random.pick([agent.owner, ...world.cast.validators]);
  const responseUri = uri ?? documentUri(random, "response");
  const args = [agent.id, client, index, responseUri, random.bytes(32)];
  return world.registries.reputation.call(responder, "appendResponse", args);
}

export function emitUnknown(world: World): Call {
  const caller = world.random.pick(world.cast.clients);
  return world.registries.reputation.call(caller, "emitUnknown", [], LOGS_OF_UNKNOWN);
}

/** Mostly 0 to 100 with up to two decimals; now and then negative, or with any decimals. */
export function usualScore({ random }: World): Score {
  const valueDecimals = random.weighted([
    [6, 0],
    [3, 2],
    [1, random.between(0, VALUE_DECIMALS_MAX)],
  ]);
  const hundredths = random.weighted([
    [9, random.between(0, 100_00)],
    [1, -random.between(1, 100_00)],
  ]);
  const value = (BigInt(hundredths) * 10n ** BigInt(valueDecimals)) / 100n;
  return { value, valueDecimals };
}

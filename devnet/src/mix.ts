// The endless part of all traffic: an ordinary day, drawn by weight.
import { initializeAgain, transferOwnership, upgrade } from "./administration.ts";
import type { Call } from "./call.ts";
import { HOSTILE_TEXTS } from "./hostile.ts";
import {
  approve,
  register,
  setAgentUri,
  setApprovalForAll,
  setMetadata,
  transfer,
} from "./identity.ts";
import { appendResponse, emitUnknown, giveFeedback, revokeFeedback } from "./reputation.ts";
import { requestValidation, respond } from "./validation.ts";
import { REGISTRY_NAMES, type World } from "./world.ts";

type Act = (world: World) => Call;

const ACTS: readonly (readonly [weight: number, act: Act])[] = [
  [400, world => giveFeedback(world)],
  [100, world => respond(world)],
  [80, world => requestValidation(world)],
  [70, world => register(world)],
  [70, world => appendResponse(world)],
  [60, world => setMetadata(world)],
  [50, world => setAgentUri(world)],
  [50, revokeFeedback],
  [40, transfer],
  [30, approve],
  [20, setApprovalForAll],
  [20, hostileFeedback],
  [5, emitUnknown],
  [5, administration],
];

export function* mix(world: World): Generator<Call> {
  while (true) yield world.random.weighted(ACTS)(world);
}

function hostileFeedback(world: World): Call {
  const text = () => world.random.pick(HOSTILE_TEXTS);
  return giveFeedback(world, undefined, { tag1: text(), tag2: text(), uri: text() });
}

function administration(world: World): Call {
  const act = world.random.pick([initializeAgain, transferOwnership, upgrade]);
  return act(world, world.random.pick(REGISTRY_NAMES));
}

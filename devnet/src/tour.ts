// The fixed beginning of all traffic: first every kind of event once, then the extremes.
import { initializeAgain, transferOwnership, upgrade } from "./administration.ts";
import type { Call, Text } from "./call.ts";
import { DATA_URI, HOSTILE_TEXTS, LONG_TAG } from "./hostile.ts";
import {
  approve,
  register,
  setAgentUri,
  setApprovalForAll,
  setMetadata,
  transfer,
} from "./identity.ts";
import {
  appendResponse,
  emitUnknown,
  giveFeedback,
  revokeFeedback,
  VALUE_DECIMALS_MAX,
  VALUE_MAX,
  VALUE_MIN,
} from "./reputation.ts";
import { contestedValidation, requestValidation, respond } from "./validation.ts";
import { REGISTRY_NAMES, type World } from "./world.ts";

export function* tour(world: World): Generator<Call> {
  yield* everyKind(world);
  yield* extremeScores(world);
  yield* largeTexts(world);
  for (const text of HOSTILE_TEXTS) yield* hostileText(world, text);
}

function* everyKind(world: World): Generator<Call> {
  for (let agents = 0; agents < 3; agents++) yield register(world);
  yield giveFeedback(world, { value: 8750n, valueDecimals: 2 });
  yield giveFeedback(world, { value: -3n, valueDecimals: 0 });
  yield appendResponse(world);
  yield revokeFeedback(world);
  yield* contestedValidation(world);
  yield setAgentUri(world);
  yield setMetadata(world);
  yield approve(world);
  yield setApprovalForAll(world);
  yield transfer(world);
  yield emitUnknown(world);
  for (const name of REGISTRY_NAMES) {
    yield initializeAgain(world, name);
    yield transferOwnership(world, name);
    yield upgrade(world, name);
  }
}

function* extremeScores(world: World): Generator<Call> {
  for (const value of [VALUE_MIN, VALUE_MAX, 0n]) {
    yield giveFeedback(world, { value, valueDecimals: 0 });
    yield giveFeedback(world, { value, valueDecimals: VALUE_DECIMALS_MAX });
  }
  for (let valueDecimals = 1; valueDecimals < VALUE_DECIMALS_MAX; valueDecimals++) {
    yield giveFeedback(world, { value: BigInt(world.random.between(-9999, 9999)), valueDecimals });
  }
}

function* largeTexts(world: World): Generator<Call> {
  yield register(world, DATA_URI);
  yield setAgentUri(world, DATA_URI);
  yield giveFeedback(world, undefined, { tag1: LONG_TAG });
}

/** The text in every argument that takes one. */
function* hostileText(world: World, text: Text): Generator<Call> {
  yield register(world, text);
  yield setAgentUri(world, text);
  yield setMetadata(world, text, text);
  yield giveFeedback(world, undefined, { tag1: text, tag2: text, endpoint: text, uri: text });
  yield appendResponse(world, text);
  yield requestValidation(world, text);
  yield respond(world, { uri: text, tag: text });
}

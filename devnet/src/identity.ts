// Calls to the identity registry.
import type { Call, Text } from "./call.ts";
import { agentUri, metadataKey } from "./words.ts";
import type { Agent, World } from "./world.ts";

/** Transfer, MetadataUpdate, Registered, MetadataSet. */
const LOGS_OF_REGISTER = 4;
/** MetadataUpdate, URIUpdated. */
const LOGS_OF_SET_URI = 2;
/** MetadataSet, Transfer. */
const LOGS_OF_TRANSFER = 2;

export function register(world: World, uri: Text = agentUri(world.random)): Call {
  const owner = world.random.pick(world.cast.owners);
  world.addAgent(owner);
  return world.registries.identity.call(owner, "register", [uri], LOGS_OF_REGISTER);
}

export function setAgentUri(world: World, uri: Text = agentUri(world.random)): Call {
  const agent = world.pickAgent();
  const caller = callerFor(world, agent);
  return world.registries.identity.call(caller, "setAgentURI", [agent.id, uri], LOGS_OF_SET_URI);
}

export function setMetadata(
  world: World,
  key: Text = metadataKey(world.random),
  value: Text = world.random.octets(world.random.below(40)),
): Call {
  const agent = world.pickAgent();
  const args = [agent.id, key, value];
  return world.registries.identity.call(callerFor(world, agent), "setMetadata", args);
}

export function approve(world: World): Call {
  const agent = world.pickAgent();
  const approved = world.random.pick([world.cast.operator, world.pickOtherOwner(agent.owner)]);
  agent.approved = approved;
  return world.registries.identity.call(agent.owner, "approve", [approved, agent.id]);
}

export function setApprovalForAll(world: World): Call {
  const owner = world.random.pick(world.cast.owners);
  const approved = !world.operatedOwners.has(owner);
  if (approved) world.operatedOwners.add(owner);
  else world.operatedOwners.delete(owner);
  const args = [world.cast.operator, approved];
  return world.registries.identity.call(owner, "setApprovalForAll", args);
}

export function transfer(world: World): Call {
  const agent = world.pickAgent();
  const caller = callerFor(world, agent);
  const from = agent.owner;
  agent.owner = world.pickOtherOwner(from);
  agent.approved = undefined;
  const args = [from, agent.owner, agent.id];
  return world.registries.identity.call(caller, "transferFrom", args, LOGS_OF_TRANSFER);
}

/** The owner, or somebody else who may act for the agent. */
function callerFor(world: World, agent: Agent) {
  const allowed = [agent.owner];
  if (agent.approved) allowed.push(agent.approved);
  if (world.operatedOwners.has(agent.owner)) allowed.push(world.cast.operator);
  return world.random.pick(allowed);
}

// What the traffic knows about the chain: enough to make only calls that succeed.
import type { Address, Hex } from "viem";
import type { Registry } from "./call.ts";
import type { Cast } from "./cast.ts";
import type { Random } from "./random.ts";

export interface Agent {
  id: bigint;
  owner: Address;
  approved: Address | undefined;
  /** How often each client has given feedback: the last index. */
  feedbackCounts: Map<Address, bigint>;
}

export interface Feedback {
  agent: Agent;
  client: Address;
  index: bigint;
}

export interface Request {
  hash: Hex;
  validator: Address;
}

export type RegistryName = "identity" | "reputation" | "validation";
export const REGISTRY_NAMES: readonly RegistryName[] = ["identity", "reputation", "validation"];
export type Registries = Record<RegistryName, Registry>;

/** What the chain held before: traffic goes on from here. */
export interface Beginning {
  agentCount: bigint;
  administrators: Record<RegistryName, Address>;
}

/** Older entries are forgotten beyond this many, so that hours of traffic stay small. */
const REMEMBERED_MAX = 500;

export class World {
  readonly agents: Agent[] = [];
  /** Feedback that is not revoked. */
  readonly feedback: Feedback[] = [];
  readonly requests: Request[] = [];
  readonly operatedOwners = new Set<Address>();
  readonly administrators: Record<RegistryName, Address>;
  private nextAgentId: bigint;

  constructor(
    readonly random: Random,
    readonly cast: Cast,
    readonly registries: Registries,
    beginning: Beginning,
  ) {
    this.nextAgentId = beginning.agentCount;
    this.administrators = { ...beginning.administrators };
  }

  addAgent(owner: Address): Agent {
    const id = this.nextAgentId++;
    const agent = { id, owner, approved: undefined, feedbackCounts: new Map() };
    remember(this.agents, agent);
    return agent;
  }

  addFeedback(agent: Agent, client: Address): Feedback {
    const index = (agent.feedbackCounts.get(client) ?? 0n) + 1n;
    agent.feedbackCounts.set(client, index);
    const feedback = { agent, client, index };
    remember(this.feedback, feedback);
    return feedback;
  }

  forgetFeedback(feedback: Feedback): void {
    this.feedback.splice(this.feedback.indexOf(feedback), 1);
  }

  addRequest(request: Request): void {
    remember(this.requests, request);
  }

  pickAgent(): Agent {
    return this.random.pick(this.agents);
  }

  pickOtherOwner(than: Address): Address {
    return this.random.pick(this.cast.owners.filter(owner => owner !== than));
  }
}

function remember<T>(entries: T[], entry: T): void {
  entries.push(entry);
  if (entries.length > REMEMBERED_MAX) entries.shift();
}

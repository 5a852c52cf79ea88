// One run of traffic, from what the chain holds to the summary.
import type { Address } from "viem";
import { loadArtifact } from "./artifact.ts";
import { type Call, Registry } from "./call.ts";
import { CAST_SIZE, castOf } from "./cast.ts";
import { takeUpMining } from "./mining.ts";
import { mix } from "./mix.ts";
import type { Node } from "./node.ts";
import { Pace } from "./pace.ts";
import { Random } from "./random.ts";
import { revertReason } from "./revert.ts";
import { Sender, type Witness } from "./sender.ts";
import { type Summary, Totals } from "./totals.ts";
import { tour } from "./tour.ts";
import { type Beginning, type Registries, World } from "./world.ts";

export interface Order {
  identity: Address;
  reputation: Address;
  validation: Address;
  seed: number;
  /** Logs to emit at least. */
  events: number;
  /** Logs a second; as fast as the node takes them where undefined. */
  rate: number | undefined;
  /** Transactions a block at most; the node's own way where undefined. */
  batch: number | undefined;
}

/** Sends traffic until enough logs are on their way or `stop` says so, then waits for all of it. */
export async function drive(node: Node, order: Order, stop: AbortSignal): Promise<Summary> {
  const registries = await openRegistries(order);
  const world = new World(
    new Random(order.seed),
    castOf(await node.accounts(CAST_SIZE)),
    registries,
    await readBeginning(node, registries),
  );
  const totals = new Totals(registries);
  const mining = await takeUpMining(node, order.batch !== undefined);
  try {
    const sender = await Sender.open(node, mining, witnessOf(node, registries, totals));
    await sendAll(world, order, sender, stop);
    await sender.settle();
  } finally {
    await mining.restore();
  }
  return totals.summary;
}

async function sendAll(world: World, order: Order, sender: Sender, stop: AbortSignal) {
  const pace = new Pace(order.rate, stop);
  const calls = callsOf(world);
  let logs = 0;
  for (let count = 1; logs < order.events; count++) {
    await pace.awaitTurn(logs);
    if (stop.aborted) return;
    const call = calls.next().value;
    await sender.send(call);
    logs += call.logs;
    if (order.batch !== undefined && count % order.batch === 0) await sender.settle();
    if (count % 1_000 === 0) process.stderr.write(`${logs} of ${order.events} logs sent\n`);
  }
}

function* callsOf(world: World): Generator<Call, never> {
  yield* tour(world);
  yield* mix(world);
  throw new Error("the mix never ends");
}

function witnessOf(node: Node, registries: Registries, totals: Totals): Witness {
  return async (call, receipt) => {
    totals.add(receipt);
    const what = `${call.name} (transaction ${receipt.transactionHash})`;
    if (receipt.status !== "0x1") {
      const registry = Object.values(registries).find(({ address }) => address === call.to);
      throw new Error(`${what} reverted: ${await revertReason(node, call, registry)}`);
    }
    if (receipt.logs.length !== call.logs) {
      throw new Error(`${what} emitted ${receipt.logs.length} logs instead of ${call.logs}`);
    }
  };
}

async function openRegistries(order: Order): Promise<Registries> {
  const [identity, reputation, validation] = [
    await loadArtifact("IdentityRegistry"),
    await loadArtifact("ReputationRegistry"),
    await loadArtifact("ValidationRegistry"),
  ];
  return {
    identity: new Registry(order.identity, identity.abi),
    reputation: new Registry(order.reputation, reputation.abi),
    validation: new Registry(order.validation, validation.abi),
  };
}

async function readBeginning(node: Node, registries: Registries): Promise<Beginning> {
  const owner = async (registry: Registry) =>
    (await node.read<Address>(registry, "owner")).toLowerCase() as Address;
  return {
    agentCount: await node.read<bigint>(registries.identity, "agentCount"),
    administrators: {
      identity: await owner(registries.identity),
      reputation: await owner(registries.reputation),
      validation: await owner(registries.validation),
    },
  };
}

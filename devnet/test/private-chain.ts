// A private node with the registries on it, and its logs as they are.

import type { Address, Hex } from "viem";
import { loadArtifact } from "../src/artifact.ts";
import { type Call, Registry } from "../src/call.ts";
import { type Deployment, deploy } from "../src/deployment.ts";
import { Node, type Receipt } from "../src/node.ts";
import { awaitReceipt } from "../src/receipt.ts";
import type { Registries } from "../src/world.ts";
import { type PrivateAnvil, startAnvil } from "./private-anvil.ts";

export interface RawLog {
  address: Address;
  topics: Hex[];
  data: Hex;
}

export interface PrivateChain {
  anvil: PrivateAnvil;
  node: Node;
  deployment: Deployment;
  registries: Registries;
  accounts: Address[];
}

export async function startChain(...anvilOptions: string[]): Promise<PrivateChain> {
  const anvil = await startAnvil(...anvilOptions);
  try {
    const node = new Node(anvil.url);
    const deployment = await deploy(node);
    return {
      anvil,
      node,
      deployment,
      registries: await registriesOf(deployment),
      accounts: await node.accounts(10),
    };
  } catch (error) {
    await anvil.end();
    throw error;
  }
}

/** Every log in these blocks, of whatever contract, in the chain's order. */
export async function logsOf(chain: PrivateChain, from: number, to: number): Promise<RawLog[]> {
  const range = { fromBlock: `0x${from.toString(16)}`, toBlock: `0x${to.toString(16)}` };
  const logs = await chain.anvil.rpc.ask<RawLog[]>("eth_getLogs", [range]);
  return logs.map(({ address, topics, data }) => ({ address, topics, data }));
}

/** Sends one call and returns its receipt, reverted or not. */
export async function sendCall({ node }: PrivateChain, call: Call): Promise<Receipt> {
  const { from, to, data, gas } = call;
  const hash = await node.send({ from, to, data, gas, nonce: await node.nextNonce(from) });
  return awaitReceipt(node, hash);
}

async function registriesOf({ identity, reputation, validation }: Deployment): Promise<Registries> {
  return {
    identity: new Registry(identity, (await loadArtifact("IdentityRegistry")).abi),
    reputation: new Registry(reputation, (await loadArtifact("ReputationRegistry")).abi),
    validation: new Registry(validation, (await loadArtifact("ValidationRegistry")).abi),
  };
}

// The three registries, brought onto a chain.
import type { Address, Hash, Hex } from "viem";
import { encodeDeployData, getContractAddress } from "viem/utils";
import { type ContractName, loadArtifact } from "./artifact.ts";
import { takeUpMining } from "./mining.ts";
import type { Node } from "./node.ts";
import { awaitReceipt } from "./receipt.ts";

export interface Deployment {
  chainId: number;
  identity: Address;
  reputation: Address;
  validation: Address;
  /** The block of the first registry; indexing from here misses nothing. */
  startBlock: number;
}

/** Enough for the largest registry (about 1,000,000), far below a block's 30,000,000. */
const GAS_PER_CONTRACT = 3_000_000n;

/** Deploys from the first dev account. All three are sent before the first one is waited for. */
export async function deploy(node: Node): Promise<Deployment> {
  const [deployer] = await node.accounts(1);
  if (!deployer) throw new Error("the node has no unlocked account");
  const firstNonce = await node.nextNonce(deployer);
  const addressOf = (index: number) =>
    getContractAddress({ from: deployer, nonce: BigInt(firstNonce + index) }).toLowerCase();
  const identity = addressOf(0) as Address;
  const creations = [
    await creationData("IdentityRegistry", []),
    await creationData("ReputationRegistry", [identity]),
    await creationData("ValidationRegistry", [identity]),
  ];
  const hashes: Hash[] = [];
  for (const [index, data] of creations.entries()) {
    hashes.push(
      await node.send({ from: deployer, nonce: firstNonce + index, gas: GAS_PER_CONTRACT, data }),
    );
  }
  const mining = await takeUpMining(node, false);
  await mining.mine();
  const blocks: number[] = [];
  for (const hash of hashes) {
    const receipt = await awaitReceipt(node, hash);
    if (receipt.status !== "0x1") throw new Error(`deployment ${hash} reverted`);
    blocks.push(Number(receipt.blockNumber));
  }
  return {
    chainId: await node.chainId(),
    identity,
    reputation: addressOf(1) as Address,
    validation: addressOf(2) as Address,
    startBlock: Math.min(...blocks),
  };
}

async function creationData(name: ContractName, args: unknown[]): Promise<Hex> {
  const { abi, bytecode } = await loadArtifact(name);
  return encodeDeployData({ abi, bytecode, args });
}

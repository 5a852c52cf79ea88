// The local node: the few of its methods that are needed here.
import type { Address, Hash, Hex, RpcTransactionReceipt } from "viem";
import { decodeFunctionResult, encodeFunctionData, numberToHex } from "viem/utils";
import type { Registry } from "./call.ts";
import { Rpc } from "./rpc.ts";

export type Receipt = RpcTransactionReceipt;

/** The node signs: its dev accounts are unlocked, so no key is needed anywhere. */
export interface Transaction {
  from: Address;
  to?: Address;
  data: Hex;
  nonce: number;
  gas: bigint;
  maxFeePerGas?: bigint;
}

export class Node {
  private readonly rpc: Rpc;

  constructor(url: string) {
    this.rpc = new Rpc(url);
  }

  async chainId(): Promise<number> {
    return Number(await this.rpc.ask<Hex>("eth_chainId"));
  }

  /** The dev accounts, in lower case. */
  async accounts(atLeast: number): Promise<Address[]> {
    const accounts = await this.rpc.ask<Address[]>("eth_accounts");
    if (accounts.length < atLeast) {
      throw new Error(`the node has ${accounts.length} unlocked accounts, ${atLeast} are needed`);
    }
    return accounts.map(account => account.toLowerCase() as Address);
  }

  /** Counts what is still waiting in the pool. */
  async nextNonce(address: Address): Promise<number> {
    return Number(await this.rpc.ask<Hex>("eth_getTransactionCount", [address, "pending"]));
  }

  async blockGasLimit(): Promise<bigint> {
    const latest = await this.rpc.ask<{ gasLimit: Hex }>("eth_getBlockByNumber", ["latest", false]);
    return BigInt(latest.gasLimit);
  }

  /** Returns once the transaction is in the pool. */
  async send({ nonce, gas, maxFeePerGas, ...rest }: Transaction): Promise<Hash> {
    const fees = maxFeePerGas === undefined ? {} : { maxFeePerGas: numberToHex(maxFeePerGas) };
    const numbers = { nonce: numberToHex(nonce), gas: numberToHex(gas) };
    return this.rpc.ask<Hash>("eth_sendTransaction", [
      { ...rest, ...numbers, ...fees, maxPriorityFeePerGas: "0x0" },
    ]);
  }

  /** Null for each transaction that is not mined yet. */
  async receipts(hashes: readonly Hash[]): Promise<(Receipt | null)[]> {
    const method = "eth_getTransactionReceipt";
    return hashes.length === 0
      ? []
      : this.rpc.askAll(hashes.map(hash => ({ method, params: [hash] })));
  }

  async call(call: { from?: Address; to: Address; data: Hex }): Promise<Hex> {
    return this.rpc.ask<Hex>("eth_call", [call, "latest"]);
  }

  /** A registry's public variable. */
  async read<T>({ address, abi }: Registry, functionName: string): Promise<T> {
    const data = await this.call({ to: address, data: encodeFunctionData({ abi, functionName }) });
    if (data === "0x") throw new Error(`${address} is no registry: it has no ${functionName}`);
    return decodeFunctionResult({ abi, functionName, data }) as T;
  }

  async automine(): Promise<boolean> {
    return this.rpc.ask("anvil_getAutomine");
  }

  async setAutomine(on: boolean): Promise<void> {
    await this.rpc.ask("evm_setAutomine", [on]);
  }

  /** Seconds between blocks mined by the clock; 0 where the clock mines none. */
  async intervalSeconds(): Promise<number> {
    return (await this.rpc.ask<number | null>("anvil_getIntervalMining")) ?? 0;
  }

  async mine(): Promise<void> {
    await this.rpc.ask("evm_mine");
  }
}

// Sends calls one behind the other without waiting for blocks, and reads every receipt later.
//
// All that is on its way fits into one block. So a node never has to leave a large transaction for
// later and take a smaller one first, and calls are mined in the order in which they were sent,
// whoever sends them.
import { setTimeout as delay } from "node:timers/promises";
import type { Address, Hash } from "viem";
import { parseGwei } from "viem/utils";
import type { Call } from "./call.ts";
import type { Mining } from "./mining.ts";
import type { Node, Receipt } from "./node.ts";
import { POLL_MS, STALL_MS_MAX } from "./receipt.ts";

/** Above any base fee that full blocks can drive up to in an hour; only the base fee is paid. */
const MAX_FEE_PER_GAS = parseGwei("1000");
/** Bounds our memory and the node's pool where the gas limit does not. */
const UNSETTLED_MAX = 2_000;
/** Receipts are asked for in groups of this size, after as many sendings. */
const RECEIPTS_AT_ONCE = 32;

interface Sent {
  call: Call;
  hash: Hash;
}

/** Told of each mined transaction, in order. It throws if one is not as it should be. */
export type Witness = (call: Call, receipt: Receipt) => Promise<void>;

export class Sender {
  private readonly nonces = new Map<Address, number>();
  private readonly unsettled: Sent[] = [];
  private unsettledGas = 0n;
  private sentCount = 0;

  private constructor(
    private readonly node: Node,
    private readonly mining: Mining,
    private readonly witness: Witness,
    private readonly gasMax: bigint,
  ) {}

  static async open(node: Node, mining: Mining, witness: Witness): Promise<Sender> {
    return new Sender(node, mining, witness, await node.blockGasLimit());
  }

  /** Sends at once where there is room; where there is none, as soon as there is. */
  async send(call: Call): Promise<void> {
    if (call.gas > this.gasMax) {
      throw new Error(`${call.name} needs ${call.gas} gas, a block has ${this.gasMax}`);
    }
    await this.makeRoom(call.gas);
    const hash = await this.submit(call);
    this.unsettled.push({ call, hash });
    this.unsettledGas += call.gas;
    this.sentCount += 1;
    if (this.sentCount % RECEIPTS_AT_ONCE === 0) await this.collect();
  }

  /** Returns once everything sent is mined and witnessed. */
  async settle(): Promise<void> {
    await this.until(() => this.unsettled.length === 0);
  }

  private async makeRoom(gas: bigint): Promise<void> {
    const fits = () =>
      this.unsettledGas + gas <= this.gasMax && this.unsettled.length < UNSETTLED_MAX;
    if (!fits()) await this.until(fits);
  }

  private async until(reached: () => boolean): Promise<void> {
    await this.mining.mine();
    let lastProgress = Date.now();
    while (!reached()) {
      if ((await this.collect()) > 0) {
        lastProgress = Date.now();
      } else if (Date.now() - lastProgress > STALL_MS_MAX) {
        throw new Error(`${this.unsettled.length} transactions wait and no block is mined`);
      } else {
        await delay(POLL_MS);
      }
    }
  }

  /** Takes the receipts that are there, oldest first, and returns how many. */
  private async collect(): Promise<number> {
    const oldest = this.unsettled.slice(0, RECEIPTS_AT_ONCE);
    const receipts = await this.node.receipts(oldest.map(({ hash }) => hash));
    let settled = 0;
    for (const [index, { call }] of oldest.entries()) {
      const receipt = receipts[index];
      if (!receipt) break;
      this.unsettled.shift();
      this.unsettledGas -= call.gas;
      settled += 1;
      await this.witness(call, receipt);
    }
    return settled;
  }

  private async submit({ name, from, to, data, gas }: Call): Promise<Hash> {
    const nonce = this.nonces.get(from) ?? (await this.node.nextNonce(from));
    this.nonces.set(from, nonce + 1);
    try {
      const maxFeePerGas = MAX_FEE_PER_GAS;
      return await this.node.send({ from, to, data, gas, nonce, maxFeePerGas });
    } catch (error) {
      throw new Error(`${name} was not sent: ${error instanceof Error ? error.message : error}`);
    }
  }
}

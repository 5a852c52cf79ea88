// One transaction to be sent, encoded so that strings may hold any bytes.
import type { Abi, AbiFunction, AbiParameter, Address, Hex } from "viem";
import {
  concatHex,
  encodeAbiParameters,
  size,
  stringToHex,
  toFunctionSelector,
  toHex,
} from "viem/utils";

/** An argument of type string or bytes. Bytes are sent as they are, valid UTF-8 or not. */
export type Text = string | Uint8Array;

export interface Call {
  /** What a person calls it, for messages. */
  name: string;
  from: Address;
  to: Address;
  data: Hex;
  gas: bigint;
  /** How many logs it emits. */
  logs: number;
}

/** Above what any call of ours uses without its payload: four fresh slots and four logs. */
const GAS_BASE = 250_000n;
/** A byte costs at most 40 as calldata, 8 as log data, and its copies in memory. */
const GAS_PER_BYTE = 60n;

export class Registry {
  constructor(
    readonly address: Address,
    readonly abi: Abi,
  ) {}

  call(from: Address, name: string, args: readonly unknown[], logs = 1): Call {
    const data = this.encode(name, args);
    const gas = GAS_BASE + GAS_PER_BYTE * BigInt(size(data));
    return { name, from, to: this.address, data, gas, logs };
  }

  private encode(name: string, args: readonly unknown[]): Hex {
    const item = this.abi.find(
      (entry): entry is AbiFunction => entry.type === "function" && entry.name === name,
    );
    if (!item) throw new Error(`no function ${name}`);
    const values = item.inputs.map((input, index) =>
      isText(input) ? textToHex(args[index] as Text) : args[index],
    );
    return concatHex([
      toFunctionSelector(item),
      encodeAbiParameters(item.inputs.map(asBytes), values),
    ]);
  }
}

function isText({ type }: AbiParameter): boolean {
  return type === "string" || type === "bytes";
}

/** `string` and `bytes` have the same layout; only an encoder of `string` insists on UTF-8. */
function asBytes(input: AbiParameter): AbiParameter {
  return isText(input) ? { ...input, type: "bytes" } : input;
}

function textToHex(text: Text): Hex {
  return typeof text === "string" ? stringToHex(text) : toHex(text);
}

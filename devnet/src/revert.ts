// Why a transaction reverted: it is replayed as a call, and the answer is read with the ABI.
import type { Hex } from "viem";
import { decodeErrorResult } from "viem/utils";
import type { Call, Registry } from "./call.ts";
import type { Node } from "./node.ts";
import { RefusedError } from "./rpc.ts";

/** The error's name and arguments where the registry knows it, else what the node says. */
export async function revertReason(
  node: Node,
  { from, to, data }: Call,
  registry: Registry | undefined,
): Promise<string> {
  try {
    await node.call({ from, to, data });
    return "it would succeed now, so it ran out of gas or came too early";
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return (registry && named(error.data, registry)) ?? error.message;
  }
}

function named(data: unknown, registry: Registry): string | undefined {
  if (typeof data !== "string") return undefined;
  try {
    const { errorName, args } = decodeErrorResult({ abi: registry.abi, data: data as Hex });
    return `${errorName}(${(args ?? []).join(", ")})`;
  } catch {
    return undefined;
  }
}

// A node of a test's own: the native process itself, on a free port, ended by its id.
import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { Rpc } from "../src/rpc.ts";
import { eventually } from "./patience.ts";

export interface PrivateAnvil {
  url: string;
  rpc: Rpc;
  end(): Promise<void>;
}

export async function startAnvil(...options: string[]): Promise<PrivateAnvil> {
  const child = spawn(nativeBinary(), ["--port", "0", "--prune-history", "64", ...options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const endWithUs = () => child.kill("SIGKILL");
  process.once("exit", endWithUs);
  const url = await announcedUrl(child);
  const rpc = new Rpc(url);
  await eventually("the node answers", async () => Boolean(await rpc.ask("eth_chainId")));
  const end = async () => {
    process.removeListener("exit", endWithUs);
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
  };
  return { url, rpc, end };
}

/** The launcher's own child. Started directly, it is ours to end. */
export function nativeBinary(): string {
  const system = process.platform;
  const machine = process.arch === "x64" ? "amd64" : process.arch;
  const file = system === "win32" ? "anvil.exe" : "anvil";
  const { resolve } = createRequire(import.meta.url);
  return resolve(`@foundry-rs/anvil-${system}-${machine}/bin/${file}`);
}

async function announcedUrl(child: ChildProcessByStdio<null, Readable, null>): Promise<string> {
  for await (const line of createInterface({ input: child.stdout })) {
    const address = line.match(/^Listening on (.+)$/)?.[1];
    if (!address) continue;
    // Left unread, a full pipe would stop the node.
    child.stdout.resume();
    return `http://${address}`;
  }
  return assert.fail(`anvil ended with ${child.exitCode} before it listened`);
}

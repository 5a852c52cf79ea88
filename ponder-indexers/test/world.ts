// A private chain with the registries, databases, and the two indexers as processes.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import type { Address } from "viem";
import { drive } from "../../devnet/src/drive.ts";
import { type PrivateChain, startChain } from "../../devnet/test/private-chain.ts";
import { ROOT } from "../command/build.ts";
import type { RegistryName } from "../src/registries.ts";
import { eventually } from "./patience.ts";
import { type PrivatePostgres, startPostgres } from "./private-postgres.ts";

export const CHAIN_ID = 31337;
const CHAIN = "devnet";
const CHAIN_INDEXER = fileURLToPath(
  new URL("../../rust-backend/target/debug/chain-indexer", import.meta.url),
);

const MIGRATIONS = new URL("../../database/migrations/", import.meta.url);

export interface Head {
  number: number;
  hash: string;
}

export class World {
  /** Further variables of the processes that are started. */
  environment: NodeJS.ProcessEnv = {};
  readonly folder = mkdtempSync(join(tmpdir(), "agentauri-world-"));
  private readonly children = new Set<ChildProcess>();

  private constructor(
    readonly chain: PrivateChain,
    readonly postgres: PrivatePostgres,
  ) {}

  static async start(): Promise<World> {
    // Behind the clock: many blocks are mined, each a second after the one before.
    const timestamp = String(Math.floor(Date.now() / 1_000) - 86_400);
    const options = ["--gas-limit", "1000000000", "--timestamp", timestamp];
    const postgres = await startPostgres();
    try {
      return new World(await startChain(...options), postgres);
    } catch (error) {
      await postgres.end();
      throw error;
    }
  }

  async end(): Promise<void> {
    for (const child of this.children) await kill(child, "SIGKILL");
    await this.chain.anvil.end();
    await this.postgres.end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A migrated database. */
  async database(name: string): Promise<{ url: string; store: Store }> {
    const url = await this.postgres.create(name);
    const store = new Store(url);
    for (const file of readdirSync(MIGRATIONS).sort()) {
      await store.execute(readFileSync(new URL(file, MIGRATIONS), "utf8"));
    }
    return { url, store };
  }

  /** A file that names the chain, with further lines for it. */
  config(name: string, ...lines: string[]): string {
    return this.configOf(this.chain.deployment, name, ...lines);
  }

  configOf(registries: Record<RegistryName, Address>, name: string, ...lines: string[]): string {
    const { identity, reputation, validation } = registries;
    // Ponder begins with 20 requests a second to each URL, and takes minutes to become faster.
    const urls = Array.from({ length: 16 }, (_, at) => `"${this.chain.anvil.url}/?${at}"`);
    const usual = [
      `rpc_urls = [${urls.join(", ")}]`,
      "poll_interval_ms = 20",
      `start_block = ${this.chain.deployment.startBlock}`,
    ];
    const keyOf = (line: string) => line.split(" ")[0];
    const others = usual.filter(line => !lines.some(own => keyOf(own) === keyOf(line)));
    const file = join(this.folder, name);
    writeFileSync(
      file,
      [
        ...["[[chains]]", `name = "${CHAIN}"`, `id = ${CHAIN_ID}`, ...others, ...lines],
        ...["[chains.registries]", `identity = "${identity}"`],
        ...[`reputation = "${reputation}"`, `validation = "${validation}"`, ""],
      ].join("\n"),
    );
    return file;
  }

  /** Our own indexer. */
  indexer(config: string, database: string): Process {
    const environment = { AGENTAURI_CONFIG: config, DATABASE_URL: database };
    return this.process("chain-indexer", [CHAIN_INDEXER], {
      ...environment,
      AGENTAURI_LISTEN: "off",
    });
  }

  ponder(config: string, database: string, ...options: string[]): Process {
    // A free port: two Ponders that look for the next one at the same time find the same.
    const [command = "start", ...rest] = options.length > 0 ? options : ["start", "--port", "0"];
    const file = join(ROOT, "command/command.ts");
    return this.process(
      `ponder-${command}`,
      [process.execPath, "--import", "tsx", file, command, "--chain", CHAIN, ...rest],
      { AGENTAURI_CONFIG: config, DATABASE_URL: database },
    );
  }

  async traffic(seed: number, events: number, batch: number): Promise<void> {
    const { identity, reputation, validation } = this.chain.deployment;
    const order = { identity, reputation, validation, seed, events, rate: undefined, batch };
    await drive(this.chain.node, order, new AbortController().signal);
  }

  async mine(blocks: number): Promise<void> {
    await this.chain.anvil.rpc.ask("anvil_mine", [`0x${blocks.toString(16)}`, "0x1"]);
  }

  /** Mines a block with an event in it; to be called while blocks are not mined by themselves. */
  async mineOneEvent(): Promise<void> {
    const { chain } = this;
    const [from] = chain.accounts;
    if (from === undefined) throw new Error("the node has no account");
    const call = chain.registries.identity.call(from, "register", ["ipfs://agent"], 4);
    const hash = await chain.node.send({ ...call, nonce: await chain.node.nextNonce(from) });
    await chain.node.mine();
    const [receipt] = await chain.node.receipts([hash]);
    assert.equal(receipt?.logs.length, call.logs, "it is in the block");
  }

  /** Replaces the highest blocks by empty ones. */
  async reorganise(depth: number): Promise<void> {
    await this.chain.anvil.rpc.ask("anvil_reorg", [depth, []]);
  }

  async head(): Promise<Head> {
    const block = await this.chain.anvil.rpc.ask<{ number: string; hash: string }>(
      "eth_getBlockByNumber",
      ["latest", false],
    );
    return { number: Number(block.number), hash: block.hash };
  }

  /** The ids that our writers give to the registries' logs, as the chain is now. */
  async canonicalIds(): Promise<string[]> {
    const { identity, reputation, validation } = this.chain.deployment;
    const filter = { address: [identity, reputation, validation], fromBlock: "earliest" };
    const logs = await this.chain.anvil.rpc.ask<{ blockHash: string; logIndex: string }[]>(
      "eth_getLogs",
      [filter],
    );
    return logs.map(log => `${CHAIN_ID}-${log.blockHash}-${Number(log.logIndex)}`).sort();
  }

  private process(name: string, command: string[], environment: NodeJS.ProcessEnv): Process {
    const file = join(this.folder, `${name}-${this.children.size}.log`);
    const all = { ...this.environment, ...environment };
    const process = new Process(name, command, all, file);
    this.children.add(process.child);
    return process;
  }
}

export class Process {
  readonly child: ChildProcess;
  output = "";

  constructor(
    readonly name: string,
    [program = "", ...args]: string[],
    environment: NodeJS.ProcessEnv,
    private readonly log: string,
  ) {
    const { PATH, HOME } = process.env;
    const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
    this.child = spawn(program, args, { cwd: ROOT, env: { PATH, HOME, ...environment }, stdio });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", text => {
        this.output = (this.output + text).slice(-200_000);
      });
    }
    this.child.on("error", error => {
      this.output += `${program} did not start: ${error.message}`;
    });
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<number | null> {
    await kill(this.child, signal);
    return this.child.exitCode;
  }

  /** Its exit code, once it ends. */
  async ended(): Promise<number | null> {
    if (!this.hasEnded) await once(this.child, "exit");
    return this.child.exitCode;
  }

  /** Its last lines, for a message. */
  get tail(): string {
    writeFileSync(this.log, this.output);
    return `${this.name}:\n${readFileSync(this.log, "utf8").slice(-4_000)}`;
  }
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}

export class Store {
  private readonly pool: pg.Pool;

  constructor(url: string) {
    this.pool = new pg.Pool({ connectionString: url, max: 4 });
    // Ends with its server.
    this.pool.on("error", () => undefined);
  }

  /** Any number of statements. */
  async execute(text: string): Promise<void> {
    await this.pool.query(text);
  }

  async rows<T = Record<string, unknown>>(text: string, ...values: unknown[]): Promise<T[]> {
    return (await this.pool.query(text, values)).rows as T[];
  }

  async close(): Promise<void> {
    await this.pool.end();
  }

  /** All that `events` says but when a row was written, by id. */
  async events(): Promise<Map<string, Record<string, unknown>>> {
    const rows = await this.rows(
      `SELECT id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
              registry, "timestamp", agent_id, data, address, topics, log_data, invalidated,
              revision
       FROM events ORDER BY block_number, log_index, id`,
    );
    return new Map(rows.map(row => [row.id as string, row]));
  }

  async validIds(): Promise<string[]> {
    const rows = await this.rows<{ id: string }>("SELECT id FROM events WHERE NOT invalidated");
    return rows.map(row => row.id).sort();
  }

  async checkpoint(): Promise<Head | undefined> {
    const [row] = await this.rows("SELECT block_number, block_hash FROM checkpoints");
    return row && { number: Number(row.block_number), hash: row.block_hash as string };
  }

  /** The last block that our own indexer has stored. */
  async ancestry(): Promise<Head | undefined> {
    const [row] = await this.rows(
      `SELECT block_number, block_hash FROM observed_blocks WHERE reader = 'indexer'
       ORDER BY block_number DESC LIMIT 1`,
    );
    return row && { number: Number(row.block_number), hash: row.block_hash as string };
  }

  /** The last block that Ponder's current schema has passed. */
  async cursor(): Promise<Head | undefined> {
    const [schema] = await this.rows(
      "SELECT schema_name FROM ponder_schemas WHERE status = 'current'",
    );
    if (!schema) return undefined;
    const table = `${pg.escapeIdentifier(schema.schema_name as string)}.cursor`;
    const [row] = await this.rows(`SELECT block_number, block_hash FROM ${table}`);
    return row && { number: Number(row.block_number), hash: row.block_hash as string };
  }
}

/** Waits until each of `where` says the chain's head. A process that ended is shown. */
export async function untilHead(
  world: World,
  where: (() => Promise<Head | undefined>)[],
  processes: Process[],
): Promise<Head> {
  let head = await world.head();
  await eventually(`at the head, block ${head.number}`, async () => {
    head = await world.head();
    if (processes.some(process => process.hasEnded)) return true;
    const reached = await Promise.all(where.map(ask => ask()));
    return reached.every(at => at?.number === head.number && at.hash === head.hash);
  }).catch(error => {
    throw new Error([error.message, ...processes.map(process => process.tail)].join("\n"), {
      cause: error,
    });
  });
  for (const process of processes) assert(!process.hasEnded, process.tail);
  return head;
}

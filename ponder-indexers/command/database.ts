// The event store's side of a deployment; its functions are in
// database/migrations/20250126000030_create_ponder_schemas.sql.
import pg from "pg";
import type { Chain } from "../src/chain.ts";
import type { Environment } from "../src/config.ts";
import { databaseUrl } from "../src/database-url.ts";

export type Status = "candidate" | "current" | "retired";

export interface Cursor {
  number: number;
  hash: string;
}

export class Database {
  private constructor(private readonly client: pg.Client) {}

  /** One session. Losing it ends the process: a lock that it held is gone. */
  static async open(environment: Environment): Promise<Database> {
    const client = new pg.Client({ connectionString: databaseUrl(environment), keepAlive: true });
    await client.connect();
    // Whatever the role's own settings say: another schema's tables would stand before ours.
    await client.query("SET search_path = public, pg_temp");
    const database = new Database(client);
    if (!(await database.value("SELECT to_regclass('public.ponder_schemas') IS NOT NULL"))) {
      await client.end();
      throw new Error("the database has no table ponder_schemas: run agentauri migrate");
    }
    return database;
  }

  onLoss(lost: (error: Error) => void): void {
    this.client.on("error", lost);
  }

  async close(): Promise<void> {
    await this.client.end();
  }

  /** Held until the session ends. False where another process runs the schema. */
  async lock(schema: string): Promise<boolean> {
    const key = `ponder:${schema}`;
    return this.value("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", key);
  }

  async unlock(schema: string): Promise<void> {
    await this.value("SELECT pg_advisory_unlock(hashtextextended($1, 0))", `ponder:${schema}`);
  }

  /**
   * Ponder keeps a schema locked for 25 s after the last sign of life of whoever ran it. To be
   * called only under `lock`, which says that nobody does.
   */
  async endPondersLock(schema: string): Promise<void> {
    const meta = `${pg.escapeIdentifier(schema)}._ponder_meta`;
    if (!(await this.value("SELECT to_regclass($1) IS NOT NULL", meta))) return;
    await this.client.query(
      `UPDATE ${meta} SET value = jsonb_set(value, '{is_locked}', '0') WHERE key = 'app'`,
    );
  }

  /** Registers the schema. Its first block of the present is the one of its first start. */
  async start(
    schema: string,
    { id, owns, registries }: Chain,
    liveFrom: number,
  ): Promise<{ status: Status; liveFrom: number }> {
    const query = "SELECT (ponder_start($1, $2, $3, $4, $5, $6)).*";
    const names = registries.map(({ name }) => name);
    const addresses = registries.map(({ address }) => address.toLowerCase());
    const values = [schema, id, owns, liveFrom, names, addresses];
    const { rows } = await this.client.query(query, values);
    return { status: rows[0].status, liveFrom: Number(rows[0].live_from) };
  }

  async takeOver(schema: string): Promise<void> {
    await this.value("SELECT ponder_take_over($1)", schema);
  }

  async forget(schema: string): Promise<void> {
    await this.value("SELECT ponder_forget($1)", schema);
  }

  /** Undefined where the schema is not registered. */
  async status(schema: string): Promise<Status | undefined> {
    return this.value("SELECT status FROM ponder_schemas WHERE schema_name = $1", schema);
  }

  async current(chainId: number): Promise<string | undefined> {
    const query =
      "SELECT schema_name FROM ponder_schemas WHERE chain_id = $1 AND status = 'current'";
    return this.value(query, chainId);
  }

  async retired(chainId: number): Promise<string[]> {
    const query =
      "SELECT schema_name FROM ponder_schemas WHERE chain_id = $1 AND status = 'retired'";
    const { rows } = await this.client.query<{ schema_name: string }>(query, [chainId]);
    return rows.map(row => row.schema_name);
  }

  /** The last block that the schema has passed. */
  async cursor(schema: string): Promise<Cursor | undefined> {
    const table = `${pg.escapeIdentifier(schema)}.cursor`;
    if (!(await this.value("SELECT to_regclass($1) IS NOT NULL", table))) return undefined;
    const { rows } = await this.client.query(`SELECT block_number, block_hash FROM ${table}`);
    return rows[0] && { number: Number(rows[0].block_number), hash: rows[0].block_hash };
  }

  /** The highest block that the schema remembers, so deep below the last one. */
  async deep(schema: string, depth: number): Promise<Cursor | undefined> {
    const query = `SELECT max(block_number) FROM observed_blocks
                   JOIN ponder_schemas USING (chain_id)
                   WHERE schema_name = $1 AND reader = $1`;
    const last = await this.value<string | null>(query, schema);
    return last === null ? undefined : this.remembered(schema, Number(last) - depth);
  }

  /** The highest block that the schema remembers, up to this height. */
  async remembered(schema: string, upTo: number): Promise<Cursor | undefined> {
    const query = `SELECT block_number, block_hash FROM observed_blocks
                   JOIN ponder_schemas USING (chain_id)
                   WHERE schema_name = $1 AND reader = $1 AND block_number <= $2
                   ORDER BY block_number DESC LIMIT 1`;
    const { rows } = await this.client.query(query, [schema, upTo]);
    return rows[0] && { number: Number(rows[0].block_number), hash: rows[0].block_hash };
  }

  /** False: Ponder is writing, and it is to be said again. */
  async report(schema: string, safe?: Cursor, finalized?: Cursor): Promise<boolean> {
    const blocks = [safe?.number, safe?.hash, finalized?.number, finalized?.hash];
    return this.value("SELECT ponder_report($1, $2, $3, $4, $5)", schema, ...blocks);
  }

  /** The first column of the first row. */
  private async value<T>(text: string, ...values: unknown[]): Promise<T> {
    const { rows } = await this.client.query({ text, values, rowMode: "array" });
    return rows[0]?.[0];
  }
}

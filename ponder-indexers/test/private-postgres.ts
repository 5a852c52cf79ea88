// A PostgreSQL of a test's own, on a Unix socket, that leaves nothing behind.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { eventually } from "./patience.ts";

/** Whom migrations give everything to, where a superuser runs them. */
const OWNER = "agentauri_owner";

export interface PrivatePostgres {
  /** Makes a database whose owner is no superuser, and returns its URL as that one. */
  create(name: string): Promise<string>;
  end(): Promise<void>;
}

export async function startPostgres(): Promise<PrivatePostgres> {
  const folder = mkdtempSync(join(tmpdir(), "agentauri-ponder-"));
  const user = unprivileged();
  if (user) chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  const initdb = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"];
  execFileSync(join(bin(), "initdb"), initdb, { ...user, cwd: folder, stdio: "ignore" });
  const settings = ["listen_addresses=", `unix_socket_directories=${folder}`, "fsync=off"];
  const server = spawn(
    join(bin(), "postgres"),
    ["-D", data, ...settings.flatMap(setting => ["-c", setting])],
    { ...user, cwd: folder, stdio: "ignore" },
  );
  const removeAll = () => {
    server.kill("SIGQUIT");
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  };
  process.once("exit", removeAll);
  const url = (role: string, name: string) => `postgres://${role}@localhost/${name}?host=${folder}`;
  const execute = async (text: string) => {
    const client = new pg.Client({ connectionString: url("postgres", "postgres") });
    await client.connect();
    await client.query(text).finally(() => client.end());
  };
  await eventually("PostgreSQL answers", async () => {
    await execute("SELECT 1");
    return true;
  });
  await execute(`CREATE ROLE ${OWNER} LOGIN`);
  return {
    async create(name) {
      await execute(`CREATE DATABASE ${pg.escapeIdentifier(name)} OWNER ${OWNER}`);
      return url(OWNER, name);
    },
    async end() {
      const exited = once(server, "exit");
      server.kill("SIGINT");
      await exited;
      process.removeListener("exit", removeAll);
      removeAll();
    },
  };
}

/** PostgreSQL refuses to run as root; scripts/setup.sh makes the account. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (option: string) => Number(execFileSync("id", [option, "agentauri-servers"]));
  return { uid: id("-u"), gid: id("-g") };
}

function bin(): string {
  const root = "/usr/lib/postgresql";
  const newest = readdirSync(root).sort((a, b) => Number(b) - Number(a))[0];
  assert(newest, `no PostgreSQL in ${root}: scripts/setup.sh installs it`);
  return join(root, newest, "bin");
}

// The command line: exit codes are 0 done, 1 failed, 2 wrong usage or configuration.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { CONFIG_FILE_DEFAULT } from "../src/chain.ts";
import { ConfigError } from "../src/config.ts";

const HELP = `Ponder as an indexer of the event store. One process and one schema a chain.

  npm run COMMAND -- --chain NAME [options]

  start    runs the chain's indexer in the foreground until SIGTERM. A new build (code, registries
           or start block changed) fills a schema of its own beside the one in use, takes its place
           once it has caught up, and drops it when its process has ended
  deploy   starts the indexer in the background and waits until it has taken over
  health   0 if the indexed block is at most --max-lag blocks behind the head, else 1

  --chain NAME      a chain of the TOML file
  --port N          start, deploy: Ponder's /health, /ready and /metrics on 127.0.0.1 (42069; the
                    next free one where it is taken; 0: any free one)
  --log FILE        deploy: where the indexer's log goes (ponder-NAME.log)
  --timeout SECONDS deploy: how long catching up may take (86400)
  --max-lag BLOCKS  health: (10)
  --help            this text

Environment: DATABASE_URL; AGENTAURI_CONFIG, the TOML file (agentauri.toml).
`;

export class UsageError extends Error {}

export interface Options {
  chain: string;
  port: number;
  log: string;
  timeoutSeconds: number;
  maxLag: number;
}

const COMMANDS = ["start", "deploy", "health"];

// npm runs its scripts in the package's folder; paths are meant from where npm was called.
const folder = process.env.INIT_CWD ?? process.cwd();

try {
  const [name, options] = read(process.argv.slice(2));
  if (name === "help") process.stdout.write(HELP);
  else {
    // Loaded late, so that help and complaints do not wait.
    const { run } = (await import(`./${name}.ts`)) as {
      run(options: Options): Promise<number | undefined>;
    };
    const file = process.env.AGENTAURI_CONFIG || CONFIG_FILE_DEFAULT;
    process.env.AGENTAURI_CONFIG = resolve(folder, file);
    process.env.AGENTAURI_PONDER_CHAIN = options.chain;
    const code = await run(options);
    if (code !== undefined) process.exit(code);
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  if (error instanceof UsageError) process.stderr.write("Try --help.\n");
  process.exit(error instanceof UsageError || error instanceof ConfigError ? 2 : 1);
}

function read(argv: string[]): [string, Options] {
  const string = { type: "string" } as const;
  const options = {
    ...{ chain: string, port: string, log: string, timeout: string, "max-lag": string },
    help: { type: "boolean", short: "h" } as const,
  };
  let found: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;
  try {
    found = parseArgs({ args: argv, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const [name = "", ...rest] = found.positionals;
  const values = found.values;
  const chain = values.chain ?? "";
  const all = {
    chain,
    port: whole("port", values.port ?? "42069", 65_535),
    log: resolve(folder, values.log ?? `ponder-${chain}.log`),
    timeoutSeconds: whole("timeout", values.timeout ?? "86400", 31_536_000),
    maxLag: whole("max-lag", values["max-lag"] ?? "10", 1_000_000),
  };
  if (values.help) return ["help", all];
  if (!COMMANDS.includes(name) || rest.length > 0) {
    throw new UsageError(`the command has to be one of ${COMMANDS.join(", ")}`);
  }
  if (!chain) throw new UsageError("--chain is missing");
  return [name, all];
}

function whole(name: string, text: string, most: number): number {
  const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= most) return value;
  throw new UsageError(`--${name} must be a whole number up to ${most}, not "${text}"`);
}

// The manners of a command line: options, --help, exit codes (0 done, 1 failed, 2 wrong usage).
// It needs nothing that loads slowly, so that help, complaints and signals do not wait.
import { parseArgs } from "node:util";
import type { Address } from "viem";

/** Wrong usage; the message names the option. */
export class UsageError extends Error {}

export type OptionValues = Record<string, string | undefined>;

/** Runs a command's `main` with its options and turns what comes out into an exit code. */
export async function runCommand(
  help: string,
  optionNames: readonly string[],
  main: (values: OptionValues) => Promise<void>,
): Promise<void> {
  try {
    const values = readOptions(optionNames, process.argv.slice(2));
    if (values === "help") process.stdout.write(help);
    else await main(values);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    if (error instanceof UsageError) process.stderr.write("Try --help.\n");
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}

export function required(values: OptionValues, name: string): string {
  const value = values[name];
  if (value === undefined) throw new UsageError(`--${name} is missing`);
  return value;
}

export function urlOption(values: OptionValues, name: string): string {
  const value = required(values, name);
  if (!/^http:/.test(value) || !URL.canParse(value)) {
    throw new UsageError(`--${name} must be an http:// URL, not ${JSON.stringify(value)}`);
  }
  return value;
}

/** In lower case, as every address here. */
export function addressOption(values: OptionValues, name: string): Address {
  const value = required(values, name);
  if (!/^0x[0-9a-fA-F]{40}$/.test(value)) {
    throw new UsageError(`--${name} must be an address, not ${JSON.stringify(value)}`);
  }
  return value.toLowerCase() as Address;
}

/** A whole number from `least` to `most`. */
export function countOption(
  values: OptionValues,
  name: string,
  least: number,
  most: number,
): number {
  const value = required(values, name);
  const count = /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!(count >= least && count <= most)) {
    const range = `a whole number from ${least} to ${most}`;
    throw new UsageError(`--${name} must be ${range}, not ${JSON.stringify(value)}`);
  }
  return count;
}

function readOptions(names: readonly string[], argv: string[]): OptionValues | "help" {
  const string = { type: "string" } as const;
  const options = Object.fromEntries(names.map(name => [name, string]));
  try {
    const { values } = parseArgs({
      args: argv,
      options: { ...options, help: { type: "boolean", short: "h" } },
    });
    return values.help ? "help" : (values as OptionValues);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

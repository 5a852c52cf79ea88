// What all settings have in common, of the file and of the environment.
import { readFileSync } from "node:fs";

/** What has to be changed before it can work; the message names file and key, or the variable. */
export class ConfigError extends Error {}

export type Environment = Record<string, string | undefined>;

export function readFile(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError(`${file}: cannot be read: ${(error as Error).message}`);
  }
}

// A table of a TOML file that knows where it stands, so that what is refused has file and key.
import { parse, TomlError, type TomlTable, type TomlValue } from "smol-toml";
import { ConfigError } from "../config.ts";

interface Bounds {
  min?: number;
  max?: number;
}

export class Reader {
  private constructor(
    private readonly file: string,
    private readonly path: string,
    private readonly values: TomlTable,
  ) {}

  /** The table of a whole file. */
  static of(text: string, file: string): Reader {
    try {
      // A number too large to be exact is refused where it is read, and elsewhere does not matter.
      return new Reader(file, "", parse(text, { integersAsBigInt: "asNeeded" }));
    } catch (error) {
      if (!(error instanceof TomlError)) throw error;
      const { line, column, message } = error;
      // Below its first line it quotes the file, where a key may stand.
      throw new ConfigError(`${file}:${line}:${column}: ${message.split("\n", 1)[0]}`);
    }
  }

  has(key: string): boolean {
    return this.values[key] !== undefined;
  }

  keys(): string[] {
    return Object.keys(this.values);
  }

  only(known: readonly string[]): void {
    const other = this.keys().find(key => !known.includes(key));
    if (other !== undefined) this.refuse(other, `is unknown here; there are ${known.join(", ")}`);
  }

  text(key: string): string {
    const value = this.required(key);
    return typeof value === "string" ? value : this.refuse(key, "has to be a string");
  }

  /** Undefined if there is none. */
  textIfAny(key: string): string | undefined {
    const value = this.values[key];
    return typeof value === "string" ? value : undefined;
  }

  choice(key: string, choices: readonly string[], otherwise: string): string {
    const value = this.has(key) ? this.text(key) : otherwise;
    if (!choices.includes(value)) this.refuse(key, `has to be one of ${choices.join(", ")}`);
    return value;
  }

  integer(key: string, { min = 0, max = Number.MAX_SAFE_INTEGER }: Bounds = {}): number {
    const value = this.required(key);
    const isWhole = typeof value === "number" && Number.isSafeInteger(value);
    if (isWhole && value >= min && value <= max) return value;
    const most = max === Number.MAX_SAFE_INTEGER ? "2^53 - 1" : max;
    return this.refuse(key, `has to be a whole number from ${min} to ${most}`);
  }

  /** The entries of a list, each under a key such as `rpc_urls[0]`. */
  list(key: string, max = Number.POSITIVE_INFINITY): Reader {
    const value = this.required(key);
    if (!Array.isArray(value)) return this.refuse(key, "has to be a list");
    if (value.length > max) {
      this.refuse(key, `has ${value.length} entries, and may have ${max}`);
    }
    const entries = value.map((entry, at): [string, TomlValue] => [`${key}[${at}]`, entry]);
    return new Reader(this.file, this.path, Object.fromEntries(entries));
  }

  isTable(key: string): boolean {
    const value = this.values[key];
    return typeof value === "object" && !Array.isArray(value) && !(value instanceof Date);
  }

  table(key: string): Reader {
    const value = this.required(key);
    if (!this.isTable(key)) return this.refuse(key, "has to be a table");
    return new Reader(this.file, `${this.path}${key}.`, value as TomlTable);
  }

  refuse(key: string, problem: string): never {
    throw new ConfigError(`${this.file}: ${this.path}${key}: ${problem}`);
  }

  private required(key: string): TomlValue {
    return this.values[key] ?? this.refuse(key, "is missing");
  }
}

// Where a database's password may go: as in rust-backend/crates/service/src/config/database.rs.
import { isIPv4, isIPv6 } from "node:net";
import { ConfigError, type Environment } from "./config.ts";

const MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
/** What the driver understands by its own parameter `ssl`. */
const SSL = ["true", "1", "0", "no-verify"];

/**
 * DATABASE_URL, with how to encrypt in it. Of a word in PGSSLMODE that it does not know, and of
 * `sslmode=`, the driver makes a connection in the clear, so it is never left to decide. To a host
 * that is neither loopback nor a socket, and where nobody has said how, the server's certificate
 * is checked.
 */
export function databaseUrl(environment: Environment): string {
  const text = environment.DATABASE_URL?.trim();
  if (!text) throw new ConfigError("DATABASE_URL: is not set");
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    // The text may hold a password, so it is not quoted.
    throw new ConfigError("DATABASE_URL: is not a URL");
  }
  if (!["postgres:", "postgresql:"].includes(url.protocol)) {
    throw new ConfigError("DATABASE_URL: has to begin with postgres:// or postgresql://");
  }
  const mode = modeOf(url, environment);
  if (mode === undefined || mode === url.searchParams.getAll("sslmode").at(-1)) return text;
  url.searchParams.delete("sslmode");
  url.searchParams.append("sslmode", mode);
  return url.href;
}

/** The mode of the URL, else of libpq's variable, else by the host; undefined: nothing to say. */
function modeOf(url: URL, environment: Environment): string | undefined {
  const ofUrl = url.searchParams.getAll("sslmode");
  const modes = ofUrl.map(mode => known(plain(mode), MODES, "DATABASE_URL: sslmode"));
  const ssl = url.searchParams.getAll("ssl");
  for (const word of ssl) known(word, SSL, "DATABASE_URL: ssl");
  const variable = plain(environment.PGSSLMODE ?? "");
  const ofVariable = variable ? known(variable, MODES, "PGSSLMODE:") : undefined;
  if (modes.length > 0) return modes.at(-1);
  // The driver takes it before the variable.
  if (ssl.length > 0) return undefined;
  return ofVariable ?? (isHere(hostOf(url, environment)) ? undefined : "verify-full");
}

function plain(mode: string): string {
  return mode.trim().toLowerCase();
}

function known(word: string, words: string[], name: string): string {
  if (words.includes(word)) return word;
  throw new ConfigError(`${name} has to be one of ${words.join(", ")}`);
}

/** The host that the driver takes: the last one that is named, else libpq's variable. */
function hostOf(url: URL, environment: Environment): string {
  const named = url.searchParams.getAll("host").at(-1) || decodeURIComponent(url.hostname);
  return named || environment.PGHOST || "localhost";
}

function isHere(host: string): boolean {
  if (host.startsWith("/") || host.toLowerCase() === "localhost") return true;
  const address = host.replace(/^\[|\]$/g, "").toLowerCase();
  if (isIPv4(address)) return address.startsWith("127.");
  const mapped = /^::ffff:(127\.|7f[0-9a-f]{2}:)/;
  return isIPv6(address) && (address === "::1" || mapped.test(address));
}

// Where a database's password may go: as in rust-backend/crates/service/src/config/database.rs.
import { isIPv4, isIPv6 } from "node:net";
import { ConfigError, type Environment } from "./chain.ts";

/**
 * DATABASE_URL. To a host that is neither loopback nor a socket, and where nobody has said how to
 * encrypt, the server's certificate is checked: the driver would speak in the clear.
 */
export function databaseUrl(environment: Environment): string {
  const text = environment.DATABASE_URL;
  if (!text) throw new ConfigError("DATABASE_URL: is not set");
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    // The text may hold a password, so it is not quoted.
    throw new ConfigError("DATABASE_URL: is not a URL");
  }
  const isWritten = url.searchParams.has("sslmode") || url.searchParams.has("ssl");
  if (isWritten || environment.PGSSLMODE || isHere(hostOf(url, environment))) return text;
  url.searchParams.append("sslmode", "verify-full");
  return url.href;
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

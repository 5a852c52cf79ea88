// A node's URL, and the headers that it is sent. As in
// rust-backend/crates/service/src/config/chain/rpc_url.rs.
import type { Environment } from "../config.ts";
import { filled } from "./placeholders.ts";
import type { Reader } from "./reader.ts";

/** URLs of a chain, headers of a URL, and bytes of a value. */
const RPC_URLS_MAX = 16;
const HEADERS_MAX = 16;
const HEADER_BYTES_MAX = 8_192;

/** Headers that belong to the connection. */
const RESERVED = new RegExp(
  "^(accept-encoding|connection|content-length|content-type|expect|host|keep-alive|te|trailer|" +
    "transfer-encoding|upgrade|sec-websocket-.*)$",
);

export interface RpcUrl {
  /** User and password are in a websocket's alone: fetch takes none, so they are a header. */
  url: string;
  /** By their names in lower case. */
  headers: Readonly<Record<string, string>>;
  /** Whether a value of the environment stands in it, which no log may show. */
  hasValues: boolean;
}

export function isWebsocket({ url }: RpcUrl): boolean {
  return /^wss?:/.test(url);
}

/** The URLs that are asked for blocks and logs: those by HTTP, if there are any. */
export function askedUrls(urls: readonly RpcUrl[]): RpcUrl[] {
  const http = urls.filter(url => !isWebsocket(url));
  return http.length > 0 ? http : [...urls];
}

export function rpcUrls(chain: Reader, environment: Environment): RpcUrl[] {
  const list = chain.list("rpc_urls", RPC_URLS_MAX);
  const keys = list.keys();
  if (keys.length === 0) chain.refuse("rpc_urls", "is empty, and has to have a URL");
  const seen = new Map<string, string>();
  return keys.map(key => {
    const read = rpcUrl(list, key, environment);
    // Two keys of one provider may be two headers.
    const same = JSON.stringify([read.url, Object.entries(read.headers).sort()]);
    const other = seen.get(same);
    if (other !== undefined) list.refuse(key, `is the same as ${other}: leave one of them`);
    seen.set(same, key);
    return read;
  });
}

/** Reads a string, or a table of `url` and `headers`. */
function rpcUrl(list: Reader, key: string, environment: Environment): RpcUrl {
  if (!list.isTable(key)) return bareUrl(list, key, environment);
  const table = list.table(key);
  table.only(["url", "headers"]);
  const read = bareUrl(table, "url", environment);
  if (!table.has("headers")) return read;
  const headers = table.table("headers");
  if (headers.keys().length === 0) return read;
  if (isWebsocket(read)) {
    const remedy = "give the node's http or https URL, or its key in the URL";
    table.refuse("headers", `cannot be sent by websocket here: ${remedy}`);
  }
  if (headers.keys().length > HEADERS_MAX) {
    const count = headers.keys().length;
    table.refuse("headers", `has ${count} entries, and may have ${HEADERS_MAX}`);
  }
  return { ...read, ...withHeaders(read, headers, environment) };
}

function bareUrl(table: Reader, key: string, environment: Environment): RpcUrl {
  const template = table.text(key);
  let hasValues = false;
  const text = filled(table, key, environment, (value, at) => {
    hasValues = true;
    return isInUser(template, at) ? inUser(value) : value;
  });
  // It may hold a key, so it is not quoted.
  if (!URL.canParse(text) || !/^(https?|wss?):$/.test(new URL(text).protocol)) {
    table.refuse(key, "is not an http, https, ws or wss URL");
  }
  const url = new URL(text);
  if (url.port === "0") table.refuse(key, "has port 0, where no node can be");
  if (url.href.includes("#")) {
    table.refuse(key, "has a #, and what follows is sent to no node: write %23");
  }
  const read = { url: url.href, headers: {}, hasValues };
  const hasUser = url.username !== "" || url.password !== "";
  if (!hasUser || isWebsocket(read)) return read;
  const authorization = `Basic ${basic(url)}`;
  url.username = "";
  url.password = "";
  return { ...read, url: url.href, headers: { authorization } };
}

function withHeaders(
  { headers: before, hasValues }: RpcUrl,
  table: Reader,
  environment: Environment,
): Pick<RpcUrl, "headers" | "hasValues"> {
  const headers = new Map<string, string>();
  for (const key of table.keys()) {
    const name = key.toLowerCase();
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) table.refuse(key, "is no name of a header");
    if (RESERVED.test(name)) {
      table.refuse(key, "is set by the connection, and cannot be chosen");
    }
    if (before[name] !== undefined) {
      table.refuse(key, "stands beside a user in the URL, which is sent as it: leave one");
    }
    if (headers.has(name)) table.refuse(key, "is there twice: case does not count");
    const value = filled(table, key, environment, value => {
      hasValues = true;
      return value;
    }).trim();
    // It may be a key, so it is not quoted.
    if (!/^[\t -~]*$/.test(value)) {
      table.refuse(key, "is no value of a header: ASCII without control characters");
    }
    if (value.length === 0 || value.length > HEADER_BYTES_MAX) {
      table.refuse(key, `has to have 1 to ${HEADER_BYTES_MAX} bytes`);
    }
    headers.set(name, value);
  }
  return { headers: { ...before, ...Object.fromEntries(headers) }, hasValues };
}

/** Whether a place of a URL is in its user or its password. */
function isInUser(text: string, at: number): boolean {
  const authority = /^.*?:\/\/([^/?#]*@)?/s.exec(text)?.[0] ?? "";
  return authority.endsWith("@") && at > authority.indexOf("://") && at < authority.length;
}

/** Percent-encoded, so that it stays in the user or the password. A colon divides the two. */
function inUser(value: string): string {
  return encodeURIComponent(value).replaceAll("%3A", ":");
}

/** User and password as RFC 7617 has them. */
function basic({ username, password }: URL): string {
  const bytes = `${username}:${password}`.replace(/%([0-9a-fA-F]{2})/g, (_, digits) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return Buffer.from(bytes, "latin1").toString("base64");
}

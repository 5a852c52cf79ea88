// How nodes are asked: with their headers, and so that no error, which may be logged, quotes
// more of a URL than its host.
import { custom, http, type Transport, webSocket } from "viem";
import { isWebsocket, type RpcUrl } from "./chain/rpc-url.ts";

/** Bytes of an answer, as chain-indexer reads them: viem's own limit is below a full block's. */
const ANSWER_BYTES_MAX = 64 << 20;
const WEBSOCKET_OPEN = 1;

interface Options {
  retryCount?: number;
  timeout?: number;
}

/** One node. */
export function transportOf(rpcUrl: RpcUrl, options: Options = {}): Transport {
  return isWebsocket(rpcUrl) ? byWebsocket(rpcUrl, options) : byHttp(rpcUrl, options);
}

/**
 * All of them: a question that one fails to answer is asked of the next, where those that come
 * later begin.
 */
export function nodesInTurn(rpcUrls: readonly RpcUrl[]): Transport {
  return given => {
    const nodes = rpcUrls.map(rpcUrl => transportOf(rpcUrl)({ ...given, retryCount: 0 }));
    let first = 0;
    async function request(question: unknown): Promise<unknown> {
      let failure: unknown;
      const start = first;
      for (let turn = 0; turn < nodes.length; turn++) {
        const at = (start + turn) % nodes.length;
        try {
          return await nodes[at]?.request(question as never);
        } catch (error) {
          failure = error;
          // Unless another question has gone on already.
          if (first === at) first = (at + 1) % nodes.length;
        }
      }
      throw failure;
    }
    return custom({ request }, { key: "nodes", name: "Nodes in turn", retryCount: 0 })(given);
  };
}

/** viem is given the origin alone, and quotes it. */
function byHttp({ url, headers }: RpcUrl, options: Options): Transport {
  const fetchFn = (_: unknown, init: RequestInit = {}) => {
    if (Object.keys(headers).length === 0) return fetch(url, init);
    const all = new Headers(init.headers);
    for (const [name, value] of Object.entries(headers)) all.set(name, value);
    // Elsewhere they would be sent to somebody else.
    return fetch(url, { ...init, headers: all, redirect: "manual" });
  };
  const maxResponseBodySize = ANSWER_BYTES_MAX;
  return http(new URL(url).origin, { ...options, maxResponseBodySize, fetchFn });
}

/**
 * viem writes the whole URL to standard error where it fails to connect again, so that is done
 * here, with the next question. A connection without questions need not stay.
 */
function byWebsocket({ url }: RpcUrl, options: Options): Transport {
  return given => {
    const node = webSocket(url, { ...options, keepAlive: false, reconnect: false })(given);
    async function request(question: unknown): Promise<unknown> {
      try {
        return await node.request(question as never);
      } catch (error) {
        await forgetIfLost().catch(() => undefined);
        hideUrl(error, url);
        throw error;
      }
    }
    async function forgetIfLost(): Promise<void> {
      const client = await node.value?.getRpcClient();
      if (client?.socket.readyState !== WEBSOCKET_OPEN) client?.close();
    }
    return custom({ request }, { key: "webSocket", retryCount: 0 })(given);
  };
}

/** viem writes a URL into errors, with all but its user and password; a socket has it whole. */
function hideUrl(error: unknown, url: string): void {
  const bare = new URL(url);
  bare.username = "";
  bare.password = "";
  const hidden = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(hidden);
    if (typeof part !== "string") return part;
    return part.replaceAll(url, bare.origin).replaceAll(bare.href, bare.origin);
  };
  for (let at = error; at instanceof Error; at = at.cause) {
    const parts = at as unknown as Record<string, unknown>;
    for (const key of Object.getOwnPropertyNames(at)) parts[key] = hidden(parts[key]);
    // An event, whose target is the socket.
    if (at.cause !== undefined && !(at.cause instanceof Error)) at.cause = undefined;
  }
}

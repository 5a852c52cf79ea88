// One chain of agentauri.toml, chosen by AGENTAURI_PONDER_CHAIN.
import { createConfig } from "ponder";
import { askedUrls, isWebsocket } from "./src/chain/rpc-url.ts";
import { chainFromEnvironment, liveFromEnvironment } from "./src/chain.ts";
import { databaseUrl } from "./src/database-url.ts";
import { firstRangeEnd, RANGE_BLOCKS } from "./src/history.ts";
import { nodesInTurn } from "./src/transport.ts";

const chain = chainFromEnvironment(process.env);
const liveFrom = liveFromEnvironment(process.env);
const asked = askedUrls(chain.rpcUrls);
// A URL that Ponder asks by itself takes no headers, and is written into its log.
const isPlain = asked.every(
  url => !isWebsocket(url) && !url.hasValues && Object.keys(url.headers).length === 0,
);
const ws = chain.rpcUrls.find(isWebsocket)?.url;

export default createConfig({
  database: {
    kind: "postgres",
    connectionString: databaseUrl(process.env),
    poolConfig: { max: 8 },
  },
  chains: {
    [chain.name]: {
      id: chain.id,
      rpc: isPlain ? asked.map(({ url }) => url) : nodesInTurn(asked),
      ...(ws === undefined ? {} : { ws }),
      pollingInterval: chain.pollIntervalMs,
    },
  },
  // For its setup alone: Ponder says that it has no other function. See src/registry-logs.ts.
  contracts: {
    registries: {
      chain: chain.name,
      abi: [],
      address: chain.registries.map(({ address }) => address),
      startBlock: chain.startBlock,
    },
  },
  blocks: {
    ...(liveFrom > chain.startBlock && {
      history: {
        chain: chain.name,
        startBlock: firstRangeEnd(chain.startBlock, liveFrom),
        endBlock: liveFrom - 1,
        interval: RANGE_BLOCKS,
      },
    }),
    everyBlock: { chain: chain.name, startBlock: liveFrom, interval: 1 },
  },
});

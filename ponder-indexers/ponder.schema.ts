// Ponder's own tables, a schema for each build. Triggers of the event store
// (database/migrations/20250126000030_create_ponder_schemas.sql) copy from here into `events`.
import { onchainTable } from "ponder";

/** Columns as in `events`; `data` is JSON, `topics` are joined by spaces. */
export const registryEvent = onchainTable("registry_event", t => ({
  id: t.text().primaryKey(),
  chainId: t.int8({ mode: "number" }).notNull(),
  blockNumber: t.int8({ mode: "number" }).notNull(),
  blockHash: t.text().notNull(),
  transactionHash: t.text().notNull(),
  logIndex: t.integer().notNull(),
  eventType: t.text().notNull(),
  registry: t.text().notNull(),
  timestamp: t.int8({ mode: "number" }).notNull(),
  agentId: t.text(),
  data: t.text(),
  address: t.text().notNull(),
  topics: t.text(),
  logData: t.text(),
}));

/** The last block that was passed: one row. */
export const cursor = onchainTable("cursor", t => ({
  chainId: t.int8({ mode: "number" }).primaryKey(),
  blockNumber: t.int8({ mode: "number" }).notNull(),
  blockHash: t.text().notNull(),
  parentHash: t.text().notNull(),
  timestamp: t.int8({ mode: "number" }).notNull(),
}));

/** Blocks that Ponder has handled, but whose logs are still to be read: at most one row. */
export const unread = onchainTable("unread", t => ({
  chainId: t.int8({ mode: "number" }).primaryKey(),
  /** See src/unread.ts. */
  blocks: t.text().notNull(),
}));

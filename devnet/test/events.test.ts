import assert from "node:assert/strict";
import { test } from "node:test";
import type { Abi, AbiEvent } from "viem";
import { toEventSelector } from "viem/utils";
import { CONTRACT_NAMES, loadArtifact } from "../src/artifact.ts";
import { EVENT_TABLE } from "./event-table.ts";

for (const name of CONTRACT_NAMES) {
  test(`${name} emits exactly the public registry's events, by the same first topics`, async () => {
    const { abi } = await loadArtifact(name);
    const selectors = eventsOf(abi).map(event => [event.name, toEventSelector(event)] as const);
    const table = EVENT_TABLE[name];
    assert.deepEqual(selectors.map(([event]) => event).sort(), Object.keys(table).sort());
    for (const [event, selector] of selectors) {
      const expected = table[event] ?? "";
      assert.equal(selector.slice(0, expected.length), expected, event);
    }
  });
}

const INDEXED: Record<string, string> = {
  Registered: "agentId owner",
  MetadataSet: "agentId indexedMetadataKey",
  URIUpdated: "agentId updatedBy",
  Transfer: "from to tokenId",
  Approval: "owner approved tokenId",
  ApprovalForAll: "owner operator",
  MetadataUpdate: "",
  NewFeedback: "agentId clientAddress indexedTag1",
  FeedbackRevoked: "agentId clientAddress feedbackIndex",
  ResponseAppended: "agentId clientAddress responder",
  ValidationRequest: "validatorAddress agentId requestHash",
  ValidationResponse: "validatorAddress agentId requestHash",
  Initialized: "",
  OwnershipTransferred: "previousOwner newOwner",
  Upgraded: "implementation",
};

test("the same arguments are indexed, under the same names", async () => {
  for (const name of CONTRACT_NAMES) {
    for (const event of eventsOf((await loadArtifact(name)).abi)) {
      const indexed = event.inputs.filter(input => input.indexed).map(input => input.name);
      assert.equal(indexed.join(" "), INDEXED[event.name], `${name}.${event.name}`);
    }
  }
});

function eventsOf(abi: Abi): AbiEvent[] {
  return abi.filter((entry): entry is AbiEvent => entry.type === "event");
}

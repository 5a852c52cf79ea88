// The first topic of every event of the public registries. Where the table knows only the
// beginning of a hash, so does this.
import type { ContractName } from "../src/artifact.ts";

export const ADMINISTRATION = {
  Initialized: "0xc7f505b2",
  OwnershipTransferred: "0x8be0079c",
  Upgraded: "0xbc7cd75a",
};

export const EVENT_TABLE: Record<ContractName, Record<string, string>> = {
  IdentityRegistry: {
    Registered: "0xca52e62c367d81bb2e328eb795f7c7ba24afb478408a26c0e201d155c449bc4a",
    MetadataSet: "0x2c149ed548c6d2993cd73efe187df6eccabe4538091b33adbd25fafdb8a1468b",
    URIUpdated: "0x3a2c7fffc2cba7582c690e3b82c453ea02a308326a98a3ad7576c606336409fb",
    Transfer: "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
    Approval: "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925",
    ApprovalForAll: "0x17307eab39ab6107e8899845ad3d59bd9653f200f220920489ca2b5937696c31",
    MetadataUpdate: "0xf8e1a15aba9398e019f0b49df1a4fde98ee17ae345cb5f6b5e2c27f5033e8ce7",
    ...ADMINISTRATION,
  },
  ReputationRegistry: {
    NewFeedback: "0x6a4a61743519c9d648a14e6493f47dbe3ff1aa29e7785c96c8326a205e58febc",
    FeedbackRevoked: "0x25156fd3288212246d8b008d5921fde376c71ed14ac2e072a506eb06fde6d09d",
    ResponseAppended: "0xb1c6be0b5b8aef6539e2fac0fd131a2faa7b49edf8e505b5eb0ad487d56051d4",
    ...ADMINISTRATION,
  },
  ValidationRegistry: {
    ValidationRequest: "0x530436c3634a98e1e626b0898be2f1e9980cc1bd2a78c07a0aba52d0a48a5059",
    ValidationResponse: "0xafddf629e874ccc3963b6a888c477bd464a6c8525024fc88759ea3b2326349ae",
    ...ADMINISTRATION,
  },
};

/** The event of a first topic of one registry; `unknown` or `no topic` where there is none. */
export function eventName(contract: ContractName, topic: string | undefined): string {
  if (topic === undefined) return "no topic";
  const known = Object.entries(EVENT_TABLE[contract]).find(([, start]) => topic.startsWith(start));
  return known?.[0] ?? "unknown";
}

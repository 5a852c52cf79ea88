// Who plays whom. The roles do not overlap where a registry forbids it: nobody who may act for an
// agent ever gives it feedback, whatever earlier traffic has approved.
import type { Address } from "viem";

export interface Cast {
  /** The registries pass between these two; the first one deployed them. */
  administrators: readonly [Address, Address];
  owners: readonly Address[];
  clients: readonly Address[];
  validators: readonly Address[];
  /** May be given the right to act for an owner or an agent. */
  operator: Address;
}

export const CAST_SIZE = 10;

export function castOf(accounts: readonly Address[]): Cast {
  const at = (index: number): Address => {
    const account = accounts[index];
    if (!account) throw new Error(`the cast needs ${CAST_SIZE} accounts`);
    return account;
  };
  return {
    administrators: [at(0), at(9)],
    owners: [at(1), at(2), at(3)],
    clients: [at(4), at(5), at(6), at(7)],
    validators: [at(8), at(9)],
    operator: at(0),
  };
}

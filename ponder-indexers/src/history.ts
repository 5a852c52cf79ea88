// Where a chain's history ends and its present begins. History is asked for in ranges, as no reorg
// reaches it; the present block by block.

/** Deeper than any reorg that Ponder follows: 240 blocks, on Arbitrum. */
export const SETTLED_BELOW_HEAD = 256;
/** Blocks of a range: what most nodes permit. */
export const RANGE_BLOCKS = 500;

/** The last blocks of the ranges: every RANGE_BLOCKS-th, the last one being `liveFrom` - 1. */
export function firstRangeEnd(startBlock: number, liveFrom: number): number {
  return startBlock + ((liveFrom - 1 - startBlock) % RANGE_BLOCKS);
}

/** The first block of the range that ends with `end`. */
export function rangeStart(startBlock: number, end: number): number {
  return Math.max(startBlock, end - RANGE_BLOCKS + 1);
}

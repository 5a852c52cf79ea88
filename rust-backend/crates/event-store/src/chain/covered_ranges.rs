//! The table `covered_ranges`: which blocks have been read whole, and of which contracts.
//!
//! Proof that nothing is missing needs this table and no node. [`all`] gives the ranges; [`gaps`]
//! gives the blocks between those of them that cover the wanted addresses. Two ranges join where
//! one ends right below the other and its `last_hash` is the other's `parent_hash`:
//! [`CoveredRange::joins`]. Ranges of the same blocks may overlap, as where a registry was
//! configured later and its history read afterwards.
//!
//! A range does not cover rows that are written later at its heights: a reorganisation cuts it off
//! at the fork, in the transaction that invalidates the events.

use std::ops::RangeInclusive;

use event_engine::event::ChainId;
use sqlx::{PgConnection, PgExecutor};

use crate::Result;

/// One row of `covered_ranges`: every log that `addresses` emitted in these blocks is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoveredRange {
    /// The registries, lower-case 0x hex, sorted.
    pub addresses: Vec<String>,
    /// The lowest block.
    pub first_block: i64,
    /// Hash of the block below it, lower-case 0x hex.
    pub parent_hash: String,
    /// The highest block.
    pub last_block: i64,
    /// Its hash, lower-case 0x hex.
    pub last_hash: String,
}

impl CoveredRange {
    /// True if `above` goes on where this one ends, on the same branch.
    pub fn joins(&self, above: &Self) -> bool {
        self.last_block + 1 == above.first_block && self.last_hash == above.parent_hash
    }

    fn covers(&self, addresses: &[String]) -> bool {
        addresses.iter().all(|address| self.addresses.contains(address))
    }
}

/// The ranges of a chain, lowest first.
pub async fn all(executor: impl PgExecutor<'_>, chain_id: ChainId) -> Result<Vec<CoveredRange>> {
    let ranges = sqlx::query_as!(
        CoveredRange,
        "SELECT addresses, first_block, parent_hash, last_block, last_hash FROM covered_ranges
         WHERE chain_id = $1 ORDER BY first_block, last_block",
        chain_id.0,
    )
    .fetch_all(executor)
    .await?;
    Ok(ranges)
}

/// The blocks among `blocks` that no range covers for all of `addresses`, lowest first.
pub fn gaps(
    ranges: &[CoveredRange],
    addresses: &[String],
    blocks: RangeInclusive<i64>,
) -> Vec<RangeInclusive<i64>> {
    let mut covering: Vec<_> = ranges.iter().filter(|range| range.covers(addresses)).collect();
    covering.sort_by_key(|range| range.first_block);
    let (mut next, last) = blocks.into_inner();
    let mut gaps = Vec::new();
    for range in covering {
        let before = last.min(range.first_block - 1);
        if next <= before {
            gaps.push(next..=before);
        }
        next = next.max(range.last_block + 1);
    }
    if next <= last {
        gaps.push(next..=last);
    }
    gaps
}

/// Adds `range`: to the range that it joins from above, or by itself. Belongs into the transaction
/// that stores the range's blocks and events.
pub async fn cover(
    connection: &mut PgConnection,
    chain_id: ChainId,
    range: &CoveredRange,
) -> Result<()> {
    // A range that begins at the same block is of an earlier life of `observed_blocks`.
    sqlx::query!(
        "WITH extended AS (
             UPDATE covered_ranges SET last_block = $5, last_hash = $6
             WHERE chain_id = $1 AND addresses = $2
               AND last_block = $3::bigint - 1 AND last_hash = $4
             RETURNING 1)
         INSERT INTO covered_ranges (
             chain_id, addresses, first_block, parent_hash, last_block, last_hash)
         SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (SELECT FROM extended)
         ON CONFLICT (chain_id, addresses, first_block) DO UPDATE SET
             parent_hash = EXCLUDED.parent_hash,
             last_block = EXCLUDED.last_block,
             last_hash = EXCLUDED.last_hash",
        chain_id.0,
        &range.addresses,
        range.first_block,
        range.parent_hash,
        range.last_block,
        range.last_hash,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets all ranges of a chain of which no block is stored: they are of an earlier life. Belongs
/// into the transaction that stores the first, or that invalidates events to reset the chain.
pub async fn forget(connection: &mut PgConnection, chain_id: ChainId) -> Result<()> {
    sqlx::query!("DELETE FROM covered_ranges WHERE chain_id = $1", chain_id.0)
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(addresses: &[&str], first_block: i64, last_block: i64) -> CoveredRange {
        CoveredRange {
            addresses: addresses.iter().map(|&address| address.to_owned()).collect(),
            first_block,
            parent_hash: format!("0x{:x}", first_block - 1),
            last_block,
            last_hash: format!("0x{last_block:x}"),
        }
    }

    #[test]
    fn a_gap_is_what_no_range_covers_for_all_addresses() {
        let ranges =
            [range(&["0xa"], 0, 99), range(&["0xa", "0xb"], 20, 29), range(&["0xb"], 5, 9)];
        let of = |addresses: &[&str], blocks| {
            let addresses: Vec<_> = addresses.iter().map(|&address| address.to_owned()).collect();
            gaps(&ranges, &addresses, blocks)
        };
        assert_eq!(of(&["0xa"], 0..=99), []);
        assert_eq!(of(&["0xa"], 50..=120), [100..=120]);
        assert_eq!(of(&["0xa", "0xb"], 0..=40), [0..=19, 30..=40]);
        assert_eq!(of(&["0xa", "0xb"], 22..=25), []);
        assert_eq!(of(&["0xb"], 0..=8), [0..=4]);
        assert_eq!(of(&["0xc"], 3..=3), [3..=3]);
        assert_eq!(gaps(&[], &["0xa".to_owned()], 1..=2), [1..=2]);
    }

    #[test]
    fn ranges_join_only_where_one_stands_on_the_other() {
        let (low, high) = (range(&["0xa"], 0, 9), range(&["0xa"], 10, 19));
        assert!(low.joins(&high) && !high.joins(&low));
        let other = CoveredRange { parent_hash: "0xbeef".to_owned(), ..high };
        assert!(!low.joins(&other));
    }
}
